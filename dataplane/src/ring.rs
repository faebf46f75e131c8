//! Bounded rings with one producer and one consumer, each end owned by one thread.
//!
//! The ends can not be cloned, so the compiler holds that there is one of each. Neither end ever
//! waits: a full ring gives the item back, an empty one gives nothing.

use crossbeam::queue::ArrayQueue;
use std::sync::Arc;

/// The end that puts in.
#[derive(Debug)]
pub struct Producer<T>(Arc<ArrayQueue<T>>);

/// The end that takes out.
#[derive(Debug)]
pub struct Consumer<T>(Arc<ArrayQueue<T>>);

/// A ring for `capacity` items (at least one), allocated once.
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let queue = Arc::new(ArrayQueue::new(capacity.max(1)));
    (Producer(Arc::clone(&queue)), Consumer(queue))
}

impl<T> Producer<T> {
    /// Puts an item in; gives it back when the ring is full.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), T> {
        self.0.push(item)
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
        // Most looks find nothing: this costs two loads, a pop in vain a memory fence.
        if self.0.is_empty() {
            return None;
        }
        self.0.pop()
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
