//! The table against its naive twin.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op<K> {
    Insert(K, u8, u32),
    Remove(K, u8),
    /// Remove the n-th of the prefixes that are there.
    RemoveNth(usize),
}

/// Keys as the leading bits of a number.
trait TestKey: Key {
    fn of(bits: u128) -> Self;
    fn number(self) -> u128;

    /// The last address of a prefix.
    fn last(self, length: u8) -> Self {
        Self::of(self.number() | u128::MAX.checked_shr(u32::from(length)).unwrap_or(0))
    }
}

impl TestKey for Key4 {
    fn of(bits: u128) -> Self {
        Self((bits >> 96) as u32)
    }
    fn number(self) -> u128 {
        u128::from(self.0) << 96
    }
}

impl TestKey for Key6 {
    fn of(bits: u128) -> Self {
        bits.into()
    }
    fn number(self) -> u128 {
        self.into()
    }
}

/// Keys that share long runs of bits now and then, so that prefixes nest, touch and overlap.
fn key<K: TestKey>() -> impl Strategy<Value = K> {
    let width = u32::from(K::BITS);
    prop_oneof![
        any::<u128>(),
        (any::<u8>(), 0..width).prop_map(move |(byte, shift)| u128::from(byte) << (128 - width) << shift),
        (0..4u128, 0..64u128).prop_map(move |(top, low)| top << 126 | low << (128 - width)),
        any::<u16>().prop_map(|word| 0x2001_0db8_u128 << 96 | u128::from(word) << 84),
    ]
    .prop_map(K::of)
}

fn op<K: TestKey>() -> impl Strategy<Value = Op<K>> {
    let length = prop_oneof![0..=K::BITS, Just(0), Just(K::BITS), Just(K::BITS - 1), 0..14u8];
    prop_oneof![
        6 => (key(), length.clone(), 0..1000u32).prop_map(|(k, l, v)| Op::Insert(k, l, v)),
        1 => (key(), length).prop_map(|(k, l)| Op::Remove(k, l)),
        3 => any::<usize>().prop_map(Op::RemoveNth),
    ]
}

fn run<K: TestKey>(ops: &[Op<K>], probes: &[K]) -> Result<(), TestCaseError> {
    let mut fast = Lpm::<K>::new();
    let mut naive = NaiveLpm::<K>::new();
    for (turn, op) in ops.iter().enumerate() {
        if turn % 16 == 0 {
            prop_assert!(fast.shortcuts_are_true(), "after {} steps", turn);
        }
        match *op {
            Op::Insert(key, length, value) => {
                prop_assert_eq!(fast.insert(key, length, value), naive.insert(key, length, value));
            }
            Op::Remove(key, length) => {
                prop_assert_eq!(fast.remove(key, length), naive.remove(key, length));
            }
            Op::RemoveNth(n) => {
                let nth = naive.iter().nth(n % naive.len().max(1));
                if let Some((key, length, value)) = nth {
                    prop_assert_eq!(fast.remove(key, length), Some(value));
                    naive.remove(key, length);
                }
            }
        }
    }
    same(&fast, &naive, probes)?;
    prop_assert!(fast.shortcuts_are_true());
    // Emptied, it is as if nothing had been.
    for (key, length, value) in naive.iter() {
        prop_assert_eq!(fast.remove(key, length), Some(value));
    }
    prop_assert!(fast.is_empty());
    prop_assert_eq!(fast.iter().count(), 0);
    prop_assert_eq!(fast.nodes.iter().count(), 0);
    Ok(())
}

fn same<K: TestKey>(fast: &Lpm<K>, naive: &NaiveLpm<K>, probes: &[K]) -> Result<(), TestCaseError> {
    prop_assert_eq!(fast.len(), naive.len());
    let mut all: Vec<_> = fast.iter().map(|(key, length, value)| (length, key, value)).collect();
    all.sort_unstable();
    let expected: Vec<_> = naive.iter().map(|(key, length, value)| (length, key, value)).collect();
    prop_assert_eq!(all, expected);
    let mut keys = probes.to_vec();
    for (key, length, value) in naive.iter() {
        prop_assert_eq!(fast.get(key, length), Some(value));
        keys.push(key);
        keys.push(key.last(length));
    }
    for probe in probes {
        for length in 0..=K::BITS {
            prop_assert_eq!(fast.get(*probe, length), naive.get(*probe, length));
        }
    }
    let mut values = vec![0; keys.len()];
    fast.lookup_burst(&keys, &mut values);
    for (key, value) in keys.iter().zip(values) {
        let expected = naive.lookup(*key);
        prop_assert_eq!(fast.lookup(*key), expected, "{:?}", key);
        prop_assert_eq!(value, expected.unwrap_or(NO_MATCH), "{:?} in a burst", key);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn ipv4_does_as_its_twin(
        ops in prop::collection::vec(op::<Key4>(), 1..600),
        probes in prop::collection::vec(key(), 1..40),
    ) {
        run(&ops, &probes)?;
    }

    #[test]
    fn ipv6_does_as_its_twin(
        ops in prop::collection::vec(op::<Key6>(), 1..600),
        probes in prop::collection::vec(key(), 1..40),
    ) {
        run(&ops, &probes)?;
    }
}

#[test]
fn the_longest_chain_of_nested_prefixes() {
    let mut table = Lpm6::new();
    let key = Key6 { high: u64::MAX, low: u64::MAX };
    for length in 0..=128u8 {
        assert_eq!(table.insert(key, length, u32::from(length)), Ok(None));
    }
    for length in 0..128u8 {
        let probe = Key6::of(!(u128::MAX.checked_shr(u32::from(length)).unwrap_or(0)));
        assert_eq!(table.lookup(probe), Some(u32::from(length)));
    }
    assert_eq!(table.lookup(key), Some(128));
    for length in (0..=128u8).rev() {
        assert_eq!(table.lookup(key), Some(u32::from(length)));
        assert_eq!(table.remove(key, length), Some(u32::from(length)));
    }
    assert_eq!(table.lookup(key), None);
}

#[test]
fn what_can_not_be_stored_is_refused() {
    let mut table = Lpm4::new();
    assert_eq!(table.insert(Key4(0), 33, 1), Err(LpmError::Length { length: 33, max: 32 }));
    assert_eq!(table.insert(Key4(0), 8, NO_MATCH), Err(LpmError::ReservedValue(NO_MATCH)));
    assert_eq!((table.get(Key4(0), 33), table.remove(Key4(0), 200)), (None, None));
    assert!(table.is_empty());
}

#[test]
fn an_empty_table_costs_next_to_nothing() {
    assert!(Lpm4::new().memory_bytes() < 512);
    assert!(Lpm6::new().memory_bytes() < 512);
    let mut table = Lpm4::new();
    table.insert(Key4(1 << 24), 8, 1).unwrap();
    assert!(table.memory_bytes() < 4096);
}

/// Through all sizes of shortcuts and back, in a table whose prefixes crowd in a few places and then
/// in others.
fn grows_and_shrinks<K: TestKey>(regions: [u128; 2], longest: u8) {
    let mut table = Lpm::<K>::new();
    let mut naive = NaiveLpm::<K>::new();
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        state >> 33
    };
    let mut largest = 0;
    for region in regions {
        for step in 0..3000u64 {
            let bits = u128::from(random()) << 97 >> 12 | u128::from(random()) << 50;
            let (key, length) = (K::of(region | bits), (random() % u64::from(longest + 1)) as u8);
            let length = length.max(if random() % 8 == 0 { 0 } else { 14 });
            assert_eq!(table.insert(key, length, step as u32), naive.insert(key, length, step as u32));
            if step % 500 == 0 {
                assert!(table.shortcuts_are_true());
                assert_eq!(table.lookup(key), naive.lookup(key));
            }
        }
        largest = largest.max(table.memory_bytes());
        let keys: Vec<_> = naive.iter().map(|(key, length, _)| key.last(length)).collect();
        let mut values = vec![0; keys.len()];
        table.lookup_burst(&keys, &mut values);
        for (key, value) in keys.iter().zip(values) {
            assert_eq!(Some(value), naive.lookup(*key));
        }
        let all: Vec<_> = naive.iter().collect();
        for (step, (key, length, value)) in all.into_iter().enumerate().filter(|(n, _)| n % 50 != 0) {
            assert_eq!(table.remove(key, length), Some(value));
            naive.remove(key, length);
            if step % 500 == 1 {
                assert!(table.shortcuts_are_true());
                assert_eq!(table.lookup(key), naive.lookup(key));
            }
        }
    }
    assert!(largest < 3000 * 120, "{largest}");
}

#[test]
fn ipv4_grows_and_shrinks() {
    grows_and_shrinks::<Key4>([10 << 120, 192 << 120], 32);
}

/// Short enough for lines.
#[test]
fn short_prefixes_grow_and_shrink() {
    grows_and_shrinks::<Key4>([10 << 120, 192 << 120], 27);
    grows_and_shrinks::<Key6>([0x2001_0db8 << 96, 0x2a00 << 112], 30);
}

#[test]
fn ipv6_grows_and_shrinks() {
    grows_and_shrinks::<Key6>([0x2001_0db8 << 96, 0x2a00 << 112], 128);
}
