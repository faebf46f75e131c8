//! Sends, receives and counts on one core.

use super::stream::{Stream, stamp, stamped};
use dpdk_sys::{Burst, Pool, RxQueue, TxQueue, tsc, tsc_hz};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::net::Ipv4Addr;

/// Packets that go out together.
const TOGETHER: usize = 32;
/// When the generator lost its CPU, so many packets are made up for, no more: what is offered is a
/// rate, not a flood.
const BACKLOG: f64 = 64.0;
/// How long to wait for what is still under way, milliseconds.
const DRAIN_MS: u64 = 20;
/// How long a first packet may take, milliseconds.
const FIRST_MS: u64 = 3000;

/// Queues of the device, and packets for them.
pub struct Generator {
    rx: Vec<RxQueue>,
    tx: Vec<TxQueue>,
    pool: Pool,
    turn: usize,
    received: Burst,
}

/// What one order came to.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    /// Packets that were sent.
    pub sent: u64,
    /// Of those, that came back as they should.
    pub received: u64,
    /// Other packets that came.
    pub other: u64,
    /// Packets that the device's full ring refused, at a fixed rate: as good as lost.
    pub refused: u64,
    /// Packets that were never sent because the generator had lost its CPU.
    pub skipped: u64,
    /// How long it sent.
    pub seconds: f64,
    /// Came back while it sent, per second.
    pub received_pps: f64,
    /// Latency in microseconds by percentile; of first packets: how long they took.
    pub latency_us: Option<Latency>,
}

/// Percentiles of a histogram, in microseconds.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Latency {
    pub count: u64,
    pub min: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Latency {
    /// Of a histogram of nanoseconds.
    fn of(nanoseconds: &Histogram<u64>) -> Option<Self> {
        let at = |percentile| nanoseconds.value_at_percentile(percentile) as f64 / 1000.0;
        (!nanoseconds.is_empty()).then(|| Self {
            count: nanoseconds.len(),
            min: nanoseconds.min() as f64 / 1000.0,
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p999: at(99.9),
            max: nanoseconds.max() as f64 / 1000.0,
        })
    }
}

/// Counts of a round under way.
#[derive(Debug, Default)]
struct Counts {
    sent: u64,
    received: u64,
    other: u64,
    refused: u64,
}

impl Generator {
    /// On the queues of a started port.
    #[must_use]
    pub fn new(rx: Vec<RxQueue>, tx: Vec<TxQueue>, pool: Pool) -> Self {
        Self { rx, tx, pool, turn: 0, received: Burst::new() }
    }

    /// Sends the stream at a rate (0: as fast as it goes) for some seconds, and receives.
    ///
    /// # Errors
    /// The histogram can not be made.
    pub fn run(&mut self, stream: &mut Stream, pps: f64, seconds: f64) -> anyhow::Result<Round> {
        // Up to ten seconds, three digits.
        let mut latency = Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3)?;
        let paced = pps > 0.0;
        let per_tick = pps / tsc_hz() as f64;
        let (mut counts, mut skipped, mut tokens) = (Counts::default(), 0.0, 0.0);
        let start = tsc();
        let end = start + (seconds * tsc_hz() as f64) as u64;
        let mut last = start;
        let mut unsent = Burst::new();
        loop {
            let now = tsc();
            if now >= end {
                break;
            }
            let mut wanted = TOGETHER;
            if paced {
                tokens += (now - last) as f64 * per_tick;
                last = now;
                if tokens > BACKLOG {
                    skipped += tokens - BACKLOG;
                    tokens = BACKLOG;
                }
                wanted = wanted.min(tokens as usize);
                tokens -= wanted as f64;
            }
            self.send(stream, &mut unsent, wanted, now, &mut counts);
            if paced {
                counts.refused += unsent.len() as u64;
                unsent.clear();
            }
            self.receive(stream, &mut counts, paced.then_some(&mut latency));
        }
        let took = (tsc() - start) as f64 / tsc_hz() as f64;
        let in_time = counts.received;
        self.drain(stream, &mut counts, paced.then_some(&mut latency));
        Ok(Round {
            sent: counts.sent,
            received: counts.received,
            other: counts.other,
            refused: counts.refused,
            skipped: skipped as u64,
            seconds: took,
            received_pps: in_time as f64 / took,
            latency_us: Latency::of(&latency),
        })
    }

    /// First packets to EIDs 256 apart, one after the other.
    ///
    /// # Errors
    /// The histogram can not be made.
    pub fn first(&mut self, eid: Ipv4Addr, count: u32) -> anyhow::Result<Round> {
        let mut latency = Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3)?;
        let mut counts = Counts::default();
        let start = tsc();
        for n in 0..count {
            let mut stream = Stream::to(Ipv4Addr::from_bits(eid.to_bits().wrapping_add(n << 8)));
            let mut unsent = Burst::new();
            let (now, before) = (tsc(), counts.received);
            let end = now + FIRST_MS * tsc_hz() / 1000;
            self.send(&mut stream, &mut unsent, 1, now, &mut counts);
            while counts.received == before && tsc() < end {
                self.receive(&stream, &mut counts, Some(&mut latency));
            }
        }
        let seconds = (tsc() - start) as f64 / tsc_hz() as f64;
        Ok(Round {
            sent: counts.sent,
            received: counts.received,
            other: counts.other,
            refused: counts.refused,
            skipped: 0,
            seconds,
            received_pps: counts.received as f64 / seconds,
            latency_us: Latency::of(&latency),
        })
    }

    /// Fills up `unsent` to `wanted` packets and sends. What the device does not take stays in it.
    #[inline]
    fn send(
        &mut self,
        stream: &mut Stream,
        unsent: &mut Burst,
        wanted: usize,
        now: u64,
        counts: &mut Counts,
    ) {
        while unsent.len() < wanted {
            let Some(mut mbuf) = self.pool.alloc() else { break };
            let frame = stream.next_frame();
            if let Some(room) = mbuf.append(frame.len()) {
                room.copy_from_slice(frame);
                stamp(room, now);
            }
            if unsent.push(mbuf).is_err() {
                break;
            }
        }
        self.turn = if self.turn + 1 >= self.tx.len() { 0 } else { self.turn + 1 };
        if let Some(queue) = self.tx.get_mut(self.turn) {
            counts.sent += queue.burst(unsent) as u64;
        }
    }

    /// Receives what there is. One latency is taken in a burst: the others came with it.
    #[inline]
    fn receive(&mut self, stream: &Stream, counts: &mut Counts, latency: Option<&mut Histogram<u64>>) {
        for queue in &mut self.rx {
            queue.burst(&mut self.received);
        }
        if self.received.is_empty() {
            return;
        }
        let ours = self.received.iter().filter(|mbuf| stream.comes_back_as(mbuf.data_len())).count() as u64;
        counts.received += ours;
        counts.other += self.received.len() as u64 - ours;
        if let Some(latency) = latency {
            let now = tsc();
            for sent in self.received.iter().take(1).filter_map(|mbuf| stamped(mbuf.data())) {
                let nanoseconds = u128::from(now.saturating_sub(sent)) * 1_000_000_000 / u128::from(tsc_hz());
                latency.saturating_record(nanoseconds as u64);
            }
        }
        self.received.clear();
    }

    /// Waits until nothing has come for a while.
    fn drain(&mut self, stream: &Stream, counts: &mut Counts, mut latency: Option<&mut Histogram<u64>>) {
        let quiet = DRAIN_MS * tsc_hz() / 1000;
        let (mut last, mut seen) = (tsc(), counts.received + counts.other);
        while tsc() - last < quiet {
            self.receive(stream, counts, latency.as_deref_mut());
            if counts.received + counts.other != seen {
                (last, seen) = (tsc(), counts.received + counts.other);
            }
        }
    }
}
