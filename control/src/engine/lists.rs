//! Many doubly linked lists over one range of slots: each slot is in at most one of them.
//!
//! Moving a slot between lists, or to the end of its own, costs a few array writes and no memory:
//! what LRU orders and reverse indexes over a million entries need. 8 bytes per slot.

const NONE: u32 = u32::MAX;

/// One list: its ends and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    first: u32,
    last: u32,
    len: u32,
}

impl Default for Head {
    fn default() -> Self {
        Self { first: NONE, last: NONE, len: 0 }
    }
}

impl Head {
    /// Number of slots in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// The slot that has been in it longest.
    #[must_use]
    pub fn first(&self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }
}

#[derive(Clone, Copy, Debug)]
struct Link {
    prev: u32,
    next: u32,
}

/// The links of all lists.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    links: Vec<Link>,
}

impl Lists {
    /// The slot behind one that is in a list.
    #[must_use]
    pub fn after(&self, slot: u32) -> Option<u32> {
        self.links.get(slot as usize).map(|link| link.next).filter(|next| *next != NONE)
    }

    /// Appends a slot that is in no list.
    pub fn push_back(&mut self, head: &mut Head, slot: u32) {
        let wanted = slot as usize + 1;
        if self.links.len() < wanted {
            self.links.resize(wanted, Link { prev: NONE, next: NONE });
        }
        self.links[slot as usize] = Link { prev: head.last, next: NONE };
        match head.last {
            NONE => head.first = slot,
            last => self.links[last as usize].next = slot,
        }
        head.last = slot;
        head.len += 1;
    }

    /// Takes a slot out of the list it is in, which must be `head`'s.
    pub fn remove(&mut self, head: &mut Head, slot: u32) {
        let Link { prev, next } = self.links[slot as usize];
        match prev {
            NONE => head.first = next,
            prev => self.links[prev as usize].next = next,
        }
        match next {
            NONE => head.last = prev,
            next => self.links[next as usize].prev = prev,
        }
        head.len -= 1;
    }

    /// Makes a slot of the list its last.
    pub fn move_to_back(&mut self, head: &mut Head, slot: u32) {
        if head.last != slot {
            self.remove(head, slot);
            self.push_back(head, slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Head, Lists};
    use proptest::prelude::*;

    fn walk(lists: &Lists, head: &Head) -> Vec<u32> {
        let mut found = Vec::new();
        let mut at = head.first;
        while at != super::NONE {
            found.push(at);
            at = lists.links[at as usize].next;
        }
        found
    }

    proptest! {
        /// Two lists over the same slots, against two vectors.
        #[test]
        fn behaves_like_vectors(ops in proptest::collection::vec((0usize..2, 0u32..12, 0u8..3), 0..200)) {
            let mut lists = Lists::default();
            let mut heads = [Head::default(); 2];
            let mut model: [Vec<u32>; 2] = [Vec::new(), Vec::new()];
            for (list, slot, op) in ops {
                let holder = (0..2).find(|&l| model[l].contains(&slot));
                match (holder, op) {
                    (None, _) => {
                        lists.push_back(&mut heads[list], slot);
                        model[list].push(slot);
                    }
                    (Some(l), 0) => {
                        lists.remove(&mut heads[l], slot);
                        model[l].retain(|&s| s != slot);
                    }
                    (Some(l), _) => {
                        lists.move_to_back(&mut heads[l], slot);
                        model[l].retain(|&s| s != slot);
                        model[l].push(slot);
                    }
                }
                for l in 0..2 {
                    prop_assert_eq!(&walk(&lists, &heads[l]), &model[l]);
                    prop_assert_eq!(heads[l].len(), model[l].len());
                    prop_assert_eq!(heads[l].first(), model[l].first().copied());
                }
            }
        }
    }
}
