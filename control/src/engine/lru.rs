//! Which learnt entries have to go first: the least recently used ones of each instance, and which
//! instance has most of them. All in constant time, but for the number of instances.

use super::event::Iid;
use super::lists::{Head, Lists};
use std::collections::{BTreeMap, BTreeSet};

/// What an entry is worth when room is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Negative mappings and holes.
    Negative,
    /// Mappings that carry packets.
    Positive,
}

/// Negative entries may fill this share of what an instance has before they are the ones to go.
const NEGATIVE_SHARE: usize = 8;

/// Learnt entries of all instances, by slot.
#[derive(Debug, Default)]
pub struct Lru {
    links: Lists,
    /// Negative and positive entries of an instance, least recently used first.
    instances: BTreeMap<Iid, [Head; 2]>,
    /// The same instances by how many entries they have.
    by_size: BTreeSet<(usize, Iid)>,
    len: usize,
}

fn size(heads: &[Head; 2]) -> usize {
    heads.iter().map(Head::len).sum()
}

impl Lru {
    /// Entries of all instances.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Entries of one instance.
    #[must_use]
    pub fn len_of(&self, iid: Iid) -> usize {
        self.instances.get(&iid).map_or(0, size)
    }

    /// The instance with most entries; `first` if others have as many.
    #[must_use]
    pub fn largest(&self, first: Iid) -> Option<Iid> {
        let (size, iid) = *self.by_size.last()?;
        Some(if self.len_of(first) == size { first } else { iid })
    }

    /// The entry of an instance that is to go first: negative ones, except that they may not be crowded
    /// out by, nor crowd out, the positive ones (a scan makes negative entries).
    #[must_use]
    pub fn first_to_go(&self, iid: Iid) -> Option<u32> {
        let heads = self.instances.get(&iid)?;
        let [negative, positive] = heads;
        let first = if negative.len() > size(heads) / NEGATIVE_SHARE { negative } else { positive };
        first.first().or(negative.first()).or(positive.first())
    }

    /// Enters an entry, as the one that was used last.
    pub fn push(&mut self, iid: Iid, kind: Kind, slot: u32) {
        self.change(iid, |links, heads| links.push_back(&mut heads[kind as usize], slot));
        self.len += 1;
    }

    /// Takes out an entry.
    pub fn remove(&mut self, iid: Iid, kind: Kind, slot: u32) {
        self.change(iid, |links, heads| links.remove(&mut heads[kind as usize], slot));
        self.len -= 1;
    }

    /// An entry was used.
    pub fn touch(&mut self, iid: Iid, kind: Kind, slot: u32) {
        if let Some(heads) = self.instances.get_mut(&iid) {
            self.links.move_to_back(&mut heads[kind as usize], slot);
        }
    }

    fn change(&mut self, iid: Iid, change: impl FnOnce(&mut Lists, &mut [Head; 2])) {
        let heads = self.instances.entry(iid).or_default();
        let before = size(heads);
        change(&mut self.links, heads);
        let after = size(heads);
        self.by_size.remove(&(before, iid));
        if after == 0 {
            self.instances.remove(&iid);
        } else {
            self.by_size.insert((after, iid));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_instance_and_its_oldest_are_known() {
        let mut lru = Lru::default();
        let (a, b) = (Iid(1), Iid(2));
        assert_eq!((lru.largest(a), lru.first_to_go(a)), (None, None));
        for slot in 0..8 {
            lru.push(a, Kind::Positive, slot);
        }
        for slot in 8..17 {
            lru.push(b, Kind::Negative, slot);
        }
        assert_eq!((lru.len(), lru.len_of(a), lru.len_of(b), lru.largest(a)), (17, 8, 9, Some(b)));
        lru.touch(a, Kind::Positive, 0);
        assert_eq!(lru.first_to_go(a), Some(1));
        lru.push(a, Kind::Negative, 17);
        assert_eq!(lru.first_to_go(a), Some(1), "one of nine is within the share of negative ones");
        lru.push(a, Kind::Negative, 18);
        assert_eq!((lru.first_to_go(a), lru.largest(b)), (Some(17), Some(a)));
        for slot in 8..17 {
            lru.remove(b, Kind::Negative, slot);
        }
        assert_eq!((lru.len_of(b), lru.first_to_go(b), lru.len()), (0, None, 10));
    }
}
