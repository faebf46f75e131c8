//! `trace` and `capture`, on the control thread: from an order to watches in the workers, and from their
//! records to what the client is told.

use super::plane::Plane;
use crate::api::{
    ApiError, Desk, ErrorCode, PacketEvent, PacketFate, PacketSeen, PacketStory, Reply, WATCHES, WatchDone,
    WatchOrder, WatchQuery, watches_busy,
};
use crate::config::{Config, Port};
use crate::feeder::Feeder;
use pxtr_dataplane::clock::Clock;
use pxtr_dataplane::io::dpdk::TscClock;
use pxtr_dataplane::path::route::{Mapping, Origin};
use pxtr_dataplane::types::{EntryId, PortId, VrfId};
use pxtr_dataplane::verdict::{DropReason, Wait};
use pxtr_dataplane::watch::{Ends, Event, Fate, Filter, Record, Story, Watch, WatchHandle, watch};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{Sender, error::TrySendError};

/// Records that wait for the control thread, of each worker.
const RECORDS: usize = 1024;
/// Records read from one worker at a time.
const RECORDS_PER_TURN: usize = 128;
/// Bytes of a frame that are told when the client says nothing, and at most.
const SNAP: u32 = 256;
const MAX_SNAP: u32 = 9216;
/// A watch is over when it has told so many packets and what became of those that waited, or after this
/// many looks without news.
const PATIENCE: u32 = 4096;

/// Names of what records call by numbers.
pub(super) struct Names<'a> {
    config: &'a Config,
    feeder: &'a Feeder,
}

impl Names<'_> {
    fn port(&self, id: PortId) -> String {
        let port = self.config.ports.get(usize::from(id.0));
        port.map_or_else(|| id.0.to_string(), |port| port.name.clone())
    }

    /// Name and Instance-ID.
    fn vrf(&self, id: VrfId) -> (String, u32) {
        let vrf = self.config.vrfs.get(usize::from(id.0));
        vrf.map_or_else(|| (id.0.to_string(), 0), |vrf| (vrf.name.clone(), vrf.iid.0))
    }
}

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) tick: u64,
    pub(super) hz: u64,
    pub(super) unix_us: u64,
}

impl Moment {
    fn micros(self, ticks: u64) -> u64 {
        (u128::from(ticks) * 1_000_000 / u128::from(self.hz.max(1))) as u64
    }
}

/// All watches.
#[derive(Debug, Default)]
pub(super) struct Watching {
    active: Vec<Active>,
}

#[derive(Debug)]
struct Active {
    to: Sender<Reply>,
    /// Of each worker.
    handles: Vec<WatchHandle>,
    /// Received packets that are still to be told.
    left: u64,
    /// Packets told that wait.
    owed: u64,
    /// Not told since the last one that was.
    left_out: u64,
    /// Not told, in all.
    missed: u64,
    idle: u32,
}

impl Watching {
    /// Begins what was ordered and tells what was seen. Returns whether it is worth looking again soon.
    pub(super) fn turn(&mut self, plane: &mut Plane, config: &Config, desk: &Desk) -> bool {
        let orders = desk.take();
        if orders.is_empty() && self.active.is_empty() {
            return false;
        }
        let Plane { workers, feeder, .. } = plane;
        let names = Names { config, feeder };
        let count = workers.links().count();
        for order in orders {
            self.begin(order, count, &names, |worker, watch| workers.watch(worker, watch));
        }
        let clock = TscClock::new();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Moment { tick: clock.now(), hz: clock.hz(), unix_us: since_1970.as_micros() as u64 };
        self.poll(now, &names) > 0
    }

    /// Begins what was ordered. `put` hands a watch to every worker in turn.
    fn begin(
        &mut self,
        order: WatchOrder,
        workers: usize,
        names: &Names<'_>,
        mut put: impl FnMut(usize, Box<Watch>) -> bool,
    ) {
        let WatchOrder { query, to } = order;
        let filter = match filter(&query, names) {
            Ok(filter) => filter,
            Err(error) => return refuse(&to, error),
        };
        if self.active.len() >= WATCHES {
            return refuse(&to, watches_busy());
        }
        let packets = query.count.unwrap_or(u64::MAX);
        let snap = query.snap.unwrap_or(SNAP).clamp(1, MAX_SNAP) as usize;
        let mut handles = Vec::with_capacity(workers);
        for worker in 0..workers {
            let (watch, handle) = watch(filter.clone(), packets, RECORDS, snap);
            if !put(worker, watch) {
                return refuse(&to, watches_busy());
            }
            handles.push(handle);
        }
        self.active.push(Active { to, handles, left: packets, owed: 0, left_out: 0, missed: 0, idle: 0 });
    }

    /// Tells what was seen. Returns how many packets.
    fn poll(&mut self, now: Moment, names: &Names<'_>) -> usize {
        let mut told = 0;
        self.active.retain_mut(|active| {
            let (count, over) = active.poll(now, names);
            told += count;
            !over
        });
        told
    }
}

fn refuse(to: &Sender<Reply>, error: ApiError) {
    // There is room: nothing was sent yet. A client that is gone does not matter.
    let _ = to.try_send(Reply::Error(error));
}

impl Active {
    /// Returns the packets told, and whether that was the last of it.
    fn poll(&mut self, now: Moment, names: &Names<'_>) -> (usize, bool) {
        if self.to.is_closed() {
            return (0, true);
        }
        let mut count = 0;
        let mut handles = std::mem::take(&mut self.handles);
        for (worker, handle) in handles.iter_mut().enumerate() {
            for _ in 0..RECORDS_PER_TURN {
                let Some(seen) = handle.read(|record| self.wants(record).then(|| seen(record, now, names)))
                else {
                    break;
                };
                count += 1;
                if let Some(seen) = seen {
                    self.tell(PacketSeen { worker: worker as u32, ..seen });
                }
            }
        }
        let missed: u64 = handles.iter().map(WatchHandle::missed).sum();
        self.left_out += missed - self.missed.min(missed);
        self.missed = missed.max(self.missed);
        self.handles = handles;
        self.idle = if count > 0 { 0 } else { self.idle + 1 };
        let done = self.left == 0 && count == 0 && (self.owed == 0 || self.idle > PATIENCE);
        if done {
            let done = WatchDone { left_out: self.left_out };
            let _ = self.to.try_send(Reply::WatchDone(done));
        }
        (count, done)
    }

    /// Each worker was asked for as many packets as the client wants: only so many are told in all.
    fn wants(&mut self, record: &Record) -> bool {
        let waits = |story: &Story| matches!(story.fate, Fate::Held(_));
        match &record.event {
            Event::Received(_) if self.left == 0 => return false,
            Event::Received(story) => {
                self.left -= 1;
                self.owed += u64::from(waits(story));
            }
            Event::Released(story, _) => {
                self.owed = self.owed.saturating_sub(u64::from(!waits(story)));
            }
            Event::Dropped(_) => self.owed = self.owed.saturating_sub(1),
            Event::Sent { .. } => {}
        }
        true
    }

    fn tell(&mut self, seen: PacketSeen) {
        let seen = PacketSeen { left_out: self.left_out, ..seen };
        match self.to.try_send(Reply::Packet(Box::new(seen))) {
            Ok(()) => self.left_out = 0,
            Err(TrySendError::Full(_)) => self.left_out += 1,
            Err(TrySendError::Closed(_)) => {}
        }
    }
}

/// The filter that a client means.
fn filter(query: &WatchQuery, names: &Names<'_>) -> Result<Filter, ApiError> {
    let bad = |message: String| ApiError::new(ErrorCode::BadRequest, message);
    let port = match &query.port {
        None => None,
        Some(name) => Some(port_id(name, &names.config.ports).map_err(bad)?),
    };
    let ends =
        match (&query.reason, query.dropped) {
            (None, false) => Ends::All,
            (None, true) => Ends::Dropped,
            (Some(name), _) => {
                let reason = DropReason::ALL.into_iter().find(|reason| reason.name() == name);
                Ends::DroppedFor(reason.ok_or_else(|| {
                    bad(format!("there is no drop reason '{name}'; `pxtr show drops` has all"))
                })?)
            }
        };
    Ok(Filter {
        port,
        about: query.about.iter().map(|about| about.prefix()).collect(),
        protocol: query.protocol,
        transport_port: query.transport_port,
        ends,
    })
}

fn port_id(name: &str, ports: &[Port]) -> Result<PortId, String> {
    ports.iter().find(|port| port.name == name).map(|port| port.id).ok_or_else(|| {
        let there: Vec<_> = ports.iter().map(|port| port.name.as_str()).collect();
        format!("'{name}' is neither a word of a filter nor a port; ports are: {}", there.join(", "))
    })
}

fn seen(record: &Record, now: Moment, names: &Names<'_>) -> PacketSeen {
    let event = match record.event {
        Event::Received(it) => PacketEvent::Received { story: story(it, names) },
        Event::Released(it, ticks) => {
            PacketEvent::Released { story: story(it, names), waited_us: now.micros(ticks) }
        }
        Event::Sent { from_kernel } => PacketEvent::Sent { from_kernel },
        Event::Dropped(reason) => {
            PacketEvent::Dropped { reason: reason.name().to_owned(), text: reason.text().to_owned() }
        }
    };
    PacketSeen {
        unix_us: now.unix_us.saturating_sub(now.micros(now.tick.saturating_sub(record.tick))),
        worker: 0,
        port: names.port(record.port),
        number: record.number,
        event,
        bytes: record.len,
        frame: crate::api::hexadecimal(&record.bytes),
        left_out: 0,
    }
}

fn entry_name(names: &Names<'_>, entry: EntryId) -> String {
    let eid = names.feeder.eid_of_slot(entry);
    eid.map_or_else(|| "gone meanwhile".to_owned(), |eid| eid.prefix.to_string())
}

fn story(story: Story, names: &Names<'_>) -> PacketStory {
    let (vrf, instance_id) = names.vrf(story.vrf);
    let origin = match story.origin {
        Origin::Native => "native",
        Origin::Decapsulated => "decapsulated",
        Origin::Own => "own",
        Origin::Encapsulated => "encapsulated",
    };
    let mapping = match story.mapping {
        None | Some(Mapping::Unknown) => None,
        Some(Mapping::Absent) => Some("none".to_owned()),
        Some(Mapping::Entry(entry)) => Some(entry_name(names, entry)),
    };
    let fate = match story.fate {
        Fate::Encapsulated(port) => PacketFate::Encapsulated { port: names.port(port) },
        Fate::Forwarded(port) => PacketFate::Forwarded { port: names.port(port) },
        Fate::Split(room) => PacketFate::Split { room },
        Fate::Host => PacketFate::Kernel,
        Fate::Held(wait) => PacketFate::Held {
            wait: match wait {
                Wait::Mapping => "a mapping".to_owned(),
                Wait::Neighbour(port) => {
                    format!("its destination's Ethernet address on {}", names.port(port))
                }
                Wait::Rloc(_) => "the way to its locator".to_owned(),
                Wait::Source => "the mapping of the inner source".to_owned(),
                Wait::Adjacency(_) => "the next hop's Ethernet address".to_owned(),
            },
        },
        Fate::Reassembled => PacketFate::Reassembled,
        Fate::CoreError => PacketFate::CoreError,
        Fate::Dropped(reason) => {
            PacketFate::Dropped { reason: reason.name().to_owned(), text: reason.text().to_owned() }
        }
    };
    PacketStory {
        vrf,
        instance_id,
        origin: origin.to_owned(),
        mapping,
        rloc: story.rloc.and_then(|id| names.feeder.rloc_of_slot(id)),
        fate,
    }
}
