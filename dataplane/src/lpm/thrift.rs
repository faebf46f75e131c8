//! Packing small tables of which there are very many: what lies idle in one lies idle in a thousand.
//!
//! Runs move when they grow, and what they leave rarely fits another one in a small table: without this a
//! thousand tenants with a thousand prefixes each take twice what they are worth. A table is packed as long
//! as it has no shortcuts, which would have to follow: up to 2,048 prefixes, so that packing takes some
//! microseconds.

use super::Key;
use super::arena::Arena;
use super::node::{Leaf, Node};
use super::table::{At, Lpm};

/// This part of the records may lie idle.
const IDLE: usize = 8;
/// And so many more.
const FEW: usize = 16;

/// What is there may be packed.
const fn is_wasteful(capacity: usize, used: usize) -> bool {
    capacity > used + used / IDLE + FEW
}

/// Records behind a run of so many; both together are at most 255.
fn gap(count: usize) -> usize {
    (count / (2 * IDLE)).min(255usize.saturating_sub(count))
}

impl<K: Key> Lpm<K> {
    /// To be called after each update: packs the table if it is thrifty and too much lies idle.
    pub(super) fn save(&mut self) {
        if !self.kept.thrifty || !self.kept.is_empty() {
            return;
        }
        if is_wasteful(self.leaves.capacity(), self.length)
            || is_wasteful(self.nodes.capacity(), self.nodes.used())
        {
            self.pack();
        }
    }

    fn pack(&mut self) {
        let room = self.length + self.length / (2 * IDLE);
        let supply = self.kept.supply.clone();
        let leaves = std::mem::replace(&mut self.leaves, Arena::with_room(&supply, room));
        let nodes = self.nodes.used();
        let room = nodes + nodes / (2 * IDLE);
        let nodes = std::mem::replace(&mut self.nodes, Arena::with_room(&supply, room));
        let mut root = self.root;
        self.carry(&mut root, (&nodes, &leaves));
        self.root = root;
        self.free_gaps(&root);
    }

    /// Moves what a node refers to, and leaves a gap behind a long run of prefixes: it will grow.
    fn carry(&mut self, node: &mut Node<K>, (nodes, leaves): (&Arena<Node<K>>, &Arena<Leaf<K>>)) {
        let run = leaves.run(node.run(), node.leaf_count());
        let index = self.leaves.add_with_room(run, gap(run.len()));
        node.set_run(index);
        node.room = 0;
        let children = nodes.run(node.nodes, node.node_count());
        node.nodes = self.nodes.add(children);
        for index in node.nodes..node.nodes + children.len() as u32 {
            let mut child = self.node(At::Index(index));
            self.carry(&mut child, (nodes, leaves));
            self.set_node(At::Index(index), child);
        }
    }

    /// Frees the gaps, when all runs have their places.
    fn free_gaps(&mut self, node: &Node<K>) {
        let count = node.leaf_count();
        self.leaves.free(node.run() + count as u32, gap(count));
        for index in node.nodes..node.nodes + node.node_count() as u32 {
            let child = self.node(At::Index(index));
            self.free_gaps(&child);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Key4, Lpm4};
    use super::*;
    use dpdk_sys::Supply;

    #[test]
    fn thrifty_tables_say_the_same_and_are_small() {
        let (mut thrifty, mut plain) = (Lpm4::thrifty(&Supply::default()), Lpm4::new());
        let key = |n: u32| Key4(n.wrapping_mul(2_654_435_761) & 0xFFFF_FF00);
        for n in 0..3_000u32 {
            let length = 16 + (n % 3) as u8 * 4;
            assert_eq!(thrifty.insert(key(n), length, n), plain.insert(key(n), length, n));
            if n % 3 == 2 {
                assert_eq!(thrifty.remove(key(n / 2), 16), plain.remove(key(n / 2), 16));
            }
            assert_eq!(thrifty.lookup(key(n / 3)), plain.lookup(key(n / 3)));
            if thrifty.kept.is_empty() {
                assert!(!is_wasteful(thrifty.leaves.capacity(), thrifty.length), "{n}");
                assert!(!is_wasteful(thrifty.nodes.capacity(), thrifty.nodes.used()), "{n}");
            }
        }
        assert!(!thrifty.kept.is_empty(), "shortcuts come with size");
        for n in 0..3_000 {
            for length in [16, 20, 24] {
                assert_eq!(thrifty.get(key(n), length), plain.get(key(n), length));
            }
        }
        for n in 0..3_000 {
            for length in [16, 20, 24] {
                assert_eq!(thrifty.remove(key(n), length), plain.remove(key(n), length));
            }
        }
        assert!(thrifty.is_empty());
        // What shortcuts leave is freed bit by bit.
        for n in 0..100 {
            assert_eq!(thrifty.insert(key(n), 24, n), Ok(None));
            assert_eq!(thrifty.remove(key(n), 24), Some(n));
        }
        assert!(thrifty.memory_bytes() < 4096, "{}", thrifty.memory_bytes());
    }
}
