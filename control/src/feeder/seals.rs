//! Keys of the encrypted data plane on their way to the workers (RFC 8061, R-216).

use super::output::Output;
use super::rlocs::DownReason;
use super::slots::SlotPool;
use super::spec::FeederSpec;
use crate::engine::event::Seal;
use crate::engine::exchange::WorkerKey;
use pxtr_dataplane::crypt::{Key, PeerKeys};
use pxtr_dataplane::feed::{Delta, RlocState};
use pxtr_dataplane::replica::ReplicaLimits;
use pxtr_dataplane::types::{PeerId, RlocId};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// What packets to RLOCs are encrypted with. The engine says when to forget.
#[derive(Debug, Default)]
pub(super) struct Seals {
    /// `None`: the RLOC gives no key.
    keys: HashMap<IpAddr, Option<Key>>,
}

impl Seals {
    pub(super) fn set(&mut self, rloc: IpAddr, seal: &Seal) {
        match seal {
            Seal::Key(key) => self.keys.insert(rloc, key.key().cloned()),
            Seal::Failed => self.keys.insert(rloc, None),
            Seal::Forget => self.keys.remove(&rloc),
        };
    }

    /// Tells the workers the key of a slot, before what needs it; of one that has none, that.
    pub(super) fn tell(&self, rloc: IpAddr, slot: RlocId, out: &mut Output) {
        if let Some(key) = self.keys.get(&rloc).cloned() {
            out.delta(Delta::SealKey { rloc: slot, destination: rloc, key });
        }
    }

    /// The slot goes: so does its key there.
    pub(super) fn take_back(&self, rloc: IpAddr, slot: RlocId, out: &mut Output) {
        if self.keys.contains_key(&rloc) {
            out.delta(Delta::SealKey { rloc: slot, destination: rloc, key: None });
        }
    }

    /// What becomes of an RLOC that could be sent to: packets wait for the first key. It is down when none
    /// is given and clear text is not allowed.
    pub(super) fn seal(
        &self,
        rloc: IpAddr,
        mut state: RlocState,
        spec: &FeederSpec,
    ) -> Result<RlocState, DownReason> {
        let Some(required) = spec.encryption(rloc) else { return Ok(state) };
        match self.keys.get(&rloc) {
            Some(Some(_)) => {
                if let RlocState::Ready(rewrite) = &mut state {
                    rewrite.options.encrypted = true;
                }
                Ok(state)
            }
            Some(None) if required => Err(DownReason::NoKey),
            None if required => Ok(RlocState::Resolving),
            Some(None) | None => Ok(state),
        }
    }
}

/// Keys of packets from other routers, by outer source.
#[derive(Debug)]
pub(super) struct Peers {
    slots: SlotPool,
    sources: BTreeMap<IpAddr, (PeerId, Vec<(IpAddr, Key)>)>,
}

impl Peers {
    pub(super) fn new() -> Self {
        Self { slots: SlotPool::new(ReplicaLimits::default().peers), sources: BTreeMap::new() }
    }

    pub(super) fn settle(&mut self, applied: u64) {
        self.slots.settle(applied);
    }

    /// These are all keys of a source. False: there is no room for it.
    pub(super) fn set(&mut self, source: IpAddr, keys: &[(IpAddr, WorkerKey)], out: &mut Output) -> bool {
        let keys: Vec<_> = keys.iter().filter_map(|(ours, key)| Some((*ours, key.key()?.clone()))).collect();
        if keys.is_empty() {
            if let Some((peer, _)) = self.sources.remove(&source) {
                out.delta(Delta::PeerKeys { peer, source, keys: None });
                self.slots.give_back(peer.0, out.sequence());
            }
            return true;
        }
        let known = self.sources.get(&source).map(|(peer, _)| *peer);
        let Some(peer) = known.or_else(|| self.slots.take().map(PeerId)) else { return false };
        let told = PeerKeys::new(keys.iter().cloned());
        out.delta(Delta::PeerKeys { peer, source, keys: Some(Box::new(told)) });
        self.sources.insert(source, (peer, keys));
        true
    }

    /// Keys that packets came with since this was asked last.
    pub(super) fn used(&self) -> Vec<(IpAddr, IpAddr, u8)> {
        let all = self.sources.iter().flat_map(|(source, (_, keys))| keys.iter().map(move |k| (*source, k)));
        all.filter(|(_, (_, key))| key.take_used())
            .map(|(source, (ours, key))| (source, *ours, key.id()))
            .collect()
    }
}
