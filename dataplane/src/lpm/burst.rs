//! Many lookups at once, level by level: the memory accesses of one level depend on nothing but the
//! level above, so that the processor has those of all keys under way together.

use super::node::COVERING;
use super::shortcuts::{self, NODE, ROOT, Shortcut};
use super::table::{Lpm, Step, select};
use super::{Key, NO_MATCH};

/// Keys in lockstep.
pub(super) const LANES: usize = 32;

/// A set of lanes.
#[derive(Clone, Copy)]
struct Set(u32);

impl Set {
    /// Adds a lane if `wanted`; without a branch.
    #[inline(always)]
    const fn note(&mut self, lane: usize, wanted: bool) {
        self.0 |= (wanted as u32) << (lane & (LANES - 1));
    }

    #[inline(always)]
    fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let lane = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (lane < LANES).then_some(lane)
        })
    }
}

/// Numbers of lanes, in a row.
#[derive(Clone, Copy)]
pub(super) struct List {
    lanes: [u8; LANES],
    pub count: usize,
}

impl List {
    pub(super) const EMPTY: Self = Self { lanes: [0; LANES], count: 0 };

    /// Puts a lane on the list if `wanted`; without a branch.
    #[inline(always)]
    pub(super) fn note(&mut self, lane: usize, wanted: bool) {
        if let Some(place) = self.lanes.get_mut(self.count) {
            *place = lane as u8;
        }
        self.count += usize::from(wanted);
    }

    #[inline(always)]
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.lanes.iter().take(self.count).map(|lane| usize::from(*lane))
    }
}

impl<K: Key> Lpm<K> {
    /// Looks up many keys: `values[i]` becomes the value for `keys[i]`, or [`super::NO_MATCH`].
    /// Works on as many as the shorter slice has.
    pub fn lookup_burst(&self, keys: &[K], values: &mut [u32]) {
        let count = keys.len().min(values.len());
        let (keys, last_keys) = keys.get(..count).unwrap_or_default().as_chunks();
        let (values, last_values) = values.get_mut(..count).unwrap_or_default().as_chunks_mut();
        for (keys, values) in keys.iter().zip(values) {
            self.lookup_lanes(keys, values, LANES);
        }
        self.lookup_few(last_keys, last_values);
    }

    /// Fewer keys than lanes.
    fn lookup_few(&self, keys: &[K], values: &mut [u32]) {
        let count = keys.len().min(values.len()).min(LANES);
        if count == 0 {
            return;
        }
        let (mut lanes, mut found) = ([K::default(); LANES], [NO_MATCH; LANES]);
        for (lane, key) in lanes.iter_mut().zip(keys) {
            *lane = *key;
        }
        self.lookup_lanes(&lanes, &mut found, count);
        for (value, found) in values.iter_mut().zip(found).take(count) {
            *value = found;
        }
    }

    /// Most lanes end at their word. Loops over all lanes, whose number the compiler knows, become vector
    /// instructions; nothing in them depends on what was found.
    #[inline(always)]
    fn lookup_lanes(&self, keys: &[K; LANES], values: &mut [u32; LANES], count: usize) {
        let shortcuts = &self.kept.current;
        let (mut blocks, mut rests) = ([0; LANES], [0; LANES]);
        for ((key, block), rest) in keys.iter().zip(&mut blocks).zip(&mut rests) {
            (*block, *rest) = shortcuts.place(*key);
        }
        let mut words = [ROOT; LANES];
        for ((word, block), key) in words.iter_mut().zip(&blocks).zip(keys).take(count) {
            *word = shortcuts.word(*block).unwrap_or_else(|| self.outside(*key));
        }
        let mut others = Set(0);
        for (lane, ((word, rest), value)) in words.iter().zip(&rests).zip(values.iter_mut()).enumerate() {
            *value = shortcuts::value(*word, *rest);
            others.note(lane, !shortcuts::says_all(*word));
        }
        others.0 &= u32::MAX >> (LANES - count);
        if others.0 != 0 {
            self.others(keys, &words, others, values);
        }
        if self.kept.hidden != 0 || self.kept.default != NO_MATCH {
            self.otherwise_lanes(keys, values, count);
        }
    }

    /// Lanes for which nothing was found by shortcut.
    fn otherwise_lanes(&self, keys: &[K; LANES], values: &mut [u32; LANES], count: usize) {
        if self.kept.hidden == 0 {
            for value in values {
                *value = select(*value == NO_MATCH, self.kept.default, *value);
            }
            return;
        }
        for (key, value) in keys.iter().zip(values).take(count).filter(|(_, value)| **value == NO_MATCH) {
            *value = self.otherwise(*key);
        }
    }

    /// The word of a key that shortcuts have none for: to the root, or what that says when nothing hangs in
    /// the key's slot.
    #[inline(never)]
    fn outside(&self, key: K) -> u64 {
        let root = &self.root;
        let slot = root.slot_number(key);
        if (root.low | root.high | root.child) >> slot & 1 != 0 {
            return ROOT;
        }
        let covering = COVERING.get((slot >> 1) as usize).copied().unwrap_or(0) & root.inner;
        let longest = 63u32.checked_sub(covering.leading_zeros());
        let leaf = longest.and_then(|number| self.leaves.get(root.run() + root.inner_place(number) as u32));
        Shortcut::end(leaf.map_or(NO_MATCH, |leaf| leaf.value)).pack()
    }

    /// Lanes whose word leads to prefixes or a node.
    fn others(&self, keys: &[K; LANES], words: &[u64; LANES], others: Set, values: &mut [u32; LANES]) {
        if self.kept.current.is_large() {
            for word in others.iter().filter_map(|lane| words.get(lane)) {
                self.prefetch(&leads_to(*word));
            }
        }
        let mut climbers = List::EMPTY;
        for lane in others.iter() {
            let (Some(word), Some(key), Some(value)) =
                (words.get(lane), keys.get(lane), values.get_mut(lane))
            else {
                continue;
            };
            let kind = shortcuts::kind(*word);
            climbers.note(lane, kind == NODE);
            let run = select(kind == NODE, 0, shortcuts::index(*word));
            let found = self.covering(run, kind + 1, *key);
            *value = select(found != NO_MATCH, found, *word as u32);
        }
        if climbers.count > 0 {
            self.climb(keys, words, &climbers, values);
        }
    }

    /// Asks for what the next step reads: a node, or the first and last record that a slot can have.
    /// Index 0 stands for the other one: it is no branch, and mostly in the cache.
    #[inline]
    fn prefetch(&self, lane: &Step) {
        if let Some(node) = self.nodes.get(select(lane.child, lane.next, 0)) {
            dpdk_sys::prefetch(node);
        }
        let leaf = select(lane.child, 0, lane.next);
        for index in [leaf, leaf.wrapping_add(lane.count.saturating_sub(1))] {
            if let Some(leaf) = self.leaves.get(index) {
                dpdk_sys::prefetch(leaf);
            }
        }
    }
}

/// Where a word leads to that does not say all.
#[inline(always)]
fn leads_to(word: u64) -> Step {
    let kind = shortcuts::kind(word);
    let (next, child) = (shortcuts::index(word), kind == NODE);
    Step { value: word as u32, next, count: kind + 1, child, ..Step::START }
}
