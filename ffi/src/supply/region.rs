//! Regions: stretches of memory that begin with a header and are given out by units.

use super::shared::Shared;
use crate::mapping::{HUGE, Mapping};
use std::ptr::NonNull;

/// Bytes of a unit, a cache line: what is given out is a whole number of them, aligned to them.
pub(super) const UNIT: usize = 64;
/// Most units that one piece may have: a region without its header.
pub(super) const MAX_UNITS: usize = HUGE / UNIT - header_units(HUGE);

/// At the start of each region; the bits of its units follow.
#[repr(C)]
struct Header {
    /// Whose it is; null as long as it is nobody's.
    shared: *const Shared,
    /// The next region of the same supply.
    next: Option<Region>,
    units: usize,
    memory: Mapping,
}

/// Units of header and bits in a region of so many bytes.
const fn header_units(bytes: usize) -> usize {
    (size_of::<Header>() + (bytes / UNIT).div_ceil(8)).div_ceil(UNIT)
}

/// A region. Whoever holds it must not forget to [unmap](Region::unmap) it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Region(NonNull<Header>);

impl Region {
    /// A region of so many bytes, a power of two up to 2 MiB, with the header's units in use and the others free.
    /// `populated`: all its pages are made, by hugepages if it is a whole one.
    pub(super) fn new(bytes: usize, node: Option<u32>, populated: bool) -> Option<Self> {
        debug_assert!(bytes.is_power_of_two() && bytes <= HUGE && header_units(bytes) * UNIT < bytes);
        let memory = Mapping::new(bytes, node)?;
        if populated {
            memory.populate(0..bytes, bytes == HUGE);
        }
        let start = memory.start().cast::<Header>();
        let header = Header { shared: std::ptr::null(), next: None, units: bytes / UNIT, memory };
        // SAFETY: new, aligned to a page, larger than a header, and all zeros: no unit is in use.
        unsafe { start.write(header) };
        let region = Self(start);
        // SAFETY: nobody else knows of it.
        unsafe { region.mark(0, header_units(bytes), true) };
        Some(region)
    }

    /// Bytes of the smallest region that has so many units besides its header.
    pub(super) fn bytes_for(units: usize) -> usize {
        let bytes = (units * UNIT).next_power_of_two();
        if bytes / UNIT - units >= header_units(bytes) { bytes } else { bytes * 2 }
    }

    /// The region of what a supply has given out.
    pub(super) fn of(piece: NonNull<u8>) -> Self {
        let skip = piece.addr().get() % HUGE;
        // SAFETY: regions begin at multiples of `HUGE` and are no longer.
        Self(unsafe { piece.sub(skip) }.cast())
    }

    /// The pointer it was, for [`Region::from_raw`].
    pub(super) const fn into_raw(self) -> *mut u8 {
        self.0.as_ptr().cast()
    }

    /// `None` of null.
    ///
    /// # Safety
    /// From [`Region::into_raw`].
    pub(super) unsafe fn from_raw(raw: *mut u8) -> Option<Self> {
        NonNull::new(raw.cast()).map(Self)
    }

    /// Unmaps it, and returns the one behind it.
    ///
    /// # Safety
    /// Nobody uses it or anything in it any more.
    pub(super) unsafe fn unmap(self) -> Option<Self> {
        // SAFETY: it is not looked at again, so that the header is moved out of it.
        let header = unsafe { self.0.read() };
        drop(header.memory);
        header.next
    }

    /// Makes it a part of a supply, before the others.
    ///
    /// # Safety
    /// The caller owns it, and all of the supply.
    pub(super) unsafe fn join(self, shared: *const Shared, next: Option<Self>) {
        let header = self.0.as_ptr();
        // SAFETY: as the caller says.
        unsafe {
            (*header).shared = shared;
            (*header).next = next;
        }
    }

    /// Whose it is.
    ///
    /// # Safety
    /// It lives, and has been joined to a supply, which nobody changes.
    pub(super) unsafe fn shared(self) -> *const Shared {
        // SAFETY: as the caller says.
        unsafe { (*self.0.as_ptr()).shared }
    }

    /// # Safety
    /// It lives.
    pub(super) unsafe fn units(self) -> usize {
        // SAFETY: as the caller says; it never changes.
        unsafe { (*self.0.as_ptr()).units }
    }

    /// First unit behind the header, and how many there are.
    ///
    /// # Safety
    /// It lives.
    pub(super) unsafe fn body(self) -> (NonNull<u8>, usize) {
        // SAFETY: as the caller says.
        let units = unsafe { self.units() };
        let header = header_units(units * UNIT);
        // SAFETY: the header is smaller than the region.
        (unsafe { self.0.cast::<u8>().add(header * UNIT) }, units - header)
    }

    /// Number of the unit at a place in it.
    pub(super) fn unit_of(self, piece: NonNull<u8>) -> usize {
        (piece.addr().get() - self.0.addr().get()) / UNIT
    }

    /// Word of the bits that has this unit's.
    ///
    /// # Safety
    /// It lives and has such a unit.
    unsafe fn word(self, unit: usize) -> *mut u64 {
        // SAFETY: the bits follow the header, which is a multiple of 8 bytes long.
        unsafe { self.0.as_ptr().add(1).cast::<u64>().add(unit / 64) }
    }

    /// The unit is in use; there is none behind the last one.
    ///
    /// # Safety
    /// The caller holds the supply.
    pub(super) unsafe fn is_used(self, unit: usize) -> bool {
        // SAFETY: as the caller says.
        unsafe { unit >= self.units() || *self.word(unit) >> (unit % 64) & 1 != 0 }
    }

    /// Says of units that they are in use, or are not.
    ///
    /// # Safety
    /// The caller holds the supply; there are such units.
    pub(super) unsafe fn mark(self, unit: usize, count: usize, used: bool) {
        let (mut from, end) = (unit, unit + count);
        while from < end {
            let until = end.min((from / 64 + 1) * 64);
            let bits = (u64::MAX >> (64 - (until - from))) << (from % 64);
            // SAFETY: as the caller says.
            unsafe {
                let word = self.word(from);
                *word = if used { *word | bits } else { *word & !bits };
            }
            from = until;
        }
    }
}
