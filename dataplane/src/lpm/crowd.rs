//! Crowds: many prefixes close together in a table of scattered ones, such as the hosts of a subnet with a mapping
//! each.
//!
//! Shortcuts are made for the table as a whole, so that a crowd lies in few of their blocks, below nodes. It gets
//! a small table of shortcuts of its own, which knows all prefixes, short ones too: what lies in its region is looked up
//! there.

use super::Key;
use super::shortcuts::{Chunk, ROOT, Shortcuts};
use super::table::Lpm;
use dpdk_sys::{Lone, Supply};

/// Tables of crowds, at most: each is asked in turn.
const CROWDS: usize = 4;
/// Bits of such a table. A prefix that covers it all is spread over so many blocks: no more than by other shortcuts.
const BITS: u8 = if cfg!(test) { 7 } else { 10 };
/// Bits that a crowd's table must look further than the others do.
const FURTHER: u8 = 4;
/// So many of the sample make a crowd.
const MANY: usize = 8;
/// Prefixes that came in below two nodes, no matter where, until somebody looks whether there is a crowd.
const DEEP: u32 = if cfg!(test) { 4 } else { 64 };
/// That number doubles each time that there is none, so many times.
const PATIENCE: u8 = 14;
/// Blocks that one update fills.
const FILL: usize = if cfg!(test) { 3 } else { 64 };

/// Tables of crowds. No memory as long as nothing hints at one.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowds<K>(Option<Lone<State<K>>>);

#[derive(Clone, Debug, Default)]
struct State<K> {
    tables: dpdk_sys::List<Shortcuts<K>>,
    making: Option<Shortcuts<K>>,
    /// Prefixes that came in below two nodes.
    deep: u32,
    /// How many times [`DEEP`] doubled.
    patience: u8,
}

impl<K: Key> Crowds<K> {
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.tables().is_empty()
    }

    /// The finished ones.
    #[inline(always)]
    pub(super) fn tables(&self) -> &[Shortcuts<K>] {
        self.0.as_ref().map_or(&[], |state| &state.tables)
    }

    /// All tables, those in the making too.
    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Shortcuts<K>> {
        self.0.as_deref_mut().into_iter().flat_map(|state| state.tables.iter_mut().chain(&mut state.making))
    }

    /// A prefix came in below two nodes.
    pub(super) fn note_deep(&mut self, supply: &Supply, key: K) {
        if !self.contains(key) {
            let state = self.state(supply);
            state.deep = state.deep.saturating_add(1);
        }
    }

    /// There is something to be done without an update.
    pub(super) fn are_unfinished(&self) -> bool {
        self.0.as_ref().is_some_and(|state| state.making.is_some() || state.deep >= DEEP << state.patience)
    }

    /// The table's shortcuts are others now: what was no crowd for those before may be one.
    pub(super) fn look_soon(&mut self, supply: &Supply) {
        self.state(supply).deep = DEEP;
    }

    fn state(&mut self, supply: &Supply) -> &mut State<K> {
        self.0.get_or_insert_with(|| Lone::new(supply, State::default()))
    }

    /// Gives up all tables.
    pub(super) fn disperse(&mut self, supply: &Supply, garbage: &mut dpdk_sys::List<Chunk>) {
        if let Some(state) = self.0.take() {
            let State { mut tables, making, .. } = state.into_inner();
            discard(supply, making, garbage);
            while let Some(table) = tables.pop() {
                discard(supply, Some(table), garbage);
            }
        }
    }

    /// The word of a key, and the key's bits that it is about. `None`: it is in no crowd.
    #[inline]
    pub(super) fn word(&self, key: K) -> Option<(u64, u32)> {
        self.tables().iter().find_map(|table| {
            let (block, rest) = table.place(key);
            table.word(block).filter(|word| *word != ROOT).map(|word| (word, rest))
        })
    }

    fn contains(&self, key: K) -> bool {
        self.tables().iter().any(|table| table.has(key))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let of = |state: &State<K>| {
            let tables: usize = state.tables.iter().chain(&state.making).map(Shortcuts::memory_bytes).sum();
            tables + state.tables.memory_bytes()
        };
        self.0.as_ref().map_or(0, |state| state.memory_bytes() + of(state))
    }
}

impl<K: Key> Lpm<K> {
    /// To be called after each update: goes on with a crowd's table that is in the making, or looks for a crowd.
    pub(super) fn tend_crowds(&mut self) {
        let Some(mut state) = self.kept.crowds.0.take() else { return };
        if let Some(making) = state.making.take() {
            self.fill_crowd(&mut state, making);
        } else if state.deep >= DEEP << state.patience {
            state.deep = 0;
            self.look_for_crowd(&mut state);
        }
        self.kept.crowds.0 = Some(state);
    }

    fn fill_crowd(&self, state: &mut State<K>, mut making: Shortcuts<K>) {
        for _ in 0..FILL {
            let Some(block) = making.next_block() else {
                return state.tables.push(&self.kept.supply, making);
            };
            making.push(&self.kept.supply, self.trie().shortcut(&making, block));
        }
        state.making = Some(making);
    }

    fn look_for_crowd(&mut self, state: &mut State<K>) {
        let sample = self.sample();
        let has_any = |table: &Shortcuts<K>| sample.iter().any(|key| table.has(*key));
        if state.tables.len() >= CROWDS {
            for at in (0..state.tables.len()).rev() {
                if !state.tables.get(at).is_some_and(has_any) {
                    let gone = state.tables.swap_remove(at);
                    discard(&self.kept.supply, gone, &mut self.kept.garbage);
                }
            }
        }
        let least = (self.kept.current.depth() + FURTHER).saturating_sub(BITS);
        let is_new = |key: K| !state.tables.iter().any(|table| table.has(key));
        let common = |window: &[K]| Some((window.first()?.common_bits(*window.last()?), *window.first()?));
        let found =
            sample.windows(MANY).filter_map(common).filter(|(bits, key)| *bits >= least && is_new(*key));
        match found.max_by_key(|(bits, _)| *bits).filter(|_| state.tables.len() < CROWDS) {
            Some((bits, key)) => {
                state.making = Some(Shortcuts::complete(
                    &self.kept.supply,
                    key,
                    extent(&sample, key, bits, least),
                    BITS,
                ));
                state.patience = 0;
            }
            None => state.patience = (state.patience + 1).min(PATIENCE),
        }
    }
}

/// Leaves the chunks of a table to be freed one by one.
fn discard<K: Key>(supply: &Supply, table: Option<Shortcuts<K>>, garbage: &mut dpdk_sys::List<Chunk>) {
    // They have words, no lines.
    let (mut chunks, _) = table.map(Shortcuts::into_chunks).unwrap_or_default();
    while let Some(chunk) = chunks.pop() {
        garbage.push(supply, chunk);
    }
}

/// Fewest bits that a crowd shares: those of its densest part, or fewer as long as each one fewer takes in many more of
/// the sample.
fn extent<K: Key>(sample: &[K], key: K, bits: u8, least: u8) -> u8 {
    let among = |bits: u8| sample.iter().filter(|other| other.common_bits(key) >= bits).count();
    let mut base = bits;
    while base > least && among(base - 1) * 4 >= among(base) * 5 {
        base -= 1;
    }
    base
}

#[cfg(test)]
mod tests {
    use super::super::shortcuts::{self, NODE, ROOT};
    use super::super::{Key4, Lpm4, NO_MATCH, NaiveLpm};

    /// In whatever order they come, neither the hosts of a subnet nor scattered prefixes are left to climb.
    #[test]
    fn a_crowd_and_the_others_are_found_without_climbing() {
        let host = |n: u32| (Key4(0x0AFD_0000 + n), 32);
        let other = |n: u32| (Key4(0x0100_0000 + ((n * 40_503 % 0x3F_FFFF) << 8)), 24);
        let both = (0..120).flat_map(|n| [host(n), other(n)]);
        let orders: [Vec<_>; 3] = [
            (0..120).map(host).chain((0..300).map(other)).collect(),
            (0..300).map(other).chain((0..120).map(host)).collect(),
            both.chain((120..300).map(other)).collect(),
        ];
        for (order, prefixes) in orders.iter().enumerate() {
            let mut table = Lpm4::new();
            // Tables of shortcuts grow with updates.
            for (key, length) in prefixes.iter().cycle().take(4000) {
                assert!(table.insert(*key, *length, 8).is_ok());
            }
            let kept = &table.kept;
            let leads_to_node = |(key, _): (Key4, u8)| {
                let word = kept.current.said(key);
                let said = kept.crowds.word(key).map_or(ROOT, |(said, _)| said);
                shortcuts::kind(word) == NODE && shortcuts::kind(said) == NODE
            };
            let hosts = (0..120).filter(|n| leads_to_node(host(*n))).count();
            let others = (0..300).filter(|n| leads_to_node(other(*n))).count();
            assert!(hosts < 12 && others < 30, "order {order}: {hosts} of 120 hosts, {others} of 300 others");
        }
    }

    /// A table that sees no further update is finished all the same.
    #[test]
    fn a_quiet_table_is_finished_by_tidying() {
        let mut table = Lpm4::new();
        for n in 0..300u32 {
            let (key, length) =
                if n % 2 == 0 { (0x0AFD_0000 + n, 32) } else { (n.wrapping_mul(0x9E37_79B9), 24) };
            assert!(table.insert(Key4(key), length, n).is_ok());
        }
        assert!(table.is_unfinished());
        let rounds = (0..10_000).take_while(|_| table.tidy()).count();
        assert!(rounds > 0 && !table.tidy() && !table.is_unfinished(), "{rounds} rounds");
        assert!(table.shortcuts_are_true() && !table.kept.crowds.is_empty());
    }

    /// Hosts of one subnet come among scattered prefixes, move, and go.
    #[test]
    fn a_crowd_gets_a_table_that_stays_true() {
        let (mut table, mut naive) = (Lpm4::new(), NaiveLpm::<Key4>::default());
        let mut random = 1u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        let check = |table: &Lpm4, naive: &NaiveLpm<Key4>, keys: &[Key4]| {
            let mut values = vec![0; keys.len()];
            table.lookup_burst(keys, &mut values);
            for (key, value) in keys.iter().zip(values) {
                assert_eq!(value, naive.lookup(*key).unwrap_or(NO_MATCH), "{key:x?}");
            }
        };
        let mut crowded = 0;
        for round in 0..6000u32 {
            let (key, length) = match next(10) {
                0 => (next(1 << 32) as u32, 8 + next(25) as u8),
                1 => (0x0AFD_0000 | next(1 << 12) as u32, 15 + next(17) as u8),
                _ => (0x0AFD_0000 | next(1 << 10) as u32, 32),
            };
            let key = Key4(key);
            if round < 3000 && next(4) > 0 || next(3) == 0 {
                assert_eq!(table.insert(key, length, round), naive.insert(key, length, round));
            } else {
                assert_eq!(table.remove(key, length), naive.remove(key, length));
            }
            crowded += usize::from(!table.kept.crowds.is_empty());
            if round % 50 == 0 {
                assert!(table.shortcuts_are_true(), "round {round}");
                let keys: Vec<_> = (0..64).map(|_| Key4(0x0AFD_0000 | next(1 << 13) as u32)).collect();
                check(&table, &naive, &keys);
            }
        }
        assert!(crowded > 1000, "a crowd in {crowded} rounds only");
    }
}
