//! `memory`: what a worker's tables take, by their own account and by the kernel's.

use super::list::Setup;
use crate::frames;
use crate::report::Metric;
use crate::world::{Size, VRF, ready};
use anyhow::{Context, Result};
use pxtr_dataplane::feed::{Delta, MapAction, Target, VrfSpec};
use pxtr_dataplane::replica::{Replica, ReplicaLimits};
use pxtr_dataplane::types::{EntryId, RlocId};

const SIZES: [(u32, &str); 4] = [(10_000, "10k"), (100_000, "100k"), (1_000_000, "1m"), (2_000_000, "2m")];

pub(super) fn run(setup: &Setup) -> Result<Vec<Metric>> {
    let empty = Replica::new(ReplicaLimits::default());
    let mib = empty.memory_bytes() as f64 / f64::from(1 << 20);
    let mut metrics = vec![Metric::exact("memory_empty_replica_mib", "MiB", mib)];
    drop(empty);
    for (mappings, size) in SIZES {
        let name = format!("memory_{size}_bytes_per_mapping_replica");
        if !setup.wants(&name) {
            continue;
        }
        let size_of = |rlocs, mappings| filled(Size { mappings, rlocs }).memory_bytes();
        let rlocs = Size::of(mappings).rlocs;
        let before = resident()?;
        let replica = filled(Size { mappings, rlocs });
        let grown = resident()?.saturating_sub(before);
        let per = |bytes: usize| bytes as f64 / f64::from(mappings);
        let tables = replica.memory_bytes() - size_of(rlocs, 0);
        metrics.push(Metric::exact(name, "bytes", per(tables)));
        metrics.push(Metric::exact(format!("memory_{size}_resident_per_mapping"), "bytes", per(grown)));
    }
    Ok(metrics)
}

/// A replica with mappings, half of them IPv6, scattered.
fn filled(size: Size) -> Replica {
    let mut replica = Replica::new(ReplicaLimits::default());
    let mut supplier = replica.supplier();
    let instance_id = frames::INSTANCE;
    let spec = VrfSpec { instance_id, pitr: true, petr: true, ..VrfSpec::default() };
    let mut give = |delta| {
        supplier.before(&delta, || 0);
        drop(replica.apply(delta));
    };
    give(Delta::VrfSet(VRF, spec));
    for n in 0..size.rlocs {
        give(Delta::RlocSet(RlocId(n), ready(n, false)));
    }
    for n in 0..size.mappings {
        let (prefix, entry) = (frames::prefix(n, n % 2 == 1), EntryId(n));
        let action = MapAction::Encapsulate(Target::Rloc(RlocId(n % size.rlocs)));
        give(Delta::MapSet { vrf: VRF, prefix, entry, action });
    }
    replica
}

/// Bytes of the process in memory, hugepages apart.
fn resident() -> Result<usize> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: usize = text.split_whitespace().nth(1).context("statm has a second word")?.parse()?;
    Ok(pages * 4096)
}
