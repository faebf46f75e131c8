//! The keys that packets are encrypted and decrypted with (RFC 8061).

use super::vrf::Prefixes;
use crate::crypt::{Key, PeerKeys, Sealer};
use crate::slots::Slots;
use crate::types::{PeerId, RlocId};
use dpdk_sys::Supply;
use ipnet::IpNet;
use std::net::IpAddr;

/// Keys by RLOC slot, for what we send, and by outer source and key-id, for what we get.
#[derive(Debug)]
pub(super) struct Keyring {
    sealers: Slots<Option<Sealer>>,
    /// RLOC to its slot, of those that have a key.
    destinations: Prefixes,
    /// Outer source to its number.
    sources: Prefixes,
    peers: Slots<Option<Box<PeerKeys>>>,
}

impl Keyring {
    pub(super) fn new(supply: &Supply, rlocs: u32, peers: u32) -> Self {
        Self {
            sealers: Slots::new(supply, rlocs),
            destinations: Prefixes::new(supply),
            sources: Prefixes::new(supply),
            peers: Slots::new(supply, peers),
        }
    }

    #[inline]
    pub(super) fn sealer(&self, rloc: RlocId) -> Option<&Sealer> {
        self.sealers.get(rloc.0)?.as_ref()
    }

    pub(super) fn sealer_of(&self, destination: IpAddr) -> Option<&Sealer> {
        self.sealer(RlocId(self.destinations.lookup(destination)?))
    }

    #[inline]
    pub(super) fn open_key(&self, (source, destination): (IpAddr, IpAddr), key_id: u8) -> Option<&Key> {
        self.peers.get(self.sources.lookup(source)?)?.as_ref()?.get(destination, key_id)
    }

    /// Gives the former key back, or this one if there is no such slot. The same key again goes on with
    /// its IVs.
    pub(super) fn set_seal(
        &mut self,
        rloc: RlocId,
        destination: IpAddr,
        key: Option<Key>,
    ) -> Result<Option<Key>, Option<Key>> {
        let Some(key) = key else {
            self.destinations.remove(IpNet::from(destination));
            return Ok(self.sealers.get_mut(rloc.0).and_then(Option::take).map(Sealer::into_key));
        };
        let Some(slot) = self.sealers.entry(rloc.0) else { return Err(Some(key)) };
        if slot.as_ref().is_some_and(|sealer| *sealer.key() == key) {
            return Ok(Some(key));
        }
        let former = slot.replace(Sealer::new(key)).map(Sealer::into_key);
        // Only errors from the core are looked up by it: without a place they are not believed.
        let _ = self.destinations.insert(IpNet::from(destination), rloc.0);
        Ok(former)
    }

    /// Gives the former keys back, or these if there is no room.
    pub(super) fn set_peer(
        &mut self,
        peer: PeerId,
        source: IpAddr,
        keys: Option<Box<PeerKeys>>,
    ) -> Result<Option<Box<PeerKeys>>, Option<Box<PeerKeys>>> {
        let prefix = IpNet::from(source);
        let Some(keys) = keys else {
            if self.sources.get(prefix) == Some(peer.0) {
                self.sources.remove(prefix);
            }
            return Ok(self.peers.get_mut(peer.0).and_then(Option::take));
        };
        let Some(slot) = self.peers.entry(peer.0) else { return Err(Some(keys)) };
        match self.sources.insert(prefix, peer.0) {
            Ok(_) => Ok(slot.replace(keys)),
            Err(_) => Err(Some(keys)),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.sealers.memory_bytes()
            + self.destinations.memory_bytes()
            + self.sources.memory_bytes()
            + self.peers.memory_bytes()
    }
}
