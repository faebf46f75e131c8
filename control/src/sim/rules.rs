//! What must always hold, beyond what each message is watched for.

use super::node::{LEFT_OVER_MS, Node};
use super::plane::Fate;
use super::topology::{self, Kind};
use super::watch::Broken;
use super::world::{Failure, World};
use crate::engine::Counter;
use crate::engine::event::Iid;
use crate::engine::views::{LocatorStatus, PhaseView, RlocView};
use std::net::IpAddr;

/// A registration lives that long without being renewed.
pub(super) const REGISTRATION_MS: u64 = 180_000;
/// What clocks that jump back, answers under way and retransmissions add to a bound.
pub(super) const SLACK_MS: u64 = 60_000;
/// All tries of a lookup with their waits, and some more for a total rate used up.
const LOOKUP_MS: u64 = 90_000;

impl World<'_> {
    /// A packet for an EID-prefix goes to this RLOC: may it?
    pub(super) fn traffic(&self, prefix: usize, rloc: IpAddr) -> Option<Broken> {
        let eid = topology::prefix(&self.scenario.shape, prefix).prefix;
        let Some(gone) = self.truth.gone_for(self.now, prefix, rloc) else {
            return Some(("never-elsewhere", format!("traffic for {eid} goes to {rloc}")));
        };
        let bound = self.ttl_ms() + REGISTRATION_MS + LEFT_OVER_MS + SLACK_MS;
        if gone > bound {
            return Some(("not-for-long", format!("{eid} left {rloc} {gone} ms ago")));
        }
        // What the site gave out itself, it solicits: within its turns of 3 s per ITR.
        let shape = &self.scenario.shape;
        let turns = 3_000 * u64::from(shape.prefixes) * 2;
        let trips = 8 * u64::from(self.scenario.net.delay_max_ms);
        if self.calm && !shape.proxy_reply && gone > 5_000 + turns + trips {
            return Some(("smr-followed", format!("{eid} left {rloc} {gone} ms ago, and all is calm")));
        }
        None
    }

    /// What is looked at now and then.
    pub(super) fn inspect(&self, n: usize) -> Option<Broken> {
        let node = self.nodes.get(n).filter(|node| node.is_up())?;
        let jumped = node.jumped_at.is_some_and(|at| self.now < at + LOOKUP_MS);
        for pending in node.engine.pending() {
            if !jumped && pending.phase == PhaseView::Asking && pending.age_s > LOOKUP_MS / 1000 {
                let what = format!("{} has been asked for since {} s", pending.prefix, pending.age_s);
                return Some(("lookup-ends", what));
            }
        }
        if matches!(node.kind, Kind::Server(_)) {
            return self.registrations(node);
        }
        same_as_plane(node)
    }

    fn registrations(&self, node: &Node) -> Option<Broken> {
        let shape = &self.scenario.shape;
        for row in node.engine.registrations() {
            let found = (0..usize::from(shape.prefixes)).find(|&p| topology::prefix(shape, p) == row.eid);
            let Some(prefix) = found else { continue };
            for rloc in row.locators.iter().filter_map(|locator| locator.rloc) {
                let gone = self.truth.gone_for(self.now, prefix, rloc);
                if gone.is_none_or(|gone| gone > REGISTRATION_MS + SLACK_MS) {
                    let what = format!("{} at {rloc}, registered from {}", row.eid.prefix, row.registrant);
                    return Some(("registered-by-owner", format!("{what}; gone for {gone:?} ms")));
                }
            }
        }
        None
    }

    /// After the calm everybody must know the truth.
    pub(super) fn judge(&mut self) -> Result<(), Failure> {
        for n in 0..self.nodes.len() {
            self.verdict(n, self.inspect(n))?;
            if !self.nodes[n].kind.is_itr() {
                continue;
            }
            for prefix in 0..usize::from(self.scenario.shape.prefixes) {
                let broken = self.converged(n, prefix);
                self.verdict(n, broken)?;
            }
        }
        Ok(())
    }

    fn converged(&mut self, n: usize, prefix: usize) -> Option<Broken> {
        let node = self.nodes.get_mut(n)?;
        if matches!(node.kind, Kind::Site(site) if self.truth.owner(prefix) == Some(site)) {
            return None;
        }
        let eid = topology::host(&self.scenario.shape, prefix);
        let fate = node.plane.packet(Iid(0), eid);
        let wanted = self.truth.targets(prefix);
        let good = matches!(&fate, Fate::Encapsulated(rlocs) if *rlocs == wanted);
        let changed = self.truth.changed(prefix);
        (!good).then(|| ("converges", format!("{eid}: {fate:?}, not {wanted:?} as since {changed} ms")))
    }
}

/// Tables within their limits, and nothing that can not be encoded.
pub(super) fn caps(node: &Node) -> Option<Broken> {
    let (sizes, limits) = (node.engine.sizes(), &node.config().limits);
    if sizes.map_cache_learnt > limits.map_cache_entries as usize {
        return Some(("tables-bounded", format!("{} learnt entries", sizes.map_cache_learnt)));
    }
    let lookups = 2 * (limits.pending_requests + limits.pending_requests / 4 + 1) as usize;
    if sizes.lookups > lookups {
        return Some(("tables-bounded", format!("{} lookups", sizes.lookups)));
    }
    let defects = node.engine.counters().get(Counter::EncodeErrors);
    (defects > 0).then(|| ("messages-encode", format!("{defects} messages could not be encoded")))
}

/// The data plane does what the engine's own view says.
fn same_as_plane(node: &Node) -> Option<Broken> {
    let mut held = node.plane.entries().map(|(eid, _)| *eid);
    for view in node.engine.map_cache() {
        let next = held.next();
        if next.is_none_or(|eid| eid.prefix != view.prefix || eid.iid != view.iid) {
            return Some(("plane-agrees", format!("engine has {}, data plane {next:?}", view.prefix)));
        }
    }
    if let Some(extra) = held.next() {
        return Some(("plane-agrees", format!("only the data plane has {}", extra.prefix)));
    }
    let status = |v: &RlocView| v.status == LocatorStatus::Up;
    let down: Vec<IpAddr> = node.engine.rlocs().iter().filter(|v| !status(v)).map(|v| v.rloc).collect();
    if !down.iter().eq(node.plane.down()) {
        return Some((
            "plane-agrees",
            format!("engine has {down:?} down, data plane {:?}", node.plane.down()),
        ));
    }
    None
}
