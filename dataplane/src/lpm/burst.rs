//! Many lookups at once, level by level: the memory accesses of one level depend on nothing but the
//! level above, so that the processor has those of all keys under way together.

use super::lines::{self, DEEP, Line, TO_ROOT};
use super::node::{BUCKET, COVERING, Leaf};
use super::shortcuts::{self, NODE, ROOT, Shortcut, Shortcuts};
use super::table::{Lpm, first_covering, select};
use super::{Key, NO_MATCH};

/// Keys in lockstep.
pub(super) const LANES: usize = 32;

/// So many keys are looked up one by one: what is done for all lanes alike costs more than it saves.
const SINGLE: usize = 2;

/// For each lane its bit in a [`Set`]: under a mask, all lanes' bits are gathered by vector instructions.
#[allow(clippy::indexing_slicing, reason = "worked out by the compiler")]
const BITS: [u32; LANES] = {
    let (mut bits, mut lane) = ([0; LANES], 0);
    while lane < LANES {
        bits[lane] = 1 << lane;
        lane += 1;
    }
    bits
};

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
    #[inline(never)]
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
        if count <= SINGLE {
            for (value, key) in values.iter_mut().zip(keys) {
                *value = self.lookup(*key).unwrap_or(NO_MATCH);
            }
            return;
        }
        // Lanes without a key of their own do as the first one does.
        let (mut lanes, mut found) = ([keys.first().copied().unwrap_or_default(); LANES], [NO_MATCH; LANES]);
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
        let current = &self.kept.current;
        let (blocks, mut rests) = places(current, keys);
        if current.is_lined() {
            return self.lookup_lines((keys, &blocks, &rests), values, count);
        }
        let mixed = highest(&blocks) >= current.len() || !self.kept.crowds.is_empty();
        if mixed && self.lookup_together(keys, &blocks, values, count) {
            return;
        }
        let mut words = current.words(&blocks);
        if mixed {
            self.replace_words(keys, &blocks, &mut words, &mut rests);
        }
        let others = read_words(&words, &rests, values, count);
        if others.0 != 0 {
            self.others(keys, &words, others, values);
        }
        self.otherwise_lanes(keys, values, count);
    }

    /// Words of lanes that lie outside the region of the shortcuts, or in a crowd.
    #[inline(never)]
    fn replace_words(
        &self,
        keys: &[K; LANES],
        blocks: &[u32; LANES],
        words: &mut [u64; LANES],
        rests: &mut [u32; LANES],
    ) {
        for lane in beyond(blocks, self.kept.current.len()).iter() {
            if let (Some(key), Some(word), Some(rest)) =
                (keys.get(lane), words.get_mut(lane), rests.get_mut(lane))
            {
                (*word, *rest) = self.outside(*key);
            }
        }
        for crowd in self.kept.crowds.tables() {
            let (blocks, others) = places(crowd, keys);
            let among = !beyond(&blocks, crowd.len()).0;
            for lane in Set(among).iter() {
                if let (Some(block), Some(other), Some(word), Some(rest)) =
                    (blocks.get(lane), others.get(lane), words.get_mut(lane), rests.get_mut(lane))
                {
                    (*word, *rest) = (crowd.word(*block).unwrap_or(ROOT), *other);
                }
            }
        }
    }

    /// A burst that lies outside the region of the shortcuts as a whole, such as the native destinations of a
    /// decapsulation, or in a crowd. False: it does neither.
    #[inline(never)]
    fn lookup_together(
        &self,
        keys: &[K; LANES],
        blocks: &[u32; LANES],
        values: &mut [u32; LANES],
        count: usize,
    ) -> bool {
        if lowest(blocks) >= self.kept.current.len()
            && let Some(top) = &self.kept.top
        {
            self.lookup_in(top, keys, values, count);
            return true;
        }
        for crowd in self.kept.crowds.tables() {
            if crowd.has_all(keys) {
                self.lookup_in(crowd, keys, values, count);
                return true;
            }
        }
        false
    }

    /// A burst of keys in the region of shortcuts that know all prefixes but that of length 0.
    #[inline(always)]
    fn lookup_in(
        &self,
        shortcuts: &Shortcuts<K>,
        keys: &[K; LANES],
        values: &mut [u32; LANES],
        count: usize,
    ) {
        let (blocks, rests) = places(shortcuts, keys);
        let words = shortcuts.words(&blocks);
        let others = read_words(&words, &rests, values, count);
        if others.0 != 0 {
            self.others(keys, &words, others, values);
        }
        self.default_lanes(values);
    }

    /// In a table with lines: most lanes end at theirs. All lines are asked for before the first one is read.
    #[inline(never)]
    fn lookup_lines(
        &self,
        (keys, blocks, rests): (&[K; LANES], &[u32; LANES], &[u32; LANES]),
        values: &mut [u32; LANES],
        count: usize,
    ) {
        let current = &self.kept.current;
        if (highest(blocks) >= current.len() || !self.kept.crowds.is_empty())
            && self.lookup_together(keys, blocks, values, count)
        {
            return;
        }
        let mut lines: [&Line; LANES] = [&TO_ROOT; LANES];
        for (line, block) in lines.iter_mut().zip(blocks) {
            if let Some(found) = current.line(*block) {
                dpdk_sys::prefetch(found);
                *line = found;
            }
        }
        let deep = read_lines(&lines, rests, values).0 & u32::MAX >> (LANES - count);
        if deep != 0 {
            self.lookup_deep(keys, &lines, Set(deep), values);
        }
        self.otherwise_lanes(keys, values, count);
    }

    /// Lanes whose line does not tell the prefixes of its block, or that have none.
    fn lookup_deep(&self, keys: &[K; LANES], lines: &[&Line; LANES], deep: Set, values: &mut [u32; LANES]) {
        let (mut words, mut others) = ([ROOT; LANES], Set(0));
        for lane in deep.iter() {
            let (Some(line), Some(key), Some(word), Some(value)) =
                (lines.get(lane), keys.get(lane), words.get_mut(lane), values.get_mut(lane))
            else {
                continue;
            };
            let rest;
            (*word, rest) = match (self.kept.crowds.word(*key), line.word()) {
                (Some(said), _) => said,
                (None, ROOT) => self.outside(*key),
                (None, said) => (said, 0),
            };
            *value = shortcuts::value(*word, rest);
            others.note(lane, !shortcuts::says_all(*word));
        }
        if others.0 != 0 {
            self.others(keys, &words, others, values);
        }
    }

    /// Lanes for which nothing was found by shortcut.
    #[inline(always)]
    fn otherwise_lanes(&self, keys: &[K; LANES], values: &mut [u32; LANES], count: usize) {
        match self.kept.hidden {
            0 => self.default_lanes(values),
            _ => self.walk_lanes(keys, values, count),
        }
    }

    /// The same where no other prefix than that of length 0 may cover them.
    #[inline(always)]
    fn default_lanes(&self, values: &mut [u32; LANES]) {
        if self.kept.default != NO_MATCH {
            for value in values {
                *value = select(*value == NO_MATCH, self.kept.default, *value);
            }
        }
    }

    #[inline(never)]
    fn walk_lanes(&self, keys: &[K; LANES], values: &mut [u32; LANES], count: usize) {
        for (key, value) in keys.iter().zip(values).take(count).filter(|(_, value)| **value == NO_MATCH) {
            *value = self.otherwise(*key);
        }
    }

    /// The word of a key that lies outside the region of the shortcuts, and the key's bits that it is about.
    #[inline]
    pub(super) fn outside(&self, key: K) -> (u64, u32) {
        let Some(top) = &self.kept.top else { return (self.at_root(key), 0) };
        let (block, rest) = top.place(key);
        (top.word(block).unwrap_or(ROOT), rest)
    }

    /// The same without shortcuts: to the root, or what that says when no other node hangs in the key's slot.
    #[inline(never)]
    fn at_root(&self, key: K) -> u64 {
        let root = &self.root;
        let slot = root.slot_number(key);
        if root.child >> slot & 1 != 0 {
            return ROOT;
        }
        let count = root.bucket(slot);
        if count > 0 {
            let first = root.leaves.wrapping_add(root.leaves_below(slot));
            let value = self.covering(first, count, key);
            if value != NO_MATCH {
                return Shortcut::end(value).pack();
            }
        }
        let covering = COVERING.get((slot >> 1) as usize).copied().unwrap_or(0) & root.inner;
        let longest = 63u32.checked_sub(covering.leading_zeros());
        let leaf = longest.and_then(|number| self.leaves.get(root.run() + root.inner_place(number) as u32));
        Shortcut::end(leaf.map_or(NO_MATCH, |leaf| leaf.value)).pack()
    }

    /// Lanes whose word leads to prefixes or a node. Their prefixes are asked for before the first one is read.
    #[inline(never)]
    fn others(&self, keys: &[K; LANES], words: &[u64; LANES], others: Set, values: &mut [u32; LANES]) {
        let nothing = [Leaf::default(); BUCKET];
        let mut runs = [&nothing; LANES];
        let (mut climbers, mut edges) = (List::EMPTY, Set(0));
        for lane in others.iter() {
            let (Some(word), Some(place)) = (words.get(lane), runs.get_mut(lane)) else { continue };
            let kind = shortcuts::kind(*word);
            climbers.note(lane, kind == NODE);
            let run = self.leaves.window(select(kind == NODE, 0, shortcuts::index(*word)));
            edges.note(lane, run.is_none());
            if let Some(run @ [first, _, third]) = run {
                dpdk_sys::prefetch(first);
                dpdk_sys::prefetch(third);
                *place = run;
            }
        }
        for word in climbers.iter().filter_map(|lane| words.get(lane)) {
            if let Some(node) = self.nodes.get(shortcuts::index(*word)) {
                dpdk_sys::prefetch(node);
            }
        }
        for lane in others.iter() {
            if let (Some(run), Some(word), Some(key), Some(value)) =
                (runs.get(lane), words.get(lane), keys.get(lane), values.get_mut(lane))
            {
                *value = first_covering(run, shortcuts::kind(*word) + 1, *key, *word as u32);
            }
        }
        // Prefixes that are the last ones of a chunk.
        for lane in edges.iter() {
            if let (Some(word), Some(key), Some(value)) =
                (words.get(lane), keys.get(lane), values.get_mut(lane))
            {
                let found = self.covering(shortcuts::index(*word), shortcuts::kind(*word) + 1, *key);
                *value = select(found != NO_MATCH, found, *word as u32);
            }
        }
        if climbers.count > 0 {
            self.climb(keys, words, &climbers, values);
        }
    }
}

/// Numbers of the blocks of all lanes, and their keys' bits beyond.
#[inline(always)]
fn places<K: Key>(shortcuts: &Shortcuts<K>, keys: &[K; LANES]) -> ([u32; LANES], [u32; LANES]) {
    let (mut blocks, mut rests) = ([0; LANES], [0; LANES]);
    for ((key, block), rest) in keys.iter().zip(&mut blocks).zip(&mut rests) {
        (*block, *rest) = shortcuts.place(*key);
    }
    (blocks, rests)
}

#[inline(always)]
fn lowest(blocks: &[u32; LANES]) -> u32 {
    blocks.iter().fold(u32::MAX, |lowest, block| lowest.min(*block))
}

#[inline(always)]
fn highest(blocks: &[u32; LANES]) -> u32 {
    blocks.iter().fold(0, |highest, block| highest.max(*block))
}

/// Lanes whose number is this one or more.
#[inline(always)]
fn beyond(blocks: &[u32; LANES], end: u32) -> Set {
    let mut set = Set(0);
    for (block, bit) in blocks.iter().zip(&BITS) {
        set.0 |= select(*block >= end, *bit, 0);
    }
    set
}

/// What words say of keys, of which `rests` are the bits beyond their blocks. Returns those whose words do not
/// say all.
#[inline(always)]
fn read_words(words: &[u64; LANES], rests: &[u32; LANES], values: &mut [u32; LANES], count: usize) -> Set {
    let mut others = Set(0);
    for (lane, ((word, rest), value)) in words.iter().zip(rests).zip(values.iter_mut()).enumerate() {
        *value = shortcuts::value(*word, *rest);
        others.note(lane, !shortcuts::says_all(*word));
    }
    Set(others.0 & u32::MAX >> (LANES - count))
}

/// What lines tell of keys, of which `rests` are the bits beyond their blocks. Returns those whose lines do not.
#[inline(always)]
fn read_lines(lines: &[&Line; LANES], rests: &[u32; LANES], values: &mut [u32; LANES]) -> Set {
    let (mut first, mut second, mut third, mut found) = ([0; LANES], [0; LANES], [0; LANES], [0; LANES]);
    for (((line, first), second), third) in lines.iter().zip(&mut first).zip(&mut second).zip(&mut third) {
        [*first, *second, *third] = line.tails();
    }
    let tails = first.iter().zip(&second).zip(&third);
    for ((found, rest), ((first, second), third)) in found.iter_mut().zip(rests).zip(tails) {
        *found = lines::first_covering([*first, *second, *third], *rest);
    }
    for ((line, found), value) in lines.iter().zip(&found).zip(values.iter_mut()) {
        *value = line.value_of(*found);
    }
    let mut deep = Set(0);
    for (lane, value) in values.iter().enumerate() {
        deep.note(lane, *value == DEEP);
    }
    deep
}
