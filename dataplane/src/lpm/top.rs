//! Keys outside the region of the shortcuts: native destinations in a table of mappings, or what nobody has a
//! mapping for.
//!
//! They have shortcuts of their own, one word for each slot of the root, that know all prefixes but that of
//! length 0. Kept true as all others are; there are none as long as the region is everything, or there are no
//! shortcuts at all, as in small tables of which there are very many.

use super::Key;
use super::shortcuts::{MIN_BITS, Shortcuts};
use super::table::Lpm;
use dpdk_sys::Lone;

impl<K: Key> Lpm<K> {
    /// To be called when other shortcuts are taken into use.
    pub(super) fn set_top(&mut self) {
        if !self.kept.current.is_partial() {
            self.kept.top = None;
        } else if self.kept.top.is_none() {
            let supply = &self.kept.supply;
            let mut top = Shortcuts::complete(supply, K::default(), 0, MIN_BITS);
            while let Some(block) = top.next_block() {
                top.push(supply, self.trie().shortcut(&top, block));
            }
            self.kept.top = Some(Lone::new(supply, top));
        }
    }
}

/// Bytes taken from the supply.
pub(super) fn memory_bytes<K: Key>(top: Option<&Lone<Shortcuts<K>>>) -> usize {
    top.map_or(0, |top| top.memory_bytes() + Shortcuts::memory_bytes(top))
}

#[cfg(test)]
mod tests {
    use super::super::{Key4, Lpm4, NO_MATCH, NaiveLpm};

    /// Short prefixes come, go and change their values while bursts go by that lie outside the region of the
    /// shortcuts, inside, in a crowd, and in all of them.
    #[test]
    fn bursts_outside_the_region_are_told_what_is_true() {
        let (mut table, mut naive) = (Lpm4::new(), NaiveLpm::<Key4>::default());
        let mut random = 1u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        let (mut topped, mut bare) = (0, 0);
        for round in 0..8000u32 {
            // More and more come, then nearly all of them go.
            let coming = if round < 6000 { next(3) > 0 } else { next(8) == 0 };
            let (key, length) = match next(40) {
                0 => (next(1 << 32) as u32, next(9) as u8),
                1 => (next(1 << 32) as u32, 9 + next(24) as u8),
                2..10 => (0x8AFD_0000 | next(1 << 7) as u32, 32),
                _ => (0x8000_0000 | (next(1 << 12) as u32 * 0x4001), 20 + next(10) as u8),
            };
            match coming {
                true => {
                    assert_eq!(table.insert(Key4(key), length, round), naive.insert(Key4(key), length, round))
                }
                false => assert_eq!(table.remove(Key4(key), length), naive.remove(Key4(key), length)),
            }
            match table.kept.top.is_some() {
                true => topped += 1,
                false => bare += 1,
            }
            if round % 16 != 0 {
                continue;
            }
            assert!(table.shortcuts_are_true(), "round {round}");
            for kind in 0..4 {
                let keys: Vec<_> = (0..next(70))
                    .map(|n| match if kind == 3 { n % 3 } else { kind } {
                        0 => next(1 << 32) as u32 & 0x7FFF_FFFF,
                        1 => 0x8000_0000 | next(1 << 27) as u32,
                        _ => 0x8AFD_0000 | next(1 << 7) as u32,
                    })
                    .map(Key4)
                    .collect();
                let mut values = vec![0; keys.len()];
                table.lookup_burst(&keys, &mut values);
                for (key, value) in keys.iter().zip(values) {
                    assert_eq!(value, naive.lookup(*key).unwrap_or(NO_MATCH), "round {round}: {key:x?}");
                    assert_eq!(table.lookup(*key), naive.lookup(*key), "round {round}: {key:x?}");
                }
            }
        }
        assert!(topped > 1000 && bare > 10, "{topped} rounds with, {bare} without");
    }
}
