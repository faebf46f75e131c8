//! A worker with tables like those of a PITR and PETR of a given size.

use crate::carousel::Carousel;
use crate::frames::{self, INSTANCE, OUR_MAC, our_rloc};
use dpdk_sys::{Burst, Pool};
use pxtr_dataplane::counters::WorkerStats;
use pxtr_dataplane::crypt::{Key, Suite};
use pxtr_dataplane::feed::*;
use pxtr_dataplane::io::dpdk::TscClock;
use pxtr_dataplane::path::flow::FlowKey;
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::replica::{Retired, Supplier};
use pxtr_dataplane::ring::{Consumer, Producer, ring};
use pxtr_dataplane::types::*;
use pxtr_dataplane::worker::{Handover, Links, Worker, WorkerConfig};
use std::sync::Arc;

/// Port of native packets.
pub const NATIVE: PortId = PortId(0);
/// Underlay port.
pub const CORE: PortId = PortId(1);
/// The only VRF.
pub const VRF: VrfId = VrfId(0);

/// A worker, and control's ends of its rings.
pub struct World {
    /// The worker.
    pub worker: Worker<Carousel, TscClock>,
    /// What control tells it.
    pub feed: Producer<Delta>,
    /// What control does for its memory before each delta.
    pub supplier: Supplier,
    /// What it gives back.
    pub retired: Consumer<Retired>,
    /// What it tells control.
    pub punts: Consumer<Punt>,
    /// What it counts.
    pub stats: Arc<WorkerStats>,
}

/// How much is in the tables.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Mappings of each family.
    pub mappings: u32,
    /// RLOCs that they share.
    pub rlocs: u32,
}

impl Size {
    /// As many mappings; an RLOC for each up to 100,000.
    pub fn of(mappings: u32) -> Self {
        Self { mappings, rlocs: mappings.min(100_000) }
    }
}

impl World {
    /// A worker with ports, RLOCs, mappings and a few routes. All RLOCs are of one family.
    pub fn new(pool: &Pool, rotation: usize, size: Size, outer_v6: bool) -> Self {
        let mut world = Self::bare(pool, rotation);
        world.furnish(outer_v6);
        for n in 0..size.rlocs {
            world.apply(Delta::RlocSet(RlocId(n), ready(n, outer_v6)));
        }
        for n in 0..size.mappings {
            let action = MapAction::Encapsulate(Target::Rloc(RlocId(n % size.rlocs)));
            for (v6, entry) in [(false, 2 * n), (true, 2 * n + 1)] {
                let (prefix, entry) = (frames::prefix(n, v6), EntryId(entry));
                world.apply(Delta::MapSet { vrf: VRF, prefix, entry, action });
            }
        }
        world.settle();
        world
    }

    fn bare(pool: &Pool, rotation: usize) -> Self {
        let (feed, feed_end) = ring(4096);
        let (retired_end, retired) = ring(1 << 14);
        let (punts_end, punts) = ring(1024);
        let stats = Arc::new(WorkerStats::default());
        let links =
            Links { feed: feed_end, retired: retired_end, punts: punts_end, stats: Arc::clone(&stats) };
        let config = WorkerConfig::new(FlowKey::new([11, 22, 33, 44]));
        let worker = Worker::new(Carousel::new(pool, rotation), TscClock::new(), &config, links);
        let supplier = worker.replica().supplier();
        Self { worker, feed, supplier, retired, punts, stats }
    }

    /// With these ends of the rings between workers.
    pub fn handing(self, handover: Handover<Burst>) -> Self {
        Self { worker: self.worker.with_handover(Some(handover)), ..self }
    }

    /// Gives the worker a delta and lets it work when there is no room.
    pub fn apply(&mut self, delta: Delta) {
        self.supplier.before(&delta, || self.feed.len());
        let mut delta = Some(delta);
        while let Some(next) = delta.take() {
            delta = self.feed.push(next).err();
            if delta.is_some() {
                self.settle();
            }
        }
    }

    /// Lets the worker apply all deltas.
    pub fn settle(&mut self) {
        loop {
            let applied = self.worker.poll_once();
            while self.retired.pop().is_some() {}
            if applied == 0 {
                return;
            }
        }
    }

    /// Changes what the operator chose for the VRF and for the ways to all IPv4 RLOCs.
    pub fn choose(&mut self, size: Size, vrf: VrfSpec, options: RlocOptions) {
        self.apply(Delta::VrfSet(VRF, vrf));
        for n in 0..size.rlocs {
            let mut state = ready(n, false);
            if let RlocState::Ready(rewrite) = &mut state {
                rewrite.options = options;
            }
            self.apply(Delta::RlocSet(RlocId(n), state));
        }
        self.settle();
    }

    /// Gives all IPv4 RLOCs a key. Used by those whose options say so.
    pub fn encrypt(&mut self, size: Size, suite: Suite) {
        for n in 0..size.rlocs {
            let key = Key::new(suite, 1, &vec![7; suite.key_len()], 1);
            self.apply(Delta::SealKey { rloc: RlocId(n), destination: frames::rloc(n, false), key });
        }
        self.settle();
    }

    fn furnish(&mut self, outer_v6: bool) {
        self.apply(Delta::VrfSet(VRF, proxy()));
        for (id, underlay) in [(NATIVE, false), (CORE, true)] {
            let spec = PortSpec {
                vrf: VRF,
                underlay,
                native: !underlay,
                mac: OUR_MAC,
                mtu: 1500,
                ipv4: Some([192, 0, 2, 1].into()),
                ipv6: None,
                ..PortSpec::default()
            };
            self.apply(Delta::PortSet(id, Box::new(spec)));
        }
        self.apply(Delta::LocalRlocs(Box::new([our_rloc(outer_v6)])));
        let hop = Adjacency::Ready { port: NATIVE, source_mac: OUR_MAC, mac: MacAddr([6; 6]), mtu: 1500 };
        self.apply(Delta::AdjacencySet(AdjacencyId(0), hop));
        for prefix in ["0.0.0.0/0", "::/0", "172.16.0.0/12", "2001:db8:1::/48"] {
            if let Ok(prefix) = prefix.parse() {
                self.apply(Delta::RouteSet { vrf: VRF, prefix, route: Route::Via(AdjacencyId(0)) });
            }
        }
    }
}

/// A proxy's VRF, nothing special about it.
pub fn proxy() -> VrfSpec {
    VrfSpec { instance_id: INSTANCE, pitr: true, petr: true, ..VrfSpec::default() }
}

/// RLOC `n`, reachable through the underlay port.
pub fn ready(n: u32, outer_v6: bool) -> RlocState {
    RlocState::Ready(Box::new(RlocRewrite {
        source: our_rloc(outer_v6),
        destination: frames::rloc(n, outer_v6),
        port: CORE,
        source_mac: OUR_MAC,
        next_hop_mac: MacAddr([4; 6]),
        mtu: 1500,
        options: RlocOptions::default(),
        nonce: None,
    }))
}
