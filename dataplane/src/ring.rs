//! Bounded rings with one producer and one consumer, each end owned by one thread.
//!
//! The ends can not be cloned, so the compiler holds that there is one of each. Neither end ever
//! waits: a full ring gives the item back, an empty one gives nothing.

use dpdk_sys::{Receiver, Sender, spsc};

/// The end that puts in.
#[derive(Debug)]
pub struct Producer<T>(Sender<T>);

/// The end that takes out.
#[derive(Debug)]
pub struct Consumer<T>(Receiver<T>);

/// A ring for `capacity` items (at least one), allocated once.
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let (sender, receiver) = spsc(capacity);
    (Producer(sender), Consumer(receiver))
}

impl<T> Producer<T> {
    /// Puts an item in; gives it back when the ring is full.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), T> {
        let done = self.0.stage(item);
        self.0.publish();
        done
    }

    /// Puts an item in that the other end will see with the rest of its burst, when all is
    /// [published](Producer::publish); gives it back when the ring is full.
    #[inline(always)]
    pub fn stage(&mut self, item: T) -> Result<(), T> {
        self.0.stage(item)
    }

    /// Lets the other end see what was staged.
    #[inline(always)]
    pub fn publish(&mut self) {
        self.0.publish();
    }

    /// How many of `wanted` items fit now.
    #[inline]
    pub fn room(&mut self, wanted: usize) -> usize {
        self.0.room(wanted)
    }

    /// Items waiting.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Items that fit.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl<T> Consumer<T> {
    /// Takes the oldest item out.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        let item = self.0.take()?;
        self.0.release();
        Some(item)
    }

    /// Takes up to `most` items out, the oldest first, as long as they are `wanted`, and hands each to `give`. Returns
    /// how many.
    #[inline]
    pub fn pop_while(
        &mut self,
        most: usize,
        mut wanted: impl FnMut(&T) -> bool,
        mut give: impl FnMut(T),
    ) -> usize {
        let mut count = 0;
        while count < most && self.0.front().is_some_and(&mut wanted) {
            let Some(item) = self.0.take() else { break };
            give(item);
            count += 1;
        }
        if count > 0 {
            self.0.release();
        }
        count
    }

    /// The oldest item.
    #[inline]
    pub fn front(&mut self) -> Option<&T> {
        self.0.front()
    }

    /// Items waiting.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_out_in_order_and_a_full_ring_gives_back() {
        let (mut producer, mut consumer) = ring(2);
        assert!(consumer.pop().is_none() && producer.is_empty());
        assert_eq!((producer.push(1), producer.push(2), producer.push(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!((producer.len(), producer.capacity(), consumer.len()), (2, 2, 2));
        assert_eq!((consumer.pop(), consumer.pop(), consumer.pop()), (Some(1), Some(2), None));
        assert!(consumer.is_empty());
    }

    #[test]
    fn a_burst_comes_out_as_far_as_it_is_wanted() {
        let (mut producer, mut consumer) = ring(4);
        let staged = [2, 4, 5, 6, 8].map(|item| producer.stage(item));
        assert_eq!(staged, [Ok(()), Ok(()), Ok(()), Ok(()), Err(8)]);
        assert!(consumer.is_empty());
        producer.publish();
        let mut even = Vec::new();
        assert_eq!(consumer.pop_while(9, |item| item % 2 == 0, |item| even.push(item)), 2);
        assert_eq!((even.as_slice(), consumer.front(), producer.room(9)), (&[2, 4][..], Some(&5), 2));
        assert_eq!(consumer.pop_while(1, |_| true, |item| even.push(item)), 1);
        assert_eq!((even.last(), consumer.len()), (Some(&5), 1));
    }

    #[test]
    fn the_ends_work_on_two_threads() {
        let (mut producer, mut consumer) = ring(4);
        let sender = std::thread::spawn(move || {
            let mut next = 0u32;
            while next < 1000 {
                next += u32::from(producer.push(next).is_ok());
            }
        });
        let mut expected = 0;
        while expected < 1000 {
            if let Some(item) = consumer.pop() {
                assert_eq!(item, expected);
                expected += 1;
            }
        }
        sender.join().expect("sender");
    }
}
