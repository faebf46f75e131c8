//! A table large enough for what only large tables have does as its naive twin, while prefixes come, change and go.

use pxtr_dataplane::lpm::{Key, Key4, Key6, Lpm, NO_MATCH, NaiveLpm};

/// Prefixes, most of them of one length, some longer, and some shorter that cover many others.
const COUNT: u64 = 90_000;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn compare<K: Key>(usual: u8, key: impl Fn(u64) -> K) {
    let (mut random, mut table, mut naive) = (Random(1), Lpm::<K>::new(), NaiveLpm::<K>::new());
    let length = |random: &mut Random| match random.below(100) {
        0..=1 => usual - 9 + random.below(5) as u8,
        2..=9 => usual + random.below(6) as u8,
        10 => usual + 8,
        _ => usual,
    };
    for step in 0..COUNT * 3 / 2 {
        let (at, length) = (key(random.below(1 << 22)), length(&mut random));
        // A few values are too large for small numbers.
        let value = if step % 1000 == 0 { NO_MATCH - 1 } else { step as u32 };
        if step < COUNT * 9 / 8 {
            assert_eq!(table.insert(at, length, value), naive.insert(at, length, value));
        } else {
            assert_eq!(table.remove(at, length), naive.remove(at, length));
        }
        if step % 10_000 == 9_999 {
            while table.tidy() {}
            let keys: Vec<_> = (0..1000).map(|_| key(random.below(1 << 22))).collect();
            let (mut found, mut expected) = (vec![0; keys.len()], vec![0; keys.len()]);
            table.lookup_burst(&keys, &mut found);
            naive.lookup_burst(&keys, &mut expected);
            assert_eq!(found, expected, "after {step} steps");
            let found: Vec<_> = keys.iter().map(|key| table.lookup(*key).unwrap_or(NO_MATCH)).collect();
            assert_eq!(found, expected, "by themselves after {step} steps");
        }
    }
}

#[test]
fn large_tables_do_as_their_twin() {
    compare(24, |n| Key4(0x4000_0000 | (n as u32) << 8 | 9));
    compare(40, |n| Key6 { high: 0x2001_0000_0000_0000 | n << 26 | 9 << 20, low: 7 });
}
