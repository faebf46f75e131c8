//! Choices: out of a fuzzer's bytes as long as there are any, then out of a seed. Equal seeds make equal
//! choices.

/// A source of choices.
#[derive(Clone, Debug)]
pub struct Dice {
    bytes: Vec<u8>,
    at: usize,
    state: u64,
}

impl Dice {
    pub fn seeded(seed: u64) -> Self {
        Self { bytes: Vec::new(), at: 0, state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) }
    }

    /// Chooses by these bytes, and then as they have it.
    pub fn fed(bytes: &[u8]) -> Self {
        let state = bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Self { bytes: bytes.to_vec(), at: 0, state }
    }

    /// 16 bits of the fuzzer's, or 64 of the seed's (SplitMix64).
    pub fn word(&mut self) -> u64 {
        if let Some([a, b]) = self.bytes.get(self.at..self.at + 2) {
            self.at += 2;
            return u64::from(u16::from_be_bytes([*a, *b]));
        }
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.state ^ self.state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    pub fn byte(&mut self) -> u8 {
        self.word() as u8
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound.max(1) as u64) as usize
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let first = self.byte();
        (0..count).map(|n| first.wrapping_add((n * 31) as u8)).collect()
    }

    /// 128 bits.
    pub fn wide(&mut self) -> u128 {
        (0..8).fold(0, |bits, _| bits << 16 | u128::from(self.word() as u16))
    }
}

#[test]
fn equal_inputs_make_equal_choices() {
    // Not a closure: rustc 1.95 may pass one `Dice` to two calls of it (rust-lang/rust#155241).
    fn words(mut dice: Dice) -> Vec<u64> {
        (0..8).map(|_| dice.word()).collect()
    }
    assert_eq!(words(Dice::seeded(7)), words(Dice::seeded(7)));
    assert_ne!(words(Dice::seeded(7)), words(Dice::seeded(8)));
    let fed = words(Dice::fed(&[1, 2, 3, 4]));
    assert_eq!(fed[..2], [0x0102, 0x0304]);
    assert_eq!(fed, words(Dice::fed(&[1, 2, 3, 4])));
    assert_ne!(fed[2..], words(Dice::fed(&[1, 2, 3, 5]))[2..]);
}
