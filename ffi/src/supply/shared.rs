//! The two ends of a supply.

use super::heap::Heap;
use super::region::{MAX_UNITS, Region, UNIT};
use crate::mapping::{HUGE, node_here};
use std::alloc::{Layout, handle_alloc_error};
use std::fmt;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Regions that wait to be taken up.
const INBOX: usize = 16;
/// Bytes of regions that the working end fetches by itself: a part of what it has, within bounds. They are not
/// populated: what is touched of them counts.
const OWN: (usize, usize) = (4096, 256 << 10);
const OWN_PART: usize = 8;

/// What both ends and all pieces that are in use share.
pub(super) struct Shared {
    /// Locked by the working end alone, so that it never waits.
    heap: Mutex<Heap>,
    inbox: [AtomicPtr<u8>; INBOX],
    /// Bytes of all regions.
    held: AtomicUsize,
    /// Bytes in use.
    used: AtomicUsize,
    /// Bytes in one piece that are free, at least; those of the inbox apart.
    longest: AtomicUsize,
    misses: AtomicU64,
    node: Option<u32>,
}

/// The working end, for one thread. A clone is the same supply.
#[derive(Clone)]
pub struct Supply(Arc<Shared>);

/// The end of the thread that prepares memory.
pub struct Depot(Arc<Shared>);

/// How much a supply has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Bytes of all regions.
    pub held: usize,
    /// Bytes in use.
    pub used: usize,
    /// Bytes that can be had in one piece, at least.
    pub longest: usize,
    /// Times that the working end had to ask the kernel by itself.
    pub misses: u64,
}

impl Default for Supply {
    /// An empty one, of the NUMA node of the calling thread.
    fn default() -> Self {
        Self(Arc::new(Shared {
            heap: Mutex::new(Heap::new()),
            inbox: [const { AtomicPtr::new(null_mut()) }; INBOX],
            held: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            longest: AtomicUsize::new(0),
            misses: AtomicU64::new(0),
            node: node_here(),
        }))
    }
}

impl Supply {
    /// The other end. Ask once.
    #[must_use]
    pub fn depot(&self) -> Depot {
        Depot(Arc::clone(&self.0))
    }

    /// How much there is.
    #[must_use]
    pub fn level(&self) -> Level {
        self.0.level()
    }

    /// So many units, which are the caller's until [`give_back`]. Ends the process, as any allocation does, when the
    /// machine has no memory.
    pub(super) fn take(&self, units: usize) -> NonNull<u8> {
        assert!(units <= MAX_UNITS, "{units} units are more than a region has");
        let mut heap = self.0.lock();
        let piece = loop {
            if let Some(piece) = heap.take(units) {
                break piece;
            }
            let region = self.0.receive().unwrap_or_else(|| self.0.fetch(units));
            // SAFETY: it is ours now, and new.
            unsafe { heap.add(region, Arc::as_ptr(&self.0)) };
        };
        self.0.note(&heap);
        drop(heap);
        // The piece keeps the supply alive: `give_back`.
        std::mem::forget(Arc::clone(&self.0));
        piece
    }

    /// The supply that a piece is of.
    ///
    /// # Safety
    /// The piece is in use.
    pub(super) unsafe fn of(piece: NonNull<u8>) -> Self {
        // SAFETY: the piece keeps supply and region alive, and has its share of the count.
        unsafe {
            let shared = Region::of(piece).shared();
            Arc::increment_strong_count(shared);
            Self(Arc::from_raw(shared))
        }
    }
}

/// Takes `more` units right behind a piece of `units`, if they are free.
///
/// # Safety
/// The piece is in use, and has so many.
pub(super) unsafe fn extend(piece: NonNull<u8>, units: usize, more: usize) -> bool {
    // SAFETY: as the caller says.
    let supply = unsafe { Supply::of(piece) };
    let mut heap = supply.0.lock();
    // SAFETY: as the caller says.
    let done = unsafe { heap.extend(piece, units, more) };
    supply.0.note(&heap);
    done
}

/// Gives a piece back.
///
/// # Safety
/// It is in use, has so many units, and nobody looks at it any more.
pub(super) unsafe fn give_back(piece: NonNull<u8>, units: usize) {
    // SAFETY: as the caller says; the count is that of `take`.
    let shared = unsafe { Arc::from_raw(Region::of(piece).shared()) };
    let mut heap = shared.lock();
    // SAFETY: as the caller says.
    unsafe { heap.give_back(piece, units) };
    shared.note(&heap);
}

impl Depot {
    /// How much there is.
    #[must_use]
    pub fn level(&self) -> Level {
        self.0.level()
    }

    /// Adds a region of so many bytes, rounded up to a power of two from 4 KiB to 2 MiB. `false`: too many are waiting
    /// already, or the kernel has no memory.
    pub fn add(&mut self, bytes: usize) -> bool {
        let bytes = bytes.clamp(OWN.0, HUGE).next_power_of_two();
        let Some(slot) = self.0.inbox.iter().find(|slot| slot.load(Ordering::Relaxed).is_null()) else {
            return false;
        };
        let Some(region) = Region::new(bytes, self.0.node, true) else { return false };
        self.0.held.fetch_add(bytes, Ordering::Relaxed);
        // Only this end fills slots. What was written is seen by who takes it.
        slot.store(region.into_raw(), Ordering::Release);
        true
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Heap> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A region that the other end has added.
    fn receive(&self) -> Option<Region> {
        let taken = |slot: &AtomicPtr<u8>| {
            if slot.load(Ordering::Relaxed).is_null() {
                return None;
            }
            // SAFETY: slots hold what came from `into_raw`, and swapping takes it out.
            unsafe { Region::from_raw(slot.swap(null_mut(), Ordering::Acquire)) }
        };
        self.inbox.iter().find_map(taken)
    }

    /// A region that has so many units, straight from the kernel.
    #[cold]
    fn fetch(&self, units: usize) -> Region {
        self.misses.fetch_add(1, Ordering::Relaxed);
        let part = (self.held.load(Ordering::Relaxed) / OWN_PART).clamp(OWN.0, OWN.1).next_power_of_two();
        let bytes = part.max(Region::bytes_for(units));
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Region::new(bytes, self.node, false)
            .unwrap_or_else(|| handle_alloc_error(Layout::new::<[u8; HUGE]>()))
    }

    /// Publishes how much there is.
    fn note(&self, heap: &Heap) {
        self.used.store(heap.used * UNIT, Ordering::Relaxed);
        self.longest.store(heap.longest() * UNIT, Ordering::Relaxed);
    }

    fn level(&self) -> Level {
        let free = |slot: &AtomicPtr<u8>| {
            // SAFETY: regions live as long as this does, whoever has taken them meanwhile, and keep their size.
            unsafe { Region::from_raw(slot.load(Ordering::Acquire)).map(|region| region.body().1 * UNIT) }
        };
        let waiting = self.inbox.iter().filter_map(free).max().unwrap_or(0);
        let held = self.held.load(Ordering::Relaxed);
        Level {
            held,
            used: self.used.load(Ordering::Relaxed).min(held),
            longest: self.longest.load(Ordering::Relaxed).max(waiting),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        while let Some(region) = self.receive() {
            // SAFETY: nobody has it any more.
            unsafe { region.unmap() };
        }
    }
}

impl fmt::Debug for Supply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Supply").field(&self.level()).finish()
    }
}

impl fmt::Debug for Depot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Depot").field(&self.level()).finish()
    }
}
