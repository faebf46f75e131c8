//! What a worker has yet to be told.
//!
//! A full ring is not loss: deltas wait here, the latest per key, and are offered again. The box is
//! bounded by the number of keys, that is by the tables themselves.

use ipnet::IpNet;
use pxtr_dataplane::feed::Delta;
use pxtr_dataplane::types::{PortId, VrfId};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;

/// What a delta is about: a later one about the same thing makes an earlier one needless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Vrf(VrfId),
    Port(PortId),
    LocalRlocs,
    Map(VrfId, IpNet),
    Rloc(u32),
    LocatorSet(u32),
    Route(VrfId, IpNet),
    Adjacency(u32),
    LocalEid(VrfId, IpNet),
    Abandon(VrfId, IpAddr),
    Admission,
    OuterSource(IpNet),
    SiteRules(u32),
    EntryRlocs(u32),
    Site(VrfId, IpNet),
    VrfAdmission(VrfId),
    Policers(VrfId),
    Trust,
    EntryMarks(u32),
    Outdated,
    Awaited,
    GpePeers,
    Seal(u32),
    Peer(u32),
}

fn key(delta: &Delta) -> Key {
    match *delta {
        Delta::VrfSet(id, _) => Key::Vrf(id),
        Delta::PortSet(id, _) => Key::Port(id),
        Delta::LocalRlocs(_) => Key::LocalRlocs,
        Delta::MapSet { vrf, prefix, .. } | Delta::MapDel { vrf, prefix } => Key::Map(vrf, prefix),
        Delta::RlocSet(id, _) => Key::Rloc(id.0),
        Delta::LocatorSetSet(id, _) => Key::LocatorSet(id.0),
        Delta::RouteSet { vrf, prefix, .. } | Delta::RouteDel { vrf, prefix } => Key::Route(vrf, prefix),
        Delta::AdjacencySet(id, _) => Key::Adjacency(id.0),
        Delta::AwayEidSet { vrf, eid, .. } => Key::LocalEid(vrf, IpNet::from(eid)),
        Delta::LocalEidSet { vrf, prefix } | Delta::LocalEidDel { vrf, prefix } => Key::LocalEid(vrf, prefix),
        Delta::Abandon { vrf, eid } => Key::Abandon(vrf, eid),
        Delta::Admission(_) => Key::Admission,
        Delta::OuterSourceSet(prefix) | Delta::OuterSourceDel(prefix) => Key::OuterSource(prefix),
        Delta::EntryRlocs(id, _) => Key::EntryRlocs(id.0),
        Delta::SiteRulesSet(id, _) => Key::SiteRules(id.0),
        Delta::SiteSet { vrf, prefix, .. } | Delta::SiteDel { vrf, prefix } => Key::Site(vrf, prefix),
        Delta::VrfAdmission(vrf, _) => Key::VrfAdmission(vrf),
        Delta::Policers(vrf, _) => Key::Policers(vrf),
        Delta::Trust(_) => Key::Trust,
        Delta::EntryMarks(id, _) => Key::EntryMarks(id.0),
        Delta::Outdated(_) => Key::Outdated,
        Delta::Awaited(_) => Key::Awaited,
        Delta::GpePeers(_) => Key::GpePeers,
        Delta::SealKey { rloc, .. } => Key::Seal(rloc.0),
        Delta::PeerKeys { peer, .. } => Key::Peer(peer.0),
    }
}

/// Things that others refer to keep their place in the queue when they change, so that they stay
/// ahead of what refers to them; they refer to nothing newer themselves (a locator-set never
/// changes while its slot is in use). Everything else moves to the end, behind what it refers to.
fn keeps_its_place(key: Key) -> bool {
    matches!(
        key,
        Key::Vrf(_)
            | Key::Port(_)
            | Key::LocalRlocs
            | Key::Rloc(_)
            | Key::LocatorSet(_)
            | Key::Adjacency(_)
            | Key::LocalEid(..)
            | Key::SiteRules(_)
            | Key::EntryRlocs(_)
            | Key::EntryMarks(_)
            | Key::Seal(_)
    )
}

/// Deltas that wait for room in one worker's ring.
#[derive(Debug, Default)]
pub struct Outbox {
    /// By place in the queue.
    waiting: BTreeMap<u64, (Key, Delta)>,
    places: HashMap<Key, u64>,
    /// Sequence number of the last delta put in.
    last: u64,
    /// Deltas handed to the ring, ever.
    sent: u64,
    /// (deltas handed to the ring, everything up to this sequence number is among them).
    marks: VecDeque<(u64, u64)>,
    acknowledged: u64,
}

impl Outbox {
    /// Puts a delta in; `sequence` is its number in the stream, the same for every worker.
    pub fn put(&mut self, sequence: u64, delta: Delta) {
        self.last = sequence;
        let key = key(&delta);
        if let Some(place) = self.places.get(&key).copied() {
            if keeps_its_place(key) {
                if let Some(slot) = self.waiting.get_mut(&place) {
                    slot.1 = delta;
                }
                return;
            }
            self.waiting.remove(&place);
        }
        self.places.insert(key, sequence);
        self.waiting.insert(sequence, (key, delta));
    }

    /// Offers waiting deltas in order to `push`, which gives one back when the ring is full.
    pub fn flush(&mut self, mut push: impl FnMut(Delta) -> Result<(), Delta>) {
        let before = self.sent;
        while let Some((place, (key, delta))) = self.waiting.pop_first() {
            match push(delta) {
                Ok(()) => {
                    self.places.remove(&key);
                    self.sent += 1;
                }
                Err(delta) => {
                    self.waiting.insert(place, (key, delta));
                    break;
                }
            }
        }
        // What still waits was put in at its place or later: all before the first place is sent.
        let complete = self.waiting.first_key_value().map_or(self.last, |(place, _)| place - 1);
        if self.sent != before || complete > self.marks.back().map_or(self.acknowledged, |m| m.1) {
            self.marks.push_back((self.sent, complete));
        }
    }

    /// The worker has applied `applied` deltas since its start. Returns the sequence number up to
    /// which it has everything.
    pub fn acknowledge(&mut self, applied: u64) -> u64 {
        while let Some(&(sent, complete)) = self.marks.front()
            && sent <= applied
        {
            self.marks.pop_front();
            self.acknowledged = complete;
        }
        self.acknowledged
    }

    /// Deltas waiting for room.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Deltas handed to the ring, ever.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pxtr_dataplane::feed::{MapAction, RlocState, Target};
    use pxtr_dataplane::types::{EntryId, RlocId};

    fn map(n: u8, rloc: u32) -> Delta {
        let prefix = IpNet::new(IpAddr::from([10, n, 0, 0]), 16).unwrap();
        let action = MapAction::Encapsulate(Target::Rloc(RlocId(rloc)));
        Delta::MapSet { vrf: VrfId(0), prefix, entry: EntryId(u32::from(n)), action }
    }

    fn rloc(n: u32, state: RlocState) -> Delta {
        Delta::RlocSet(RlocId(n), state)
    }

    fn drain(outbox: &mut Outbox, room: usize) -> Vec<Delta> {
        let mut out = Vec::new();
        outbox.flush(|d| {
            if out.len() == room {
                return Err(d);
            }
            out.push(d);
            Ok(())
        });
        out
    }

    #[test]
    fn only_the_latest_of_a_key_waits_and_references_stay_ahead() {
        let mut outbox = Outbox::default();
        outbox.put(1, rloc(1, RlocState::Resolving));
        outbox.put(2, map(1, 1));
        outbox.put(3, rloc(2, RlocState::Resolving));
        outbox.put(4, map(1, 2)); // behind RLOC 2, which it now names
        outbox.put(5, rloc(1, RlocState::Down)); // keeps its place
        let expected = [rloc(1, RlocState::Down), rloc(2, RlocState::Resolving), map(1, 2)];
        assert_eq!(drain(&mut outbox, 9), expected);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_full_ring_loses_nothing_and_order_holds() {
        let mut outbox = Outbox::default();
        (1..=5).for_each(|n| outbox.put(u64::from(n), map(n, 0)));
        assert_eq!(drain(&mut outbox, 2), [map(1, 0), map(2, 0)]);
        assert_eq!(outbox.len(), 3);
        outbox.put(6, map(3, 9));
        assert_eq!(drain(&mut outbox, 9), [map(4, 0), map(5, 0), map(3, 9)]);
        assert_eq!(outbox.sent(), 5);
    }

    #[test]
    fn acknowledgement_follows_what_the_worker_applied() {
        let mut outbox = Outbox::default();
        (1..=4).for_each(|n| outbox.put(u64::from(n), map(n, 0)));
        drain(&mut outbox, 2);
        assert_eq!(outbox.acknowledge(0), 0);
        assert_eq!(outbox.acknowledge(1), 0);
        assert_eq!(outbox.acknowledge(2), 2);
        drain(&mut outbox, 9);
        assert_eq!(outbox.acknowledge(3), 2);
        assert_eq!(outbox.acknowledge(4), 4);
        // A delta that replaces one already sent counts as new.
        outbox.put(5, map(1, 1));
        assert_eq!(outbox.acknowledge(4), 4);
        drain(&mut outbox, 9);
        assert_eq!(outbox.acknowledge(5), 5);
    }
}
