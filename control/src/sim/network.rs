//! The network between the nodes: loses, doubles, delays and thereby reorders, and is parted.

use super::scenario::Net;
use crate::engine::Rng;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// Messages that a hostile node may have read and kept.
const KEPT: usize = 128;

/// A UDP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) payload: Vec<u8>,
}

/// What is under way.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) net: Net,
    rng: Rng,
    /// By time of arrival, then by the order of sending.
    queue: BTreeMap<(u64, u64), Datagram>,
    sent: u64,
    /// Pairs of nodes that do not reach each other, and until when.
    partitions: Vec<(usize, usize, u64)>,
    /// The latest of what honest nodes sent.
    pub(super) kept: VecDeque<Datagram>,
}

impl Network {
    pub(super) fn new(net: Net, rng: Rng) -> Self {
        Self { net, rng, queue: BTreeMap::new(), sent: 0, partitions: Vec::new(), kept: VecDeque::new() }
    }

    pub(super) fn part(&mut self, a: usize, b: usize, until: u64) {
        self.partitions.push((a, b, until));
    }

    /// No loss, no delay worth the name, no partitions.
    pub(super) fn calm(&mut self) {
        self.net = Net { delay_min_ms: 2, delay_max_ms: 5, ..Net::default() };
        self.partitions.clear();
    }

    /// Something that an honest node sends: the hostile one reads it.
    pub(super) fn send(&mut self, now: u64, between: Option<(usize, usize)>, datagram: Datagram) {
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(datagram.clone());
        self.inject(now, between, datagram);
    }

    /// Puts a datagram on its way.
    pub(super) fn inject(&mut self, now: u64, between: Option<(usize, usize)>, datagram: Datagram) {
        let parted = |&(a, b, until): &(usize, usize, u64)| {
            now < until && between.is_some_and(|pair| pair == (a, b) || pair == (b, a))
        };
        // The dice are thrown in any case: what is taken out of a scenario then changes less.
        let lost = self.chance(self.net.loss_percent);
        let doubled = self.chance(self.net.duplicate_percent);
        let (at, again) = (now + self.delay(), now + self.delay());
        if lost || self.partitions.iter().any(parted) {
            return;
        }
        if doubled {
            self.enqueue(again, datagram.clone());
        }
        self.enqueue(at, datagram);
    }

    fn enqueue(&mut self, at: u64, datagram: Datagram) {
        self.sent += 1;
        self.queue.insert((at, self.sent), datagram);
    }

    fn chance(&mut self, percent: u8) -> bool {
        self.rng.below(100) < u64::from(percent)
    }

    fn delay(&mut self) -> u64 {
        let (min, max) = (self.net.delay_min_ms, self.net.delay_max_ms.max(self.net.delay_min_ms));
        u64::from(min) + self.rng.below(u64::from(max - min) + 1)
    }

    /// When the next datagram arrives.
    pub(super) fn next(&self) -> Option<u64> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next datagram, if it has arrived by now.
    pub(super) fn arrived(&mut self, now: u64) -> Option<Datagram> {
        let first = self.queue.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    /// Datagrams sent so far, doubles included.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }
}
