//! A bounded ring between two threads, for bursts: one end puts in, the other takes out.
//!
//! Both ends count what went through them, for ever; the difference is what waits. An end tells the other
//! of its count only when asked to ([`Sender::publish`], [`Receiver::release`]), so that a burst moves the shared
//! cache lines once, and it looks at the other's count only when what it knows of it does not suffice.

use std::cell::UnsafeCell;
use std::fmt;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Alone on its pair of cache lines: CPUs fetch pairs.
#[repr(align(128))]
struct Apart(AtomicUsize);

struct Shared<T> {
    /// As many as the next power of two above `capacity`. Items number `taken..put` lie in slots of that number modulo
    /// their length, and are initialised.
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
    capacity: usize,
    put: Apart,
    taken: Apart,
}

// SAFETY: a slot is reached by one end at a time: by the sender until it publishes the item with Release, which
// the receiver sees with Acquire; by the receiver until it releases the slot in the same way. Items move from
// thread to thread, hence T: Send.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// The slot of item number `number`.
    #[inline(always)]
    fn slot(&self, number: usize) -> *mut MaybeUninit<T> {
        self.slots[number & (self.slots.len() - 1)].get()
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // Both ends are gone, and told their counts when they went.
        let (mut number, put) = (*self.taken.0.get_mut(), *self.put.0.get_mut());
        while number != put {
            // SAFETY: items `taken..put` are initialised and nobody else's.
            unsafe { (*self.slot(number)).assume_init_drop() };
            number = number.wrapping_add(1);
        }
    }
}

/// The end that puts in.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
    put: usize,
    published: usize,
    /// As last looked at.
    taken: usize,
}

/// The end that takes out.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    taken: usize,
    /// As last looked at.
    put: usize,
}

/// A ring for `capacity` items (at least one), allocated once.
#[must_use]
pub fn spsc<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let capacity = capacity.max(1);
    let slot = || UnsafeCell::new(MaybeUninit::uninit());
    let slots = std::iter::repeat_with(slot).take(capacity.next_power_of_two()).collect();
    let count = || Apart(AtomicUsize::new(0));
    let shared = Arc::new(Shared { slots, capacity, put: count(), taken: count() });
    let sender = Sender { shared: shared.clone(), put: 0, published: 0, taken: 0 };
    (sender, Receiver { shared, taken: 0, put: 0 })
}

impl<T> Sender<T> {
    /// Puts an item in, for the other end to see when it is published; gives it back when the ring is full.
    #[inline]
    pub fn stage(&mut self, item: T) -> Result<(), T> {
        if self.room(1) == 0 {
            return Err(item);
        }
        // SAFETY: fewer than `capacity` items lie before this one, so its slot is free, and it is reached by us only
        // until the item is published.
        unsafe { (*self.shared.slot(self.put)).write(item) };
        self.put = self.put.wrapping_add(1);
        Ok(())
    }

    /// Lets the other end see what was staged.
    #[inline]
    pub fn publish(&mut self) {
        if self.published != self.put {
            self.published = self.put;
            self.shared.put.0.store(self.put, Release);
        }
    }

    /// How many of `wanted` items fit.
    #[inline]
    pub fn room(&mut self, wanted: usize) -> usize {
        let free = |taken: usize| self.shared.capacity - self.put.wrapping_sub(taken);
        let mut room = free(self.taken);
        if room < wanted {
            self.taken = self.shared.taken.0.load(Acquire);
            room = free(self.taken);
        }
        room.min(wanted)
    }

    /// Items that wait, staged ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.put.wrapping_sub(self.shared.taken.0.load(Acquire))
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Items that fit in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }
}

impl<T> Receiver<T> {
    /// The oldest item.
    #[inline]
    pub fn front(&mut self) -> Option<&T> {
        if self.taken == self.put {
            self.put = self.shared.put.0.load(Acquire);
            if self.taken == self.put {
                return None;
            }
        }
        // SAFETY: item `taken` was published and not taken; the sender does not touch it until it is released.
        Some(unsafe { (*self.shared.slot(self.taken)).assume_init_ref() })
    }

    /// Takes the oldest item out. Its place is free when that is told ([`Receiver::release`]).
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        self.front()?;
        // SAFETY: as in `front`; the count moves on, so nobody reads it again.
        let item = unsafe { (*self.shared.slot(self.taken)).assume_init_read() };
        self.taken = self.taken.wrapping_add(1);
        Some(item)
    }

    /// Lets the other end have the places of what was taken.
    #[inline]
    pub fn release(&mut self) {
        self.shared.taken.0.store(self.taken, Release);
    }

    /// Items that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.put.0.load(Acquire).wrapping_sub(self.taken)
    }

    /// Nothing waits.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken == self.put && self.len() == 0
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.publish();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.release();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how many of its kind are dropped.
    struct Counted(u64, Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.1.fetch_add(1, Release);
        }
    }

    #[test]
    fn nothing_is_seen_before_it_is_published_nor_its_place_free_before_it_is_released() {
        let (mut sender, mut receiver) = spsc(3);
        assert_eq!([1, 2, 3, 4].map(|item| sender.stage(item)), [Ok(()), Ok(()), Ok(()), Err(4)]);
        assert_eq!((receiver.take(), receiver.len(), sender.len()), (None, 0, 3));
        sender.publish();
        assert_eq!(
            (receiver.front().copied(), receiver.take(), receiver.take()),
            (Some(1), Some(1), Some(2))
        );
        assert_eq!((sender.room(9), receiver.len()), (0, 1));
        receiver.release();
        assert_eq!((sender.room(1), sender.room(9), sender.stage(5)), (1, 2, Ok(())));
        sender.publish();
        assert_eq!([receiver.take(), receiver.take(), receiver.take()], [Some(3), Some(5), None]);
        assert!(receiver.is_empty() && !sender.is_empty() && sender.capacity() == 3);
    }

    #[test]
    fn what_is_left_in_it_is_dropped_once_whichever_end_goes_first() {
        for sender_first in [true, false] {
            let drops = Arc::new(AtomicUsize::new(0));
            let (mut sender, mut receiver) = spsc(8);
            for number in 0..6 {
                assert!(sender.stage(Counted(number, drops.clone())).is_ok());
                if number == 3 {
                    sender.publish();
                }
            }
            assert_eq!(receiver.take().map(|item| item.0), Some(0));
            assert_eq!(drops.load(Acquire), 1);
            if sender_first {
                drop(sender);
                drop(receiver);
            } else {
                drop(receiver);
                drop(sender);
            }
            assert_eq!(drops.load(Acquire), 6);
        }
    }

    #[test]
    fn two_threads_move_bursts_in_order() {
        const ITEMS: u64 = 100_000;
        let drops = Arc::new(AtomicUsize::new(0));
        let (mut sender, mut receiver) = spsc(48);
        let mine = drops.clone();
        let thread = std::thread::spawn(move || {
            let mut next = 0;
            while next < ITEMS {
                for _ in 0..next % 17 + 1 {
                    if next < ITEMS && sender.stage(Counted(next, mine.clone())).is_ok() {
                        next += 1;
                    }
                }
                sender.publish();
                std::thread::yield_now();
            }
        });
        let mut expected = 0;
        while expected < ITEMS {
            while let Some(item) = receiver.take() {
                assert_eq!(item.0, expected);
                expected += 1;
                if expected % 13 == 0 {
                    receiver.release();
                }
            }
            receiver.release();
            std::thread::yield_now();
        }
        thread.join().expect("sender");
        assert_eq!(drops.load(Acquire), ITEMS as usize);
    }
}
