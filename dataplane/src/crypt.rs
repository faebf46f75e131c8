//! Keys of the encrypted data plane (RFC 8061): what control gives the workers to encrypt and decrypt
//! with. The packets are in `path/crypt.rs`.
//!
//! | suite | cipher | key | IV on the wire | nonce of the cipher |
//! |---|---|---|---|---|
//! | 5 | AES-128-GCM | 16 | 12: four zero bytes, counter of 8 | the IV |
//! | 6 | ChaCha20-Poly1305 | 32 | 8: counter | four zero bytes, the IV |
//!
//! The others of RFC 8061 section 6 are not offered: their Diffie-Hellman groups of 2048 and 3072 bits
//! cost a thousand times as much as X25519, and suites 1 and 2 need two passes over each packet (CBC,
//! then HMAC).
//!
//! No IV is used twice with a key, whichever worker uses it: a worker takes blocks of a million of them
//! from a counter that all share, and goes through them by itself.

use ring::aead::{self, Aad, LessSafeKey, UnboundKey};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Bytes of the integrity check value behind the payload, of both suites.
pub const TAG: usize = 16;
/// Bytes of the longest IV.
pub const IV_MAX: usize = 12;
/// IVs that a worker takes at a time.
const BLOCK: u64 = 1 << 20;

/// A cipher suite, by its number (RFC 8061 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Suite {
    /// X25519, AES-128-GCM.
    Aes128Gcm = 5,
    /// X25519, ChaCha20-Poly1305.
    ChaCha20Poly1305 = 6,
}

impl Suite {
    /// By its number on the wire.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            5 => Some(Self::Aes128Gcm),
            6 => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }

    /// Number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Bytes of the key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Bytes of the IV in front of the payload.
    #[inline(always)]
    #[must_use]
    pub const fn iv_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 12,
            Self::ChaCha20Poly1305 => 8,
        }
    }

    /// Bytes that encryption adds to a packet.
    #[inline(always)]
    #[must_use]
    pub const fn overhead(self) -> usize {
        self.iv_len() + TAG
    }
}

/// A key with its suite and key-id. Clones are the same key. It shows nowhere.
#[derive(Clone)]
pub struct Key(Arc<Material>);

struct Material {
    suite: Suite,
    id: u8,
    cipher: LessSafeKey,
    first_iv: u64,
    /// The next block of IVs. Written by the workers, once in a million packets.
    next_block: AtomicU64,
    /// A packet was decrypted with it. Set by workers, taken back by control.
    used: AtomicBool,
}

impl Key {
    /// A key of this suite with this key-id, 1 to 3. `None`: other numbers, or too few bytes. IVs begin
    /// with `first_iv`: at random, so that who has not seen a packet can not name one.
    #[must_use]
    pub fn new(suite: Suite, id: u8, bytes: &[u8], first_iv: u64) -> Option<Self> {
        let algorithm = match suite {
            Suite::Aes128Gcm => &aead::AES_128_GCM,
            Suite::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        };
        let cipher = LessSafeKey::new(UnboundKey::new(algorithm, bytes).ok()?);
        let (next_block, used) = (AtomicU64::new(first_iv), AtomicBool::new(false));
        (1..=3)
            .contains(&id)
            .then(|| Self(Arc::new(Material { suite, id, cipher, first_iv, next_block, used })))
    }

    /// Its suite.
    #[inline(always)]
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.0.suite
    }

    /// Its key-id.
    #[inline(always)]
    #[must_use]
    pub fn id(&self) -> u8 {
        self.0.id
    }

    /// A packet was decrypted with it since this was asked last. For control.
    #[must_use]
    pub fn take_used(&self) -> bool {
        self.0.used.load(Relaxed) && self.0.used.swap(false, Relaxed)
    }

    /// An IV like this, as on the wire, may have gone out with this key and key-id.
    #[must_use]
    pub fn has_issued(&self, id: u8, iv: &[u8]) -> bool {
        let Some((zeros, counter)) = iv.get(..self.0.suite.iv_len()).and_then(<[u8]>::split_last_chunk)
        else {
            return false;
        };
        let (issued, at) = (self.0.next_block.load(Relaxed), u64::from_be_bytes(*counter));
        let in_range = at.wrapping_sub(self.0.first_iv) < issued.wrapping_sub(self.0.first_iv);
        in_range && id == self.0.id && zeros.iter().all(|byte| *byte == 0)
    }

    /// Encrypts in place: `text` becomes the ciphertext, the integrity check value is returned. `iv`: as
    /// [`Sealer::next_iv`] gave it. `None`: longer than the cipher can.
    #[must_use]
    pub fn seal(&self, iv: u64, associated: &[u8], text: &mut [u8]) -> Option<[u8; TAG]> {
        let tag = self.0.cipher.seal_in_place_separate_tag(nonce(iv), Aad::from(associated), text).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Decrypts in place what ends with its integrity check value. `false`: it is not what the holder of
    /// the key sent; the text is lost then.
    #[must_use]
    pub fn open(&self, iv: &[u8], associated: &[u8], text: &mut [u8]) -> bool {
        // All senders but us may use all of the twelve bytes.
        let mut nonce = [0; IV_MAX];
        let Some(tail) = nonce.get_mut(IV_MAX - self.0.suite.iv_len()..) else { return false };
        if tail.len() != iv.len() {
            return false;
        }
        tail.copy_from_slice(iv);
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let opened = self.0.cipher.open_in_place(nonce, Aad::from(associated), text).is_ok();
        if opened && !self.0.used.load(Relaxed) {
            self.0.used.store(true, Relaxed);
        }
        opened
    }

    fn take_block(&self) -> u64 {
        self.0.next_block.fetch_add(BLOCK, Relaxed)
    }
}

/// The nonce of either cipher: four zero bytes and the counter.
fn nonce(iv: u64) -> aead::Nonce {
    let nonce = (u128::from(iv)).to_be_bytes();
    aead::Nonce::assume_unique_for_key(nonce.last_chunk().copied().unwrap_or_default())
}

/// An IV as it goes on the wire: the last [`Suite::iv_len`] bytes of it.
#[must_use]
pub fn iv_bytes(iv: u64) -> [u8; IV_MAX] {
    u128::from(iv).to_be_bytes().last_chunk().copied().unwrap_or_default()
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, suite {}, ..)", self.0.id, self.0.suite.number())
    }
}

/// The keys of a peer's packets, by the RLOC of ours that they come to and by key-id: at most three for
/// each of our RLOCs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerKeys(Box<[(IpAddr, Key)]>);

impl PeerKeys {
    /// These keys.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (IpAddr, Key)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// The key of packets to this RLOC of ours with this key-id.
    #[inline]
    #[must_use]
    pub fn get(&self, destination: IpAddr, id: u8) -> Option<&Key> {
        self.0.iter().find(|(ours, key)| key.id() == id && *ours == destination).map(|(_, key)| key)
    }
}

/// A key in the hands of one worker: it gives out the IVs.
#[derive(Debug)]
pub struct Sealer {
    key: Key,
    /// The next IV, and where its block ends. Only this worker touches them.
    next: AtomicU64,
    end: AtomicU64,
}

impl Sealer {
    /// For a worker of its own.
    #[must_use]
    pub fn new(key: Key) -> Self {
        let first = key.take_block();
        Self { key, next: AtomicU64::new(first), end: AtomicU64::new(first.wrapping_add(BLOCK)) }
    }

    /// Its key.
    #[inline(always)]
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Gives the key back.
    #[must_use]
    pub fn into_key(self) -> Key {
        self.key
    }

    /// An IV that was never given out before with this key.
    #[inline]
    #[must_use]
    pub fn next_iv(&self) -> u64 {
        let mut iv = self.next.load(Relaxed);
        if iv == self.end.load(Relaxed) {
            iv = self.key.take_block();
            self.end.store(iv.wrapping_add(BLOCK), Relaxed);
        }
        self.next.store(iv.wrapping_add(1), Relaxed);
        iv
    }
}

#[cfg(test)]
#[path = "crypt_tests.rs"]
mod tests;
