//! Many lookups at once, level by level: the memory accesses of one level depend on nothing but the
//! level above, so that the processor has those of all keys under way together.

use super::lines::{self, DEEP, Line, TO_ROOT};
use super::node::{BUCKET, COVERING, Leaf};
use super::shortcuts::{self, NODE, ROOT, Shortcut};
use super::table::{Lpm, first_covering, select};
use super::{Key, NO_MATCH};

/// Keys in lockstep.
pub(super) const LANES: usize = 32;

/// So many keys are looked up one by one: what is done for all lanes alike costs more than it saves.
const SINGLE: usize = 2;

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
        if count <= SINGLE {
            for (value, key) in values.iter_mut().zip(keys) {
                *value = self.lookup(*key).unwrap_or(NO_MATCH);
            }
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
        if shortcuts.is_lined() {
            return self.lookup_lines((keys, &blocks, &rests), values, count);
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

    /// The same in a table with lines: most lanes end at theirs. All lines are asked for before the first one is
    /// read.
    #[inline(never)]
    fn lookup_lines(
        &self,
        (keys, blocks, rests): (&[K; LANES], &[u32; LANES], &[u32; LANES]),
        values: &mut [u32; LANES],
        count: usize,
    ) {
        let (mut lines, mut inside): ([&Line; LANES], _) = ([&TO_ROOT; LANES], false);
        for (line, block) in lines.iter_mut().zip(blocks).take(count) {
            if let Some(found) = self.kept.current.line(*block) {
                dpdk_sys::prefetch(found);
                (*line, inside) = (found, true);
            }
        }
        if inside {
            let deep = read_lines(&lines, rests, values).0 & u32::MAX >> (LANES - count);
            if deep != 0 {
                self.lookup_deep(keys, &lines, Set(deep), values);
            }
        } else {
            self.lookup_outside(keys, values, count);
        }
        if self.kept.hidden != 0 || self.kept.default != NO_MATCH {
            self.otherwise_lanes(keys, values, count);
        }
    }

    /// A burst to other networks than those of the lines, such as the native destinations of a decapsulation.
    fn lookup_outside(&self, keys: &[K; LANES], values: &mut [u32; LANES], count: usize) {
        let (mut words, mut climbers) = ([ROOT; LANES], List::EMPTY);
        let places = words.iter_mut().zip(values.iter_mut());
        for (lane, (key, (word, value))) in keys.iter().zip(places).enumerate().take(count) {
            *word = self.outside(*key);
            *value = *word as u32;
            climbers.note(lane, !shortcuts::says_all(*word));
        }
        self.climb_all(keys, &words, &climbers, values);
    }

    /// Lanes whose line does not tell the prefixes of its block, or that have none.
    fn lookup_deep(&self, keys: &[K; LANES], lines: &[&Line; LANES], deep: Set, values: &mut [u32; LANES]) {
        let mut words = [ROOT; LANES];
        let mut climbers = List::EMPTY;
        for lane in deep.iter() {
            let (Some(line), Some(key), Some(word), Some(value)) =
                (lines.get(lane), keys.get(lane), words.get_mut(lane), values.get_mut(lane))
            else {
                continue;
            };
            *word = match line.word() {
                ROOT => self.outside(*key),
                said => said,
            };
            *value = *word as u32;
            climbers.note(lane, !shortcuts::says_all(*word));
            if let Some(node) = self.nodes.get(shortcuts::index(*word)) {
                dpdk_sys::prefetch(node);
            }
        }
        self.climb_all(keys, &words, &climbers, values);
    }

    /// Lanes whose words lead to nodes, which were asked for.
    fn climb_all(&self, keys: &[K; LANES], words: &[u64; LANES], climbers: &List, values: &mut [u32; LANES]) {
        match climbers.count {
            0 => {}
            _ if self.kept.crowds.is_empty() => self.climb(keys, words, climbers, values),
            _ => self.ask_crowds(keys, words, climbers, values),
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

    /// The word of a key that shortcuts have none for: to the root, or what that says when no other node hangs
    /// in the key's slot.
    #[inline(never)]
    fn outside(&self, key: K) -> u64 {
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
        self.climb_all(keys, words, &climbers, values);
    }
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
