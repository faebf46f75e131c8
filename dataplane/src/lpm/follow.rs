//! Keeping words true while single prefixes come and go.
//!
//! After a change in a node above `depth`, three things can be wrong: the index in words that lead
//! to prefixes of a run that moved, the index in words that lead to nodes of a run that moved, and
//! all of the words of blocks in which something came or went. The latter are worked out anew.

use super::Key;
use super::gather::Change;
use super::keep::Trie;
use super::node::{BUCKET, Node, STRIDE, Slot};
use super::room::Extent;
use super::shortcuts::{Next, Shortcut, Shortcuts};
use super::table::{At, Lpm};

/// If a node takes at most so many blocks, as a power of two, all of their words are looked at when its run of prefixes
/// moves: eight times as many as prefixes at the most, but they lie side by side.
const WIDE: u8 = 8;
/// If a slot takes at most so many blocks, as a power of two, all of their words are worked out anew when something
/// came or went in it.
const NARROW: u8 = 1;

/// How a node's run of prefixes changed.
pub(super) struct Moved {
    /// Where it was.
    pub former: Extent,
    /// Where it is.
    pub to: u32,
    /// Place at which it changed.
    pub place: usize,
    /// Prefixes that went there.
    pub removed: usize,
    /// Prefixes that came there.
    pub inserted: usize,
}

impl Moved {
    /// First index, number and way of the prefixes before the change and of those behind it.
    fn parts(&self) -> [(u32, u32, u32); 2] {
        let Extent { index, length, .. } = self.former;
        let way = self.to.wrapping_sub(index);
        let behind = self.place + self.removed;
        let further = way.wrapping_add(self.inserted as u32).wrapping_sub(self.removed as u32);
        [(index, self.place as u32, way), (index + behind as u32, (length - behind) as u32, further)]
    }
}

impl<K: Key> Lpm<K> {
    /// The run of prefixes of this node has changed.
    pub(super) fn leaves_moved(&mut self, node: &Node<K>, moved: &Moved) {
        let parts = moved.parts().map(|(from, count, way)| (from, if way == 0 { 0 } else { count }, way));
        let [before, behind] = parts;
        if before.1 + behind.1 == 0 {
            return;
        }
        let inner = node.inner.count_ones() as usize;
        let run = self.leaves.run(node.run(), node.leaf_count());
        // Of those behind the change, when those before it stay.
        let from = if before.1 > 0 { inner } else { inner.max(moved.place + moved.inserted) };
        let Some(first) = run.get(from) else { return };
        for kept in self.kept.each().filter(|kept| node.offset() < kept.depth() && !kept.is_lined()) {
            if kept.depth() - node.offset() <= WIDE {
                // From the slot of the first one on.
                let Some((_, last)) = kept.blocks(node.key, node.offset()) else { continue };
                let end = (node.offset() + STRIDE).min(kept.depth());
                let start = kept.blocks(first.key, end).map_or(0, |(start, _)| start);
                for (from, count, way) in parts {
                    kept.shift((start, last), from, count, way);
                }
                continue;
            }
            // Far from each other: all of them are asked for first.
            for leaf in run.iter().skip(inner.max(from.saturating_sub(BUCKET))) {
                kept.prefetch(leaf.key, leaf.bits());
            }
            // From the end, so that the first one of a block stays.
            for (place, leaf) in run.iter().enumerate().skip(from).rev() {
                let Some(block) = kept.block_of(leaf.key, leaf.bits()) else { continue };
                let Some(Shortcut { value, next: Next::Bucket(_, count) }) = kept.get(block) else {
                    continue;
                };
                let next = Next::Bucket(node.run() + place as u32, count);
                kept.set(block, Shortcut { value, next });
            }
        }
    }

    /// The run of child nodes of this node has moved.
    pub(super) fn nodes_moved(&mut self, node: &Node<K>) {
        for kept in self.kept.each().filter(|kept| node.offset() + STRIDE <= kept.depth()) {
            let run = self.nodes.run(node.nodes, node.node_count());
            for (index, child) in (node.nodes..).zip(run) {
                // Deeper ones are not referred to from above, except by what lies below them.
                if child.offset() + STRIDE <= kept.depth() {
                    continue;
                }
                let Some((first, _)) = kept.blocks(child.key, child.offset()) else { continue };
                // To a node that takes several blocks lead the words of crowded ones alone.
                let bits = (child.offset() + STRIDE - kept.depth()).min(STRIDE);
                let mut crowds = if bits < STRIDE { child.crowds(bits) } else { 1 };
                while crowds != 0 {
                    let block = first + (crowds.trailing_zeros() >> bits);
                    crowds &= crowds - 1;
                    if let Some(Shortcut { value, next: Next::Node(_) }) = kept.get(block) {
                        kept.set(block, Shortcut { value, next: Next::Node(index) });
                    }
                }
            }
        }
    }

    /// A prefix came, went, changed its value or hangs elsewhere.
    pub(super) fn refresh(&mut self, change: Change<K>) {
        self.refresh_words(change.key, change.length);
        self.refresh_lines(change);
    }

    /// Words of the blocks that this prefix covers, or that cover it, become what the trie says.
    pub(super) fn refresh_words(&mut self, key: K, length: u8) {
        let trie = Trie { root: &self.root, nodes: &self.nodes, leaves: &self.leaves };
        for kept in self.kept.each().filter(|kept| !kept.is_lined()) {
            trie.refresh(kept, key, length);
        }
    }

    /// What hangs in the slot of this prefix hangs somewhere else now, or beside something new, or something
    /// that went.
    pub(super) fn refresh_slot(&mut self, at: At, key: K, length: u8) {
        let node = self.node(at);
        let (run, count) = self.hanging(&node, key);
        let trie = Trie { root: &self.root, nodes: &self.nodes, leaves: &self.leaves };
        let end = node.offset() + STRIDE;
        for kept in self.kept.each().filter(|kept| !kept.is_lined() && kept.depth() > node.offset()) {
            if kept.depth() <= end + NARROW {
                trie.refresh(kept, key, end);
                continue;
            }
            trie.refresh(kept, key, length);
            for leaf in self.leaves.run(run, count) {
                trie.refresh(kept, leaf.key, leaf.bits());
            }
        }
        self.refresh_deep(at, key);
    }

    /// The prefixes that hang in the slot of this key, or in the node there.
    pub(super) fn hanging(&self, node: &Node<K>, key: K) -> (u32, usize) {
        match node.slot(node.slot_number(key)) {
            Slot::Bucket(place, count) => (node.run() + place as u32, count),
            Slot::Node(place) => {
                let child = self.node(At::Index(node.nodes + place as u32));
                (child.run(), child.leaf_count())
            }
        }
    }
}

impl<K: Key> Trie<'_, K> {
    /// The same of one table.
    fn refresh(&self, kept: &mut Shortcuts<K>, key: K, length: u8) {
        if length < kept.shortest_spread() {
            return;
        }
        let Some((first, last)) = kept.blocks(key, length) else { return };
        let above = self.above(kept, key, length);
        for block in first..=last {
            if kept.get(block).is_some() {
                let shortcut = self.derive(kept, block, above);
                kept.set(block, shortcut);
            }
        }
    }
}
