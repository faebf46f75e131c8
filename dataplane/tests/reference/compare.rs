//! Bursts through workers and through the reference, and what came of both, side by side.

use super::dice::Dice;
use super::judge::{Beyond, Counts, Fate, Outcome, judge};
use super::make::{self, PORTS};
use super::packets::frame;
use super::world::World;
use pxtr_dataplane::buffer::PacketBuf;
use pxtr_dataplane::clock::Clock;
use pxtr_dataplane::counters::{Snapshot, WorkerStats};
use pxtr_dataplane::feed::Delta;
use pxtr_dataplane::hold::HoldLimits;
use pxtr_dataplane::io::mem::MemIo;
use pxtr_dataplane::path::limit::IcmpLimits;
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::replica::Retired;
use pxtr_dataplane::ring::{Consumer, Producer, ring};
use pxtr_dataplane::traffic::{Flow, VrfTraffic};
use pxtr_dataplane::types::{PortId, VrfId};
use pxtr_dataplane::verdict::{DropReason, HoldKey};
use pxtr_dataplane::worker::{Links, Worker, WorkerConfig};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

const HZ: u64 = 1_000_000;
/// Room for a burst in pieces.
const BUFFERS: usize = 512;
/// Bursts that see the same tables.
const BURSTS: usize = 12;

#[derive(Clone, Debug, Default)]
struct Ticks(Rc<Cell<u64>>);

impl Clock for Ticks {
    fn now(&self) -> u64 {
        self.0.get()
    }

    fn hz(&self) -> u64 {
        HZ
    }
}

/// What came of a burst.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Frames by port, in order.
    sent: BTreeMap<u16, Vec<Vec<u8>>>,
    kernel: Vec<Vec<u8>>,
    fates_sent: u64,
    waits: u64,
    drops: BTreeMap<&'static str, u64>,
    asked: Vec<Punt>,
    counts: Counts,
}

/// A worker with the tables of a world.
struct Bench {
    worker: Worker<MemIo, Ticks>,
    clock: Ticks,
    stats: Arc<WorkerStats>,
    punts: Consumer<Punt>,
    retired: Consumer<Retired>,
    /// Whether events for control are compared: not where some of them are told at a limited rate.
    all_asked: bool,
}

impl Bench {
    fn new(world: &World, express: bool) -> Self {
        let (mut feed, feed_end): (Producer<Delta>, _) = ring(512);
        let (retired_end, retired) = ring(512);
        let (punts_end, punts) = ring(512);
        let stats = Arc::new(WorkerStats::default());
        let links =
            Links { feed: feed_end, retired: retired_end, punts: punts_end, stats: Arc::clone(&stats) };
        let mut config = WorkerConfig::new(world.key);
        config.express = express;
        config.verify_udp_checksum = world.verify;
        // Limits have tests of their own: here there is room for all.
        config.hold = HoldLimits { packets_per_key: 64, packets: 128, timeout_ms: 100 };
        let many = 1_000_000;
        config.icmp = IcmpLimits {
            interface_per_second: many,
            interface_burst: many,
            source_per_second: many,
            source_burst: many,
        };
        let clock = Ticks::default();
        clock.0.set(10 * HZ);
        let io = MemIo::new(usize::from(PORTS), 1024, BUFFERS, 4096);
        let mut worker = Worker::new(io, clock.clone(), &config, links);
        for delta in world.deltas() {
            feed.push(delta).expect("room in the feed");
            worker.poll_once();
        }
        assert_eq!(stats.ignored.get(), 0, "all tables are taken");
        let all_asked = world.admission.unknown == pxtr_dataplane::admission::UnknownSources::Wait;
        Self { worker, clock, stats, punts, retired, all_asked }
    }

    fn burst(&mut self, port: PortId, frames: &[Vec<u8>]) -> Seen {
        let before = self.stats.snapshot();
        for frame in frames {
            assert!(self.worker.io_mut().inject(port, frame), "room to receive");
        }
        self.worker.poll_once();
        let after = self.stats.snapshot();
        assert_eq!(after.fates(), after.received, "sum of fates = packets received");
        self.by_vrf(&after);
        let seen = self.seen(port, &before, &after);
        // What waits goes now: each burst is by itself.
        self.clock.0.set(self.clock.0.get() + 2 * HZ);
        self.worker.poll_once();
        while self.retired.pop().is_some() {}
        assert_eq!(self.worker.io_mut().pool().in_use(), 0, "no buffer is lost");
        seen
    }

    /// The counters of the VRFs add up to those of the worker, but for what came by no port of theirs.
    fn by_vrf(&self, all: &Snapshot) {
        let traffic = self.worker.replica().traffic();
        let vrfs = || (0..64).filter_map(|vrf| traffic.vrf(VrfId(vrf)));
        let sum = |of: fn(&VrfTraffic) -> &Flow| vrfs().map(|vrf| of(vrf).read().0).sum::<u64>();
        let nobodys = all.dropped(DropReason::PortNotConfigured);
        assert_eq!(sum(|vrf| &vrf.received), all.received - nobodys, "received");
        assert_eq!(sum(|vrf| &vrf.encapsulated), all.encapsulated, "encapsulated");
        assert_eq!(sum(|vrf| &vrf.decapsulated), all.decapsulated, "decapsulated");
        assert_eq!(sum(|vrf| &vrf.forwarded), all.forwarded, "forwarded");
        let dropped = vrfs().map(|vrf| vrf.dropped.get()).sum::<u64>();
        assert_eq!(dropped, all.drops.iter().sum::<u64>() - nobodys, "dropped");
    }

    fn seen(&mut self, port: PortId, before: &Snapshot, after: &Snapshot) -> Seen {
        let io = self.worker.io_mut();
        let mut sent = BTreeMap::new();
        for out in 0..PORTS {
            let frames: Vec<_> =
                std::iter::from_fn(|| io.sent(PortId(out)).map(|buf| buf.data().to_vec())).collect();
            if !frames.is_empty() {
                sent.insert(out, frames);
            }
        }
        let kernel = std::iter::from_fn(|| io.to_host(port).map(|buf| buf.data().to_vec())).collect();
        let asked = std::iter::from_fn(|| self.punts.pop()).collect();
        let drops =
            after.drops_by_reason().map(|(reason, count)| (reason.name(), count - before.dropped(reason)));
        let more = |field: fn(&Snapshot) -> u64| field(after) - field(before);
        Seen {
            sent,
            kernel,
            fates_sent: more(|s| s.tx),
            waits: after.held,
            drops: drops.filter(|(_, count)| *count > 0).collect(),
            asked: if self.all_asked { asked } else { Vec::new() },
            counts: Counts {
                encapsulated: more(|s| s.encapsulated),
                decapsulated: more(|s| s.decapsulated),
                forwarded: more(|s| s.forwarded),
                fragments: more(|s| s.fragments),
                ecn_strange: more(|s| s.ecn_strange),
                told: more(|s| s.icmp.iter().sum()),
                untold: more(|s| s.icmp_unsendable),
                lost: more(|s| s.originated_lost),
                own_wait: after.originated_held,
            },
        }
    }
}

/// What the reference expects of a burst.
fn expected(world: &World, frames: &[Vec<u8>], outcomes: &[Outcome]) -> Seen {
    let mut seen = Seen::default();
    let mut keys: Vec<HoldKey> = Vec::new();
    for (frame, outcome) in frames.iter().zip(outcomes) {
        for (port, frame) in &outcome.sent {
            seen.sent.entry(port.0).or_default().push(frame.clone());
        }
        match outcome.fate {
            Some(Fate::Sent) => seen.fates_sent += 1,
            Some(Fate::Kernel) => seen.kernel.push(frame.clone()),
            Some(Fate::Waits) => seen.waits += 1,
            Some(Fate::Dropped(reason)) => *seen.drops.entry(reason.name()).or_default() += 1,
            None => unreachable!("judged"),
        }
        for (key, punt) in &outcome.asks {
            if !keys.contains(key) {
                keys.push(*key);
                seen.asked.push(*punt);
            }
        }
        let (sum, one) = (&mut seen.counts, outcome.counts);
        sum.encapsulated += one.encapsulated;
        sum.decapsulated += one.decapsulated;
        sum.forwarded += one.forwarded;
        sum.fragments += one.fragments;
        sum.ecn_strange += one.ecn_strange;
        sum.told += one.told;
        sum.untold += one.untold;
        sum.lost += one.lost;
        sum.own_wait += one.own_wait;
    }
    if world.admission.unknown != pxtr_dataplane::admission::UnknownSources::Wait {
        seen.asked.clear();
    }
    seen
}

/// Packets compared, by fate, and those that are beyond the reference.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub packets: u64,
    pub fates: BTreeMap<String, u64>,
    pub beyond: BTreeMap<&'static str, u64>,
}

impl Report {
    fn count(&mut self, outcome: &Outcome) {
        self.packets += 1;
        let fate = match outcome.fate {
            Some(Fate::Sent) if outcome.counts.decapsulated > 0 && outcome.counts.encapsulated > 0 => {
                "re-encapsulated"
            }
            Some(Fate::Sent) if outcome.counts.decapsulated > 0 => "decapsulated",
            Some(Fate::Sent) if outcome.counts.encapsulated > 0 => "encapsulated",
            Some(Fate::Sent) => "forwarded",
            Some(Fate::Kernel) => "kernel",
            Some(Fate::Waits) => "waits",
            Some(Fate::Dropped(reason)) => reason.name(),
            None => "none",
        };
        *self.fates.entry(fate.to_owned()).or_default() += 1;
    }
}

/// A difference, by the fewest packets that show it.
#[derive(Clone, Debug)]
pub struct Difference {
    /// What both made of it, without bytes: differences of one kind have the same.
    pub kind: String,
    pub text: String,
}

/// One world, some bursts, both ways. Ends at the first difference.
pub fn compare(dice: &mut Dice, report: &mut Report) -> Option<Difference> {
    let world = make::world(dice);
    let mut ways = [(true, Bench::new(&world, true)), (false, Bench::new(&world, false))];
    for _ in 0..BURSTS {
        let port = PortId(dice.below(usize::from(PORTS)) as u16);
        let (mut frames, mut outcomes) = (Vec::new(), Vec::new());
        for _ in 0..1 + dice.below(32) {
            let frame = frame(dice, &world, port);
            match judge(&world, port, &frame) {
                Ok(outcome) => {
                    report.count(&outcome);
                    frames.push(frame);
                    outcomes.push(outcome);
                }
                Err(Beyond(what)) => *report.beyond.entry(what).or_default() += 1,
            }
        }
        let expected = expected(&world, &frames, &outcomes);
        for (express, bench) in &mut ways {
            if bench.burst(port, &frames) != expected {
                return Some(explain(&world, *express, port, frames));
            }
        }
    }
    None
}

/// One frame, alone, both ways: for tests of single packets.
pub fn compare_one(world: &World, port: PortId, frame: &[u8]) -> Outcome {
    let outcome = judge(world, port, frame).expect("within the reference");
    let frames = [frame.to_vec()];
    let expected = expected(world, &frames, std::slice::from_ref(&outcome));
    for express in [true, false] {
        let seen = Bench::new(world, express).burst(port, &frames);
        assert_eq!(seen, expected, "express: {express}, {}", hex(frame));
    }
    outcome
}

/// The fewest of these packets that still make a difference, and the difference.
fn explain(world: &World, express: bool, port: PortId, mut frames: Vec<Vec<u8>>) -> Difference {
    let both = |frames: &[Vec<u8>]| {
        let outcomes: Vec<_> = frames.iter().filter_map(|frame| judge(world, port, frame).ok()).collect();
        (expected(world, frames, &outcomes), Bench::new(world, express).burst(port, frames))
    };
    let mut at = 0;
    while at < frames.len() {
        let mut fewer = frames.clone();
        fewer.remove(at);
        let (expected, seen) = both(&fewer);
        if expected == seen { at += 1 } else { frames = fewer }
    }
    let (expected, seen) = both(&frames);
    let frames: Vec<_> = frames.iter().map(|frame| hex(frame)).collect();
    let way = if express { "express" } else { "stages" };
    let kind = format!("{way}: reference {}, worker {}", expected.kind(), seen.kind());
    let text = format!(
        "port {}: {frames:#?}\nreference: {expected:02x?}\nworker:    {seen:02x?}\n{world:?}",
        port.0
    );
    Difference { kind, text }
}

impl Seen {
    fn kind(&self) -> String {
        let drops: Vec<_> = self.drops.keys().collect();
        let sent: usize = self.sent.values().map(Vec::len).sum();
        let Self { fates_sent, waits, asked, counts, .. } = self;
        let kernel = self.kernel.len();
        format!("{drops:?} sent {sent}/{fates_sent} kernel {kernel} waits {waits}/{} {counts:?}", asked.len())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
