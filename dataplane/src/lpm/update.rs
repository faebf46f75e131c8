//! Insert and remove. Each touches the runs of one node, now and then of its parent.

use super::arena::NONE;
use super::node::{Leaf, Node, STRIDE, Slot};
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
        let former = self.insert_leaf(leaf);
        self.length += usize::from(former.is_none());
        Ok(former)
    }

    fn insert_leaf(&mut self, leaf: Leaf<K>) -> Option<u32> {
        let mut at = At::Root;
        loop {
            let node = self.node(at);
            if node.is_inner(leaf.bits()) {
                return self.insert_inner(at, node, leaf);
            }
            let slot = node.slot_number(leaf.key);
            match node.slot(slot) {
                Slot::Empty => {
                    let grown = Node { leaf: node.leaf | 1 << slot, ..node };
                    self.splice(at, node, grown, node.leaf_place(slot), 0, &[leaf]);
                    return None;
                }
                Slot::One(place) => return self.insert_beside(at, node, slot, place, leaf),
                Slot::Two(place) => return self.insert_third(at, node, slot, place, leaf),
                Slot::Node(place) => {
                    let index = node.nodes + place as u32;
                    let child = self.node(At::Index(index));
                    let common = leaf.key.common_bits(child.key).min(leaf.bits());
                    if common < child.offset() {
                        let between = self.build_above(common, leaf, child);
                        self.set_node(At::Index(index), between);
                        return None;
                    }
                    at = At::Index(index);
                }
            }
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
        None
    }

    /// A slot with one prefix gets a second one, unless it is the same.
    fn insert_beside(
        &mut self,
        at: At,
        node: Node<K>,
        slot: u32,
        place: usize,
        leaf: Leaf<K>,
    ) -> Option<u32> {
        let index = node.run() + place as u32;
        let other = *self.leaves.get(index)?;
        if other.is(leaf.key, leaf.bits()) {
            return self.replace_value(index, leaf.value);
        }
        let place = if leaf.length > other.length { place } else { place + 1 };
        let grown = Node { more: node.more | 1 << slot, ..node };
        self.splice(at, node, grown, place, 0, &[leaf]);
        None
    }

    /// A slot with two prefixes becomes a child node, unless one of them is the same.
    fn insert_third(&mut self, at: At, node: Node<K>, slot: u32, place: usize, leaf: Leaf<K>) -> Option<u32> {
        let index = node.run() + place as u32;
        let [first, second] = *self.leaves.run(index, 2) else { return None };
        for (index, other) in (index..).zip([first, second]) {
            if other.is(leaf.key, leaf.bits()) {
                return self.replace_value(index, leaf.value);
            }
        }
        let child = self.build([first, second, leaf]);
        let grown = Node { leaf: node.leaf & !(1 << slot), ..node };
        self.splice(at, node, grown, place, 2, &[]);
        let node = self.node(at);
        let nodes = self.nodes.splice(node.nodes, node.node_count() - 1, node.node_place(slot), 0, &[child]);
        self.set_node(at, Node { nodes, ..node });
        None
    }

    fn replace_value(&mut self, index: u32, value: u32) -> Option<u32> {
        let leaf = self.leaves.get_mut(index)?;
        Some(std::mem::replace(&mut leaf.value, value))
    }

    /// A node for three prefixes that share the slot they are in.
    fn build(&mut self, mut leaves: [Leaf<K>; 3]) -> Node<K> {
        let [a, b, c] = &leaves;
        let common = a.key.common_bits(b.key).min(a.key.common_bits(c.key));
        let shortest = a.bits().min(b.bits()).min(c.bits());
        let mut node = node_at(common.min(shortest), a.key);
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
        node.more |= 1 << node.slot_number(child.key);
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
        let run = self.leaves.splice(node.run(), node.leaf_count(), place, remove, insert);
        changed.set_run(run);
        self.set_node(at, changed);
    }

    /// Removes a prefix. Returns what was there.
    pub fn remove(&mut self, key: K, length: u8) -> Option<u32> {
        if length > K::BITS {
            return None;
        }
        let key = key.masked(length);
        let mut way = Way { at: [At::Root; MAX_DEPTH], depth: 0 };
        let mut at = At::Root;
        let mut node = self.root;
        while !node.is_inner(length) {
            let slot = node.slot_number(key);
            let count = match node.slot(slot) {
                Slot::Empty => return None,
                Slot::One(place) => (place, 1),
                Slot::Two(place) => (place, 2),
                Slot::Node(place) => {
                    way.push(at);
                    at = At::Index(node.nodes + place as u32);
                    node = self.node(at);
                    if length < node.offset() || key.common_bits(node.key) < node.offset() {
                        return None;
                    }
                    continue;
                }
            };
            return self.remove_from_slot(at, node, slot, count, (key, length), way);
        }
        let number = node.inner_number(key, length);
        if node.inner >> number & 1 == 0 {
            return None;
        }
        let place = node.inner_place(number);
        let value = self.leaves.get(node.run() + place as u32)?.value;
        let changed = Node { inner: node.inner & !(1 << number), ..node };
        self.splice(at, node, changed, place, 1, &[]);
        self.shrink(at, way);
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
        let bit = 1 << slot;
        let leaf_bits = if count == 1 { node.leaf & !bit } else { node.leaf };
        let changed = Node { leaf: leaf_bits, more: node.more & !bit, ..node };
        self.splice(at, node, changed, place + nth, 1, &[]);
        self.shrink(at, way);
        Some(value)
    }

    /// Removes nodes that are not worth having, from `at` upwards.
    fn shrink(&mut self, mut at: At, mut way: Way) {
        self.length -= 1;
        while let Some(parent) = way.pop() {
            let node = self.node(at);
            match (node.leaf_count(), node.node_count()) {
                (0, 1) => {
                    let child = self.node(At::Index(node.nodes));
                    self.nodes.free(node.nodes, 1);
                    return self.set_node(at, child);
                }
                (0..=2, 0) => self.fold(parent, node),
                _ => return,
            }
            at = parent;
        }
    }

    /// Puts the one or two prefixes of a node without children into its parent's slot.
    fn fold(&mut self, parent: At, node: Node<K>) {
        let mut leaves = [Leaf::default(); 2];
        let count = node.leaf_count();
        let run = self.leaves.run(node.run(), count);
        for (to, from) in leaves.iter_mut().zip(run) {
            *to = *from;
        }
        self.leaves.free(node.run(), count);
        let leaves = leaves.get_mut(..count).unwrap_or_default();
        leaves.sort_by_key(|leaf| std::cmp::Reverse(leaf.length));

        let above = self.node(parent);
        let slot = above.slot_number(node.key);
        let nodes = self.nodes.splice(above.nodes, above.node_count(), above.node_place(slot), 1, &[]);
        let bit = 1 << slot;
        let empty = Node { nodes, more: above.more & !bit, ..above };
        let changed = Node {
            leaf: if count > 0 { empty.leaf | bit } else { empty.leaf },
            more: if count > 1 { empty.more | bit } else { empty.more },
            ..empty
        };
        self.splice(parent, empty, changed, empty.leaf_place(slot), 0, leaves);
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
    let bit = 1 << node.slot_number(leaf.key);
    if node.leaf & bit == 0 {
        node.leaf |= bit;
    } else {
        node.more |= bit;
    }
}
