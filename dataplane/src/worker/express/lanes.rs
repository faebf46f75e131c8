//! What the express ways share: keys to be looked up together, and which packets are done.

use crate::io::BURST;
use crate::lpm::NO_MATCH;
use crate::types::PortId;

/// Packets of the burst that are ready to be sent, and where to.
#[derive(Clone, Copy, Debug)]
pub(in crate::worker) struct Done {
    mask: u32,
    ports: [PortId; BURST],
    /// Bytes of these packets as they will be sent.
    pub(in crate::worker) bytes: u64,
}

impl Done {
    /// None yet.
    pub(in crate::worker) const NONE: Self = Self { mask: 0, ports: [PortId(0); BURST], bytes: 0 };

    /// This packet, of so many bytes now, is to be sent on this port.
    #[inline(always)]
    pub(super) fn add(&mut self, at: u8, port: PortId, bytes: usize) {
        if let Some(place) = self.ports.get_mut(usize::from(at)) {
            *place = port;
            self.mask |= 1 << (at & 31);
            self.bytes += bytes as u64;
        }
    }

    /// Where this packet goes, if it is ready.
    #[inline(always)]
    pub(in crate::worker) fn port(&self, at: usize) -> Option<PortId> {
        self.ports.get(at).copied().filter(|_| self.mask >> (at & 31) & 1 != 0)
    }

    /// All of so many packets are ready.
    #[inline(always)]
    pub(in crate::worker) fn all(&self, count: usize) -> bool {
        self.mask.count_ones() as usize == count
    }

    /// The port that all of so many packets go to.
    #[inline(always)]
    pub(in crate::worker) fn one_port(&self, count: usize) -> Option<PortId> {
        let (first, rest) = self.ports.get(..count)?.split_first()?;
        (self.all(count) && rest.iter().all(|port| port == first)).then_some(*first)
    }
}

/// Keys of one family to be looked up together, and whose they are.
#[derive(Debug)]
pub(super) struct Keys<K> {
    keys: [K; BURST],
    owners: [u8; BURST],
    found: [u32; BURST],
    count: usize,
}

impl<K: Copy + Default> Keys<K> {
    pub(super) fn new() -> Self {
        Self { keys: [K::default(); BURST], owners: [0; BURST], found: [0; BURST], count: 0 }
    }

    #[inline(always)]
    pub(super) fn add(&mut self, key: K, owner: usize) {
        if let (Some(slot), Some(whose)) = (self.keys.get_mut(self.count), self.owners.get_mut(self.count)) {
            (*slot, *whose) = (key, owner as u8);
            self.count += 1;
        }
    }

    /// Looks all up and tells `words` by owner.
    #[inline(always)]
    pub(super) fn resolve(&mut self, words: &mut [u32; BURST], lookup: impl Fn(&[K], &mut [u32])) {
        let count = self.count;
        let (Some(keys), Some(found)) = (self.keys.get(..count), self.found.get_mut(..count)) else { return };
        if count == 0 {
            return;
        }
        lookup(keys, found);
        for (owner, word) in self.owners.iter().zip(found) {
            if let Some(place) = words.get_mut(usize::from(*owner)) {
                *place = *word;
            }
        }
    }

    /// The same for those whose answer in `first` was that there is none.
    #[inline(always)]
    pub(super) fn resolve_missing(
        &mut self,
        first: &[u32; BURST],
        words: &mut [u32; BURST],
        lookup: impl Fn(&[K], &mut [u32]),
    ) {
        let mut kept = 0;
        for at in 0..self.count {
            let (Some(key), Some(owner)) = (self.keys.get(at).copied(), self.owners.get(at).copied()) else {
                break;
            };
            if first.get(usize::from(owner)) == Some(&NO_MATCH)
                && let (Some(slot), Some(whose)) = (self.keys.get_mut(kept), self.owners.get_mut(kept))
            {
                (*slot, *whose) = (key, owner);
                kept += 1;
            }
        }
        self.count = kept;
        self.resolve(words, lookup);
    }

    pub(super) fn clear(&mut self) {
        self.count = 0;
    }
}
