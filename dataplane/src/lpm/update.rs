//! Insert and remove. Each touches the runs of one node, now and then of its parent.

use super::arena::NONE;
use super::follow::Moved;
use super::gather::Change;
use super::node::{BUCKET, Leaf, Node, STRIDE, Slot};
use super::table::{At, Lpm};
use super::{Key, LpmError, NO_MATCH};

/// Nodes on the longest way down: offsets 0, 6, ... 126.
const MAX_DEPTH: usize = 22;

impl<K: Key> Lpm<K> {
    /// Stores `value` for the first `length` bits of `key`. Returns what was there before.
    ///
    /// # Errors
    /// The length or value is out of range, or the table is full; it is as it was then.
    pub fn insert(&mut self, key: K, length: u8, value: u32) -> Result<Option<u32>, LpmError> {
        if length > K::BITS {
            return Err(LpmError::Length { length, max: K::BITS });
        }
        if value == NO_MATCH {
            return Err(LpmError::ReservedValue(value));
        }
        if !self.nodes.has_room() || !self.leaves.has_room() {
            return Err(LpmError::Full);
        }
        let leaf = Leaf { key: key.masked(length), value, length: u16::from(length) };
        self.kept.current.prefetch(leaf.key, length);
        let former = self.insert_leaf(leaf);
        self.length += usize::from(former.is_none());
        self.maintain(leaf.key, length, i32::from(former.is_none()));
        self.save();
        Ok(former)
    }

    fn insert_leaf(&mut self, leaf: Leaf<K>) -> Option<u32> {
        let (mut at, mut below) = (At::Root, 0);
        loop {
            let node = self.node(at);
            if node.is_inner(leaf.bits()) {
                return self.insert_inner(at, node, leaf);
            }
            let slot = node.slot_number(leaf.key);
            let place = match node.slot(slot) {
                Slot::Bucket(place, count) => {
                    return self.insert_in_slot(at, node, slot, (place, count), leaf);
                }
                Slot::Node(place) => place,
            };
            let index = node.nodes + place as u32;
            let child = self.node(At::Index(index));
            let common = leaf.key.common_bits(child.key).min(leaf.bits());
            if common < child.offset() {
                let between = self.build_above(common, leaf, child);
                self.set_node(At::Index(index), between);
                self.nodes_moved(&between);
                self.refresh(leaf.now());
                return None;
            }
            // Nodes that no shortcut leads past.
            below += u32::from(child.offset() >= self.kept.current.depth());
            if below == 2 && !self.kept.thrifty {
                self.kept.note_deep(leaf.key);
            }
            at = At::Index(index);
        }
    }

    fn insert_inner(&mut self, at: At, node: Node<K>, leaf: Leaf<K>) -> Option<u32> {
        let number = node.inner_number(leaf.key, leaf.bits());
        let place = node.inner_place(number);
        if node.inner >> number & 1 != 0 {
            return self.replace_value(node.run() + place as u32, leaf.value);
        }
        let grown = Node { inner: node.inner | 1 << number, ..node };
        self.splice(at, node, grown, place, 0, &[leaf]);
        self.refresh(leaf.now());
        None
    }

    /// A slot gets another prefix; when it is full, a child node takes them all.
    fn insert_in_slot(
        &mut self,
        at: At,
        node: Node<K>,
        slot: u32,
        (place, count): (usize, usize),
        leaf: Leaf<K>,
    ) -> Option<u32> {
        let first = node.run() + place as u32;
        let bucket = self.leaves.run(first, count);
        if let Some(same) = bucket.iter().position(|other| other.is(leaf.key, leaf.bits())) {
            return self.replace_value(first + same as u32, leaf.value);
        }
        if let [a, b, c] = *bucket {
            let child = self.build([a, b, c, leaf]);
            self.splice(at, node, node.with_bucket(slot, 0), place, count, &[]);
            self.insert_node(at, slot, child);
        } else {
            let longer = bucket.iter().filter(|other| other.length > leaf.length).count();
            self.splice(at, node, node.with_bucket(slot, count + 1), place + longer, 0, &[leaf]);
        }
        self.refresh_slot(at, leaf.key, leaf.bits());
        self.refresh_lines(leaf.now());
        None
    }

    fn insert_node(&mut self, at: At, slot: u32, child: Node<K>) {
        let node = self.node(at);
        let place = node.nodes_below(slot) as usize;
        let nodes = self.nodes.splice(node.nodes, node.node_count(), place, 0, &[child]);
        let changed = Node { nodes, child: node.child | 1 << slot, ..node };
        self.set_node(at, changed);
        self.nodes_moved(&changed);
    }

    fn remove_node(&mut self, at: At, slot: u32) {
        let node = self.node(at);
        let place = node.nodes_below(slot) as usize;
        let nodes = self.nodes.splice(node.nodes, node.node_count(), place, 1, &[]);
        let changed = Node { nodes, child: node.child & !(1 << slot), ..node };
        self.set_node(at, changed);
        self.nodes_moved(&changed);
    }

    fn replace_value(&mut self, index: u32, value: u32) -> Option<u32> {
        let leaf = self.leaves.get_mut(index)?;
        let former = std::mem::replace(&mut leaf.value, value);
        let change = leaf.now();
        self.refresh(change);
        Some(former)
    }

    /// A node for four prefixes that share the slot they are in.
    fn build(&mut self, mut leaves: [Leaf<K>; BUCKET + 1]) -> Node<K> {
        let [first, ..] = leaves;
        let common = leaves.iter().map(|leaf| leaf.key.common_bits(first.key).min(leaf.bits())).min();
        let mut node = node_at(common.unwrap_or(0), first.key);
        leaves.sort_by_key(|leaf| (place_of(&node, leaf), std::cmp::Reverse(leaf.length)));
        for leaf in &leaves {
            mark(&mut node, leaf);
        }
        let run = self.leaves.add(&leaves);
        node.set_run(run);
        node
    }

    /// A node for a prefix and a node that agree in `common` bits only.
    fn build_above(&mut self, common: u8, leaf: Leaf<K>, child: Node<K>) -> Node<K> {
        let mut node = node_at(common, leaf.key);
        mark(&mut node, &leaf);
        node.child |= 1 << node.slot_number(child.key);
        node.nodes = self.nodes.add(&[child]);
        let run = self.leaves.add(&[leaf]);
        node.set_run(run);
        node
    }

    /// Changes a node's run of prefixes; `changed` is the node with its new bits.
    fn splice(
        &mut self,
        at: At,
        node: Node<K>,
        mut changed: Node<K>,
        place: usize,
        remove: usize,
        insert: &[Leaf<K>],
    ) {
        let former = node.extent();
        let now = self.leaves.splice_in_room(former, place, remove, insert);
        changed.set_run(now.index);
        changed.room = now.room;
        self.set_node(at, changed);
        self.leaves_moved(
            &changed,
            &Moved { former, to: now.index, place, removed: remove, inserted: insert.len() },
        );
    }

    /// Removes a prefix. Returns what was there.
    pub fn remove(&mut self, key: K, length: u8) -> Option<u32> {
        if length > K::BITS {
            return None;
        }
        let key = key.masked(length);
        self.kept.current.prefetch(key, length);
        let value = self.remove_leaf(key, length)?;
        self.length -= 1;
        self.refresh_lines(Change { key, length, value: None });
        self.maintain(key, length, -1);
        self.save();
        Some(value)
    }

    fn remove_leaf(&mut self, key: K, length: u8) -> Option<u32> {
        let mut way = Way { at: [At::Root; MAX_DEPTH], depth: 0 };
        let mut at = At::Root;
        let mut node = self.root;
        while !node.is_inner(length) {
            let slot = node.slot_number(key);
            let place = match node.slot(slot) {
                Slot::Bucket(place, count) => {
                    return self.remove_from_slot(at, node, slot, (place, count), (key, length), way);
                }
                Slot::Node(place) => place,
            };
            way.push(at);
            at = At::Index(node.nodes + place as u32);
            node = self.node(at);
            if length < node.offset() || key.common_bits(node.key) < node.offset() {
                return None;
            }
        }
        let number = node.inner_number(key, length);
        if node.inner >> number & 1 == 0 {
            return None;
        }
        let place = node.inner_place(number);
        let value = self.leaves.get(node.run() + place as u32)?.value;
        let changed = Node { inner: node.inner & !(1 << number), ..node };
        self.splice(at, node, changed, place, 1, &[]);
        self.refresh_words(key, length);
        if self.shrink(at, way) {
            self.refresh_words(key, length);
        }
        Some(value)
    }

    fn remove_from_slot(
        &mut self,
        at: At,
        node: Node<K>,
        slot: u32,
        (place, count): (usize, usize),
        (key, length): (K, u8),
        way: Way,
    ) -> Option<u32> {
        let run = self.leaves.run(node.run() + place as u32, count);
        let (nth, leaf) = run.iter().enumerate().find(|(_, leaf)| leaf.is(key, length))?;
        let value = leaf.value;
        self.splice(at, node, node.with_bucket(slot, count - 1), place + nth, 1, &[]);
        self.refresh_slot(at, key, length);
        if self.shrink(at, way) {
            self.refresh_words(key, length);
        }
        Some(value)
    }

    /// Removes nodes that are not worth having, from `at` upwards. True: there were some.
    fn shrink(&mut self, mut at: At, mut way: Way) -> bool {
        let mut any = false;
        while let Some(parent) = way.pop() {
            let node = self.node(at);
            match (node.leaf_count(), node.node_count()) {
                (0, 1) => {
                    let child = self.node(At::Index(node.nodes));
                    self.nodes.free(node.nodes, 1);
                    self.set_node(at, child);
                    let above = self.node(parent);
                    self.nodes_moved(&above);
                    return true;
                }
                // One less than a slot holds: a prefix that comes and goes does not make and remove a node.
                (0..BUCKET, 0) => self.fold(parent, node),
                _ => break,
            }
            any = true;
            at = parent;
        }
        any
    }

    /// Puts the few prefixes of a node without children into its parent's slot.
    fn fold(&mut self, parent: At, node: Node<K>) {
        let mut leaves = [Leaf::default(); BUCKET];
        let count = node.leaf_count();
        let run = self.leaves.run(node.run(), count);
        for (to, from) in leaves.iter_mut().zip(run) {
            *to = *from;
        }
        self.leaves.free(node.run(), count + usize::from(node.room));
        let leaves = leaves.get_mut(..count).unwrap_or_default();
        leaves.sort_by_key(|leaf| std::cmp::Reverse(leaf.length));

        let slot = self.node(parent).slot_number(node.key);
        self.remove_node(parent, slot);
        let above = self.node(parent);
        let place = above.inner.count_ones() + above.leaves_below(slot);
        self.splice(parent, above, above.with_bucket(slot, count), place as usize, 0, leaves);
        self.refresh_slot(parent, node.key, node.offset());
    }
}

/// The nodes above the one in hand.
struct Way {
    at: [At; MAX_DEPTH],
    depth: usize,
}

impl Way {
    fn push(&mut self, at: At) {
        if let Some(place) = self.at.get_mut(self.depth) {
            *place = at;
            self.depth += 1;
        }
    }

    fn pop(&mut self) -> Option<At> {
        self.depth = self.depth.checked_sub(1)?;
        self.at.get(self.depth).copied()
    }
}

/// An empty node that tells apart what agrees in `common` bits.
fn node_at<K: Key>(common: u8, key: K) -> Node<K> {
    let offset = common.min(K::BITS - 1) / STRIDE * STRIDE;
    Node { key: key.masked(offset), offset: u16::from(offset), leaves: NONE, nodes: NONE, ..Node::default() }
}

/// Where in a run a prefix belongs.
fn place_of<K: Key>(node: &Node<K>, leaf: &Leaf<K>) -> u32 {
    if node.is_inner(leaf.bits()) {
        node.inner_number(leaf.key, leaf.bits())
    } else {
        64 + node.slot_number(leaf.key)
    }
}

/// Sets a prefix's bit in a node that is being made.
fn mark<K: Key>(node: &mut Node<K>, leaf: &Leaf<K>) {
    if node.is_inner(leaf.bits()) {
        node.inner |= 1 << node.inner_number(leaf.key, leaf.bits());
        return;
    }
    let slot = node.slot_number(leaf.key);
    *node = node.with_bucket(slot, node.bucket(slot) as usize + 1);
}
