//! Who has which units: free runs in lists by length, joined with their free neighbours.

use super::region::{Region, UNIT};
use std::ptr::NonNull;

/// Runs of fewer units have a list for each length.
const EXACT: usize = 64;
/// Lists for each power of two beyond, as a power of two.
const STEPS: u32 = 3;
const LISTS: usize = EXACT + (10 << STEPS);
const WORDS: usize = LISTS.div_ceil(64);
/// Runs that are looked at in the list of those about as long as what is wanted.
const TRIES: usize = 4;

/// In the first unit of a free run; the last one has its length, too.
#[repr(C)]
struct Free {
    units: usize,
    previous: Option<NonNull<Free>>,
    next: Option<NonNull<Free>>,
}

/// The free runs of all regions.
///
/// Its methods are `unsafe` for one reason: pieces that are given back were given out by the same heap, once, with the
/// same number of units, and nobody looks at them any more.
pub(super) struct Heap {
    regions: Option<Region>,
    first: [Option<NonNull<Free>>; LISTS],
    /// Bit set: the list is not empty.
    filled: [u64; WORDS],
    /// Units in use.
    pub(super) used: usize,
}

// SAFETY: it owns its regions and what is free in them.
unsafe impl Send for Heap {}

/// The list of runs of so many units.
const fn list_of(units: usize) -> usize {
    if units < EXACT {
        return units;
    }
    let order = units.ilog2();
    EXACT + ((order - EXACT.ilog2()) << STEPS) as usize + (units >> (order - STEPS)) - (1 << STEPS)
}

/// Fewest units of the runs in a list.
const fn least(list: usize) -> usize {
    if list < EXACT {
        return list;
    }
    let (order, step) = ((list - EXACT) >> STEPS, (list - EXACT) & ((1 << STEPS) - 1));
    ((1 << STEPS) + step) << (EXACT.ilog2() as usize + order - STEPS as usize)
}

impl Heap {
    pub(super) const fn new() -> Self {
        Self { regions: None, first: [None; LISTS], filled: [0; WORDS], used: 0 }
    }

    /// Adds a region.
    ///
    /// # Safety
    /// The caller owns it, and nothing in it is in use; `shared` is the heap's.
    pub(super) unsafe fn add(&mut self, region: Region, shared: *const super::shared::Shared) {
        // SAFETY: as the caller says.
        unsafe {
            region.join(shared, self.regions);
            let (start, units) = region.body();
            self.regions = Some(region);
            self.link(start.cast(), units);
        }
    }

    /// Takes so many units; `None`: there is no such run.
    pub(super) fn take(&mut self, units: usize) -> Option<NonNull<u8>> {
        let found = self.find(units)?;
        self.used += units;
        // SAFETY: runs in the lists are free, and this one is long enough.
        unsafe { self.cut(found, units) };
        Some(found.cast())
    }

    /// Takes `more` units right behind a piece of `units`, if they are free.
    ///
    /// # Safety
    /// The piece is in use.
    pub(super) unsafe fn extend(&mut self, piece: NonNull<u8>, units: usize, more: usize) -> bool {
        let region = Region::of(piece);
        let end = region.unit_of(piece) + units;
        // SAFETY: the piece is in use, so its region lives, and what is free is a run that is ours.
        unsafe {
            if region.is_used(end) {
                return false;
            }
            let behind = piece.add(units * UNIT).cast::<Free>();
            if behind.as_ref().units < more {
                return false;
            }
            self.cut(behind, more);
        }
        self.used += more;
        true
    }

    /// Gives a piece back.
    ///
    /// # Safety
    /// It is in use, has so many units, and nobody looks at it any more.
    pub(super) unsafe fn give_back(&mut self, piece: NonNull<u8>, units: usize) {
        self.used -= units;
        let region = Region::of(piece);
        let unit = region.unit_of(piece);
        let (mut start, mut total) = (piece, units);
        // SAFETY: its region lives; what bits say is free are runs that are ours, the last units of which have their
        // length. The header is in use, so there is a unit before.
        unsafe {
            region.mark(unit, units, false);
            if !region.is_used(unit - 1) {
                let before = piece.sub(UNIT).cast::<Free>().as_ref().units;
                start = piece.sub(before * UNIT);
                total += before;
                self.unlink(start.cast());
            }
            if !region.is_used(unit + units) {
                let behind = piece.add(units * UNIT).cast::<Free>();
                total += behind.as_ref().units;
                self.unlink(behind);
            }
            self.link(start.cast(), total);
        }
    }

    /// So many units at least are free in one piece.
    pub(super) fn longest(&self) -> usize {
        let word = self.filled.iter().rposition(|word| *word != 0);
        word.map_or(0, |word| least(word * 64 + self.filled[word].ilog2() as usize))
    }

    /// A free run of at least so many units; of the shortest ones, all but the tries.
    fn find(&self, units: usize) -> Option<NonNull<Free>> {
        let list = list_of(units);
        let mut next = self.first.get(list).copied().flatten();
        for _ in 0..TRIES {
            let Some(free) = next else { break };
            // SAFETY: runs in the lists are free and ours.
            let free_run = unsafe { free.as_ref() };
            if free_run.units >= units {
                return Some(free);
            }
            next = free_run.next;
        }
        let (mut word, bit) = ((list + 1) / 64, (list + 1) % 64);
        let mut filled = self.filled.get(word)? & (u64::MAX << bit);
        while filled == 0 {
            word += 1;
            filled = *self.filled.get(word)?;
        }
        self.first.get(word * 64 + filled.trailing_zeros() as usize).copied().flatten()
    }

    /// Takes the first units of a free run.
    ///
    /// # Safety
    /// It is in its list, and has as many.
    unsafe fn cut(&mut self, run: NonNull<Free>, units: usize) {
        // SAFETY: as the caller says.
        unsafe {
            let found = run.as_ref().units;
            self.unlink(run);
            let region = Region::of(run.cast());
            region.mark(region.unit_of(run.cast()), units, true);
            if found > units {
                self.link(run.cast::<u8>().add(units * UNIT).cast(), found - units);
            }
        }
    }

    /// Puts a free run at the head of its list.
    ///
    /// # Safety
    /// It is free, and in no list.
    unsafe fn link(&mut self, run: NonNull<Free>, units: usize) {
        let list = list_of(units);
        let next = self.first[list].replace(run);
        self.filled[list / 64] |= 1 << (list % 64);
        // SAFETY: free units are ours to write; the next one is in the list.
        unsafe {
            let last = run.cast::<u8>().add((units - 1) * UNIT).cast::<Free>();
            (*last.as_ptr()).units = units;
            run.write(Free { units, previous: None, next });
            if let Some(next) = next {
                (*next.as_ptr()).previous = Some(run);
            }
        }
    }

    /// Takes a free run out of its list.
    ///
    /// # Safety
    /// It is in it.
    unsafe fn unlink(&mut self, run: NonNull<Free>) {
        // SAFETY: as the caller says; so are its neighbours.
        unsafe {
            let Free { units, previous, next } = run.read();
            match previous {
                Some(previous) => (*previous.as_ptr()).next = next,
                None => {
                    let list = list_of(units);
                    self.first[list] = next;
                    if next.is_none() {
                        self.filled[list / 64] &= !(1 << (list % 64));
                    }
                }
            }
            if let Some(next) = next {
                (*next.as_ptr()).previous = previous;
            }
        }
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        let mut next = self.regions.take();
        while let Some(region) = next {
            // SAFETY: pieces in use keep the supply alive, so there are none.
            next = unsafe { region.unmap() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_by_length() {
        for units in 1..=32768 {
            let list = list_of(units);
            assert!(least(list) <= units && list < LISTS, "{units}");
            assert!(list + 1 == LISTS || least(list + 1) > units, "{units}");
        }
        assert_eq!([768, 1024, 64].map(|units| least(list_of(units))), [768, 1024, 64]);
    }
}
