//! Keeping lines true: what the trie says of a block, and what a single update changes in its line.

use super::keep::{Trie, Way};
use super::lines::{ENTRIES, Line};
use super::node::{Node, STRIDE, below};
use super::shortcuts::{Next, ROOT, Shortcut, Shortcuts};
use super::table::{At, Lpm};
use super::{Key, NO_MATCH};

/// What lines tell of a prefix that came, went or changed its value.
#[derive(Clone, Copy)]
pub(super) struct Change<K> {
    pub key: K,
    pub length: u8,
    /// `None`: it is not there.
    pub value: Option<u32>,
}

impl<K: Key> Lpm<K> {
    /// What lines say of this prefix, and of blocks below it, becomes what the trie says.
    pub(super) fn refresh_lines(&mut self, change: Change<K>) {
        let trie = Trie { root: &self.root, nodes: &self.nodes, leaves: &self.leaves };
        for kept in self.kept.each().filter(|kept| kept.is_lined()) {
            if change.length >= kept.shortest_spread() {
                trie.update_lines(kept, change);
            }
        }
    }

    /// Nodes below the slot of this key are others now, or lie elsewhere: deep blocks may lead there.
    pub(super) fn refresh_deep(&mut self, at: At, key: K) {
        let node = self.node(at);
        let (run, count) = self.hanging(&node, key);
        let trie = Trie { root: &self.root, nodes: &self.nodes, leaves: &self.leaves };
        for kept in self.kept.each().filter(|kept| kept.is_lined() && kept.depth() > node.offset()) {
            let mut last = None;
            for leaf in self.leaves.run(run, count) {
                let block = kept.block_of(leaf.key, leaf.bits());
                if block != last
                    && let Some(block) = block
                    && kept.get(block).is_some()
                {
                    let line = trie.line(kept, block, trie.top());
                    kept.set_line(block, line);
                }
                last = block;
            }
        }
    }
}

impl<K: Key> Trie<'_, K> {
    fn update_lines(&self, kept: &mut Shortcuts<K>, change: Change<K>) {
        let Change { key, length, value } = change;
        let Some((first, last)) = kept.blocks(key, length) else { return };
        let tail = kept.tail(key, length);
        if length > kept.depth()
            && let Some(line) = kept.line_mut(first)
            && !line.is_deep()
        {
            match (value, tail) {
                (Some(value), Some(tail)) if line.put(tail, value) => return,
                (None, Some(tail)) => return line.take(tail),
                (None, None) => return,
                _ => {}
            }
        }
        let above = self.above(kept, key, length);
        for block in first..=last {
            if kept.line_mut(block).is_none() {
                return;
            }
            let line = if length > kept.depth() { None } else { self.covered(kept, block, above) };
            let line = line.unwrap_or_else(|| self.line(kept, block, above));
            kept.set_line(block, line);
        }
    }

    /// The line of a block for which a short prefix changed; `None`: it is deep or becomes so.
    fn covered(&self, kept: &Shortcuts<K>, block: u32, above: Way<'_, K>) -> Option<Line> {
        let mut line = kept.line(block).copied().filter(|line| !line.is_deep())?;
        line.set_whole(self.whole(kept, self.derive(kept, block, above))).then_some(line)
    }

    /// Works out the line of a block.
    pub(super) fn line(&self, kept: &Shortcuts<K>, block: u32, above: Way<'_, K>) -> Line {
        let (shortcut, key) = (self.derive(kept, block, above), kept.key_of(block));
        let line = Line::whole(self.whole(kept, shortcut)).and_then(|mut line| {
            let all = match shortcut.next {
                Next::Prefix(_) if shortcut == Shortcut::end(shortcut.value) => true,
                Next::Prefix(rest) => rest & 0xFFFF == 0 && line.put((rest >> 16) as u16, shortcut.value),
                Next::Bucket(index, count) => self.put_all(kept, &mut line, (index, count), key),
                Next::Node(index) => self.gather(kept, &mut line, index, key),
            };
            all.then_some(line)
        });
        line.unwrap_or_else(|| match shortcut.next {
            Next::Node(_) => Line::deep(shortcut.pack()),
            _ => Line::deep(ROOT),
        })
    }

    /// Value of the longest prefix that covers a whole block.
    fn whole(&self, kept: &Shortcuts<K>, shortcut: Shortcut) -> u32 {
        match shortcut.next {
            Next::Prefix(_) if shortcut != Shortcut::end(shortcut.value) => NO_MATCH,
            Next::Node(index) => {
                let node =
                    self.nodes.get(index).filter(|node| node.offset() == kept.depth() && node.inner & 2 != 0);
                node.and_then(|node| self.leaves.get(node.run())).map_or(shortcut.value, |leaf| leaf.value)
            }
            _ => shortcut.value,
        }
    }

    /// Puts so many prefixes from an index on into a line, of a block with this key. False: they do not fit.
    fn put_all(&self, kept: &Shortcuts<K>, line: &mut Line, (index, count): (u32, u32), key: K) -> bool {
        let run = self.leaves.run(index, count as usize);
        // Of those that share a slot, one of another block may lie in between.
        let ours = run.iter().filter(|leaf| leaf.key.common_bits(key) >= kept.depth());
        let mut tails = ours.map(|leaf| (kept.tail(leaf.key, leaf.bits()), leaf.value));
        tails.all(|(tail, value)| tail.is_some_and(|tail| line.put(tail, value)))
    }

    /// Puts the prefixes of a block into its line: those in and below a node that begins above the end of the
    /// block's bits, or at it. False: they do not fit.
    fn gather(&self, kept: &Shortcuts<K>, line: &mut Line, index: u32, key: K) -> bool {
        // The only index without a node is that of the root.
        let node = self.nodes.get(index).unwrap_or(self.root);
        let (first, bits) = group(kept, node, key);
        let slots = slots(first, STRIDE - bits);
        let count = (node.low & slots).count_ones() + 2 * (node.high & slots).count_ones();
        let (mut children, run) = (node.child & slots, (node.leaves + node.leaves_below(first), count));
        if count as usize > ENTRIES || !self.put_all(kept, line, run, key) {
            return false;
        }
        while children != 0 {
            let slot = children.trailing_zeros();
            children &= children - 1;
            if !self.gather(kept, line, node.nodes + node.nodes_below(slot), key) {
                return false;
            }
        }
        self.gather_inner(kept, line, node, key)
    }

    /// The same for the inner prefixes of such a node.
    fn gather_inner(&self, kept: &Shortcuts<K>, line: &mut Line, node: &Node<K>, key: K) -> bool {
        let (first, bits) = group(kept, node, key);
        // A prefix as long as the block's bits is the block's own.
        let from = bits + u8::from(node.offset() <= kept.depth());
        (from..STRIDE).all(|level| {
            let number = (64 | first) >> (STRIDE - level);
            let mut numbers = node.inner >> number & below(1 << (level - bits));
            while numbers != 0 {
                let place = node.inner_place(number + numbers.trailing_zeros());
                numbers &= numbers - 1;
                if !self.put_all(kept, line, (node.run() + place as u32, 1), key) {
                    return false;
                }
            }
            true
        })
    }
}

/// The slots of a node that belong to a block: the first one, and how many of the six bits all have in common.
fn group<K: Key>(kept: &Shortcuts<K>, node: &Node<K>, key: K) -> (u32, u8) {
    match kept.depth().saturating_sub(node.offset()).min(STRIDE - 1) {
        0 => (0, 0),
        bits => (node.slot_number(key), bits),
    }
}

/// 2^`bits` slots from this one on, 2 to 64.
fn slots(first: u32, bits: u8) -> u64 {
    u64::MAX >> (64 - (1 << bits)) << first
}
