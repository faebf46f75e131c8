//! The kernel's faces of one port: that of the port itself, and those of its sub-interfaces, whose
//! frames travel between worker and host thread with their tags.

use super::stats::HostStats;
use crate::types::Tags;
use crate::wire::vlan::{self, Tagging};
use dpdk_sys::{Burst, Error, Mbuf, Pool, RxQueue, Tap, TxQueue};
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where iproute2 keeps network namespaces by name.
const NAMESPACES: &str = "/run/netns";

/// The kernel's face of a port.
#[derive(Debug)]
pub enum Face {
    /// It has none.
    None,
    /// A DPDK device of its own: the only queues of a net_tap port.
    Queues(RxQueue, TxQueue),
    /// A tap of ours.
    Tap(Tap),
}

impl Face {
    /// Hands all of it to the kernel. A packet that the kernel does not take is dropped alone: it may
    /// only be too large, and those behind it may pass. Returns packets taken and refused.
    pub(super) fn send(&mut self, burst: &mut Burst) -> (u64, u64) {
        let (mut sent, mut refused) = (0, 0);
        match self {
            Self::None => {
                refused += burst.len() as u64;
                burst.clear();
            }
            Self::Queues(_, tx) => {
                while !burst.is_empty() {
                    sent += tx.burst(burst) as u64;
                    refused += u64::from(burst.drop_first());
                }
            }
            Self::Tap(tap) => {
                let all = burst.len() as u64;
                sent = burst.drain().filter_map(|mbuf| tap.write(mbuf).then_some(())).count() as u64;
                refused = all - sent;
            }
        }
        (sent, refused)
    }

    /// Takes up to `most` packets of the kernel from a device; taps say by themselves when they have any.
    pub(super) fn receive(&mut self, burst: &mut Burst, most: usize) -> usize {
        match self {
            Self::Queues(rx, _) => rx.burst_up_to(burst, most),
            Self::None | Self::Tap(_) => 0,
        }
    }
}

/// The kernel's face of a sub-interface.
#[derive(Debug)]
pub struct SubFace {
    tags: Tags,
    pub(super) tap: Tap,
    stats: Arc<HostStats>,
}

impl SubFace {
    /// `tap` carries the frames of `tags` without them.
    #[must_use]
    pub fn new(tags: Tags, tap: Tap, stats: Arc<HostStats>) -> Self {
        Self { tags, tap, stats }
    }

    pub(super) fn stats(&self) -> &HostStats {
        &self.stats
    }

    /// A frame of the kernel, tagged. `None`: it has no more.
    pub(super) fn read(&mut self) -> Option<Mbuf> {
        let mut mbuf = self.tap.read()?;
        vlan::push(&mut mbuf, self.tags).then_some(mbuf)
    }
}

/// The faces of a port's sub-interfaces by their identifiers.
#[derive(Debug, Default)]
pub(super) struct SubFaces {
    pub(super) all: Vec<SubFace>,
    by_tags: BTreeMap<(u16, u16), usize>,
}

impl SubFaces {
    pub(super) fn new(all: Vec<SubFace>) -> Self {
        let key = |sub: &SubFace| (sub.tags.outer, sub.tags.inner.unwrap_or(0));
        let by_tags = all.iter().map(key).zip(0..).collect();
        Self { all, by_tags }
    }

    /// Hands the tagged frames of a burst to the kernel; the others stay in it.
    pub(super) fn send(&mut self, burst: &mut Burst) {
        if self.all.is_empty() {
            return;
        }
        let mut rest = Burst::new();
        for mut mbuf in burst.drain() {
            let Tagging::Tagged { outer, inner, count } = vlan::read(mbuf.data()) else {
                // As many fit as were in the other one.
                let _ = rest.push(mbuf);
                continue;
            };
            // A sub-interface without a face has nobody who would take it.
            let Some(sub) = self.by_tags.get(&(outer, inner)).and_then(|at| self.all.get_mut(*at)) else {
                continue;
            };
            let taken = vlan::strip(&mut mbuf, count) && sub.tap.write(mbuf);
            sub.stats.add_to_kernel(u64::from(taken), u64::from(!taken));
        }
        std::mem::swap(burst, &mut rest);
    }
}

/// Makes a tap in a network namespace, by its name or path; `None`: in ours.
///
/// # Errors
/// There is no such namespace, or [`Tap::new`] fails.
pub fn tap_in(namespace: Option<&str>, name: &str, pool: &Pool) -> Result<Tap, TapError> {
    let Some(namespace) = namespace else { return Ok(Tap::new(name, pool)?) };
    let path = namespace_path(namespace);
    // A thread of its own: this one stays where it is.
    let make = || {
        let fail =
            |errno: nix::errno::Errno| TapError::Namespace { path: path.clone(), source: errno.into() };
        let target = open(&path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).map_err(fail)?;
        setns(target, CloneFlags::CLONE_NEWNET).map_err(fail)?;
        Ok(Tap::new(name, pool)?)
    };
    std::thread::scope(|scope| scope.spawn(make).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Where a network namespace is found.
#[must_use]
pub fn namespace_path(namespace: &str) -> PathBuf {
    // An absolute name takes the place of the folder.
    Path::new(NAMESPACES).join(namespace)
}

/// Why the face of a sub-interface could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// No namespace of that name.
    #[error("network namespace {}: {source}: make it first (ip netns add NAME)", path.display())]
    Namespace {
        /// Where it was looked for.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No tap.
    #[error(transparent)]
    Tap(#[from] Error),
}
