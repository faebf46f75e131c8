//! The engine's one source of randomness: `ChaCha20`, seeded by the runtime from the OS and by the
//! simulator from its seed (R-054; RFC 9301 section 5.2 wants random nonces).

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng};

/// A seeded CSPRNG. Its state is never printed: who knows it knows the nonces to come.
pub struct Rng(ChaCha20Rng);

impl std::fmt::Debug for Rng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rng(..)")
    }
}

impl Rng {
    /// A generator whose whole output follows from `seed`.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// A random nonce; never 0, because peers send 0 when they mean "none" (peers.md 5).
    pub fn nonce(&mut self) -> u64 {
        loop {
            let nonce = self.0.next_u64();
            if nonce != 0 {
                return nonce;
            }
        }
    }

    /// A number in `0..bound`, 0 when `bound` is 0. The bias of the multiply-shift is below
    /// `bound / 2^64`: fit for jitter and choices, not for key material.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// `value` changed at random by up to `percent` of itself, up or down.
    pub fn jitter(&mut self, value: u64, percent: u64) -> u64 {
        let spread = value.saturating_mul(percent) / 100;
        value.saturating_sub(spread).saturating_add(self.below(spread.saturating_mul(2).saturating_add(1)))
    }

    /// Fills `bytes` (keys, identifiers).
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn same_seed_same_stream_and_jitter_stays_in_bounds() {
        let (mut a, mut b) = (Rng::new([7; 32]), Rng::new([7; 32]));
        for _ in 0..1000 {
            assert_eq!(a.nonce(), b.nonce());
            let j = a.jitter(1000, 10);
            assert_eq!(j, b.jitter(1000, 10));
            assert!((900..=1100).contains(&j));
        }
        assert_eq!(a.below(0), 0);
        assert_eq!(a.jitter(0, 10), 0);
    }
}
