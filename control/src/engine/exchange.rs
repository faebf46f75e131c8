//! The key exchange of RFC 8061 as arithmetic: X25519 (RFC 7748), and keys out of its secret.
//!
//! ```text
//! key material = HMAC-SHA-256(shared secret, 0x0001 | "lisp-crypto" NUL | nonce of the Map-Request | bits)
//! ```
//! The string ends with a NUL: section 7 says so in words, its worked example shows none (TRAP 8), and
//! no published vector decides. Both ends must do the same, and ours do. One call is enough: both suites
//! need no more than 256 bits.

use super::rng::Rng;
use hmac::{Hmac, KeyInit, Mac};
use pxtr_dataplane::crypt::{Key, Suite};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// A public key as on the wire.
pub type Public = [u8; 32];

/// Our half of an exchange. Wiped when dropped, shown nowhere.
pub struct Private(StaticSecret);

impl Private {
    /// A new one.
    pub fn new(rng: &mut Rng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill(&mut *bytes);
        Self(StaticSecret::from(*bytes))
    }

    /// What the other end is told.
    #[must_use]
    pub fn public(&self) -> Public {
        PublicKey::from(&self.0).to_bytes()
    }

    /// The key that both ends have in common. `None`: the other end sent a number that makes no secret
    /// (RFC 7748 section 6.1).
    #[must_use]
    pub fn agree(
        &self,
        theirs: &Public,
        nonce: u64,
        (suite, id): (Suite, u8),
        first_iv: u64,
    ) -> Option<WorkerKey> {
        let shared = self.0.diffie_hellman(&PublicKey::from(*theirs));
        if !shared.was_contributory() {
            return None;
        }
        let material = material(shared.as_bytes(), nonce, suite)?;
        let key = Key::new(suite, id, material.get(..suite.key_len())?, first_iv)?;
        Some(WorkerKey { exchange: nonce, id, key: Some(key) })
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private(..)")
    }
}

/// The first 256 bits of key material.
fn material(shared: &[u8], nonce: u64, suite: Suite) -> Option<Zeroizing<[u8; 32]>> {
    let bits = u16::try_from(suite.key_len() * 8).ok()?;
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(shared).ok()?;
    for part in [&1u16.to_be_bytes()[..], b"lisp-crypto\0", &nonce.to_be_bytes(), &bits.to_be_bytes()] {
        mac.update(part);
    }
    Some(Zeroizing::new(mac.finalize().into_bytes().into()))
}

/// A key on its way to the workers. In journals there is only which exchange it came from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerKey {
    /// Nonce of the Map-Request that it was agreed with.
    exchange: u64,
    /// Key-id.
    id: u8,
    #[serde(skip)]
    key: Option<Key>,
}

impl WorkerKey {
    /// The key; none, where it was read from a journal.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Key-id.
    #[must_use]
    pub const fn id(&self) -> u8 {
        self.id
    }
}

impl PartialEq for WorkerKey {
    fn eq(&self, other: &Self) -> bool {
        (self.exchange, self.id) == (other.exchange, other.id)
    }
}

impl Eq for WorkerKey {}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Public {
        std::array::from_fn(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap())
    }

    const BOB: &str = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
    const ALICE_PUBLIC: &str = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
    const SHARED: &str = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";

    /// RFC 7748 section 6.1, and key material out of that secret as Python's hmac makes it.
    #[test]
    fn r216_trap8_the_published_exchange_and_what_is_made_of_its_secret() {
        let bob = Private(StaticSecret::from(hex(BOB)));
        assert_eq!(bob.public(), hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
        let shared = bob.0.diffie_hellman(&PublicKey::from(hex(ALICE_PUBLIC)));
        assert_eq!(*shared.as_bytes(), hex(SHARED));
        let nonce = 0x0102_0304_0506_0708;
        let material = |suite| *material(&hex(SHARED), nonce, suite).unwrap();
        let short = "8bb2df2f7d000c40d89a2cd33dc957583dda496f1bc3502d692913a4ebfd9c08";
        assert_eq!(material(Suite::Aes128Gcm), hex(short));
        let long = "a1cf2f312721b813a544c7d13087a9e8e7d342b7bae388fc3c7e4fc988273711";
        assert_eq!(material(Suite::ChaCha20Poly1305), hex(long));
        let key = bob.agree(&hex(ALICE_PUBLIC), nonce, (Suite::Aes128Gcm, 2), 7).unwrap();
        let ours = Key::new(Suite::Aes128Gcm, 2, &hex(short)[..16], 7).unwrap();
        let (mut one, mut two) = (*b"text", *b"text");
        assert_eq!(key.key().unwrap().seal(9, b"x", &mut one), ours.seal(9, b"x", &mut two));
        assert_eq!((one, key.id()), (two, 2));
    }

    #[test]
    fn numbers_that_make_no_secret_are_refused_and_nothing_shows() {
        let mut rng = Rng::new([7; 32]);
        let private = Private::new(&mut rng);
        for theirs in [[0; 32], std::array::from_fn(|at| u8::from(at == 0))] {
            assert_eq!(private.agree(&theirs, 1, (Suite::Aes128Gcm, 1), 0), None);
        }
        let key = private.agree(&Private::new(&mut rng).public(), 3, (Suite::Aes128Gcm, 1), 0).unwrap();
        assert_eq!(format!("{private:?}"), "Private(..)");
        assert_eq!(format!("{key:?}"), "WorkerKey { exchange: 3, id: 1, key: Some(Key(1, suite 5, ..)) }");
        let written = serde_json::to_string(&key).unwrap();
        assert_eq!(written, "{\"exchange\":3,\"id\":1}");
        assert_eq!(serde_json::from_str::<WorkerKey>(&written).unwrap(), key);
    }
}
