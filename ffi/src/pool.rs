//! Mempools of mbufs.

use crate::bindings as c;
use crate::eal::Eal;
use crate::error::{Errno, Error};
use crate::mbuf::{HEADROOM, Mbuf};
use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

/// Mbufs a thread keeps at hand without touching the pool's ring.
const CACHE: u32 = 256;

/// What a pool is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Unique in the process, at most 25 letters.
    pub name: String,
    /// Number of mbufs. 2^n - 1 uses memory best.
    pub count: u32,
    /// Largest frame that fits in one mbuf, bytes, without the headroom.
    pub frame_room: u16,
    /// NUMA node; `None`: any.
    pub numa_node: Option<u32>,
}

/// All pools of the process: they live as long as it does, so whoever asks for the same again gets it.
static POOLS: Mutex<Vec<(PoolConfig, Pool)>> = Mutex::new(Vec::new());

/// A handle on a pool of mbufs; clones name the same pool, from any thread.
///
/// The pool lives until the process ends (see [`Eal`]): an [`Mbuf`] may outlive every handle.
#[derive(Clone, Debug)]
pub struct Pool {
    raw: NonNull<c::rte_mempool>,
    count: u32,
    frame_room: u16,
}

// SAFETY: rte_mempool is made for several producers and consumers, and the pool is never freed.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl Pool {
    /// Makes a pool, or hands out the one that was made with the same configuration before. On a
    /// machine without memory on the wanted node, it is made on any.
    ///
    /// # Errors
    /// Not enough memory, a name that is taken or too long, a frame room over 65,407 bytes.
    pub fn new(_eal: &Eal, config: &PoolConfig) -> Result<Self, Error> {
        let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = pools.iter().find(|(made_with, _)| made_with == config) {
            return Ok(pool.clone());
        }
        let node = config.numa_node.map_or(-1, |node| i32::try_from(node).unwrap_or(-1));
        let bytes = config.frame_room.checked_add(HEADROOM);
        let fail = |errno| Error::Pool {
            name: config.name.clone(),
            count: config.count,
            bytes: bytes.unwrap_or(u16::MAX),
            node,
            errno,
            need_mib: need_mib(config),
        };
        let name = CString::new(config.name.as_str()).map_err(|_| Error::ZeroByte(config.name.clone()))?;
        let data_room = bytes.ok_or_else(|| fail(Errno(22)))?;
        // A cache may not be larger than two thirds of the pool.
        let cache = CACHE.min(config.count / 2);
        let make = |node| {
            let mut err = 0;
            // SAFETY: `name` is a string that outlives the call (DPDK copies it); `err` is a place for
            // an int. The EAL runs.
            let raw =
                unsafe { c::pxtr_pool_create(name.as_ptr(), config.count, cache, data_room, node, &mut err) };
            NonNull::new(raw).ok_or(err)
        };
        let raw = match make(node) {
            Err(_) if node >= 0 => make(-1),
            made => made,
        };
        let raw = raw.map_err(|err| fail(Errno::of(err)))?;
        let pool = Self { raw, count: config.count, frame_room: config.frame_room };
        pools.push((config.clone(), pool.clone()));
        Ok(pool)
    }

    /// Mbufs that are free, those in the threads' caches included. Costs a walk over the caches.
    #[must_use]
    pub fn available(&self) -> u32 {
        // SAFETY: pools live as long as the process.
        unsafe { c::pxtr_pool_available(self.raw.as_ptr()) }
    }

    /// Mbufs that are out: held by queues of devices, rings, or [`Mbuf`]s.
    #[must_use]
    pub fn in_use(&self) -> u32 {
        self.count.saturating_sub(self.available())
    }

    /// Mbufs in all.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.count
    }

    /// Largest frame that fits in one mbuf, bytes.
    #[must_use]
    pub fn frame_room(&self) -> u16 {
        self.frame_room
    }

    /// An empty mbuf; `None` when the pool is used up.
    #[inline]
    #[must_use]
    pub fn alloc(&self) -> Option<Mbuf> {
        // SAFETY: pools live as long as the process; a non-null result is ours alone.
        unsafe { Some(Mbuf::from_raw(NonNull::new(c::pxtr_mbuf_alloc(self.raw.as_ptr()))?)) }
    }

    pub(crate) fn as_ptr(&self) -> *mut c::rte_mempool {
        self.raw.as_ptr()
    }
}

/// Memory the pool takes, MiB, rounded up: mbuf header, buffer, and the mempool's own header.
fn need_mib(config: &PoolConfig) -> u64 {
    let each = u64::from(config.frame_room) + u64::from(HEADROOM) + 128 + 64 + 64;
    (u64::from(config.count) * each).div_ceil(1 << 20)
}
