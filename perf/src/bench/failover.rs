//! `failover`: the locator-set that all entries share loses an RLOC. From the moment at which control
//! hands over the delta to the moment at which the first packet went to the other RLOC.

use super::list::Setup;
use super::path::{self, ROTATION};
use crate::report::Metric;
use crate::world::{Size, VRF, World};
use anyhow::{Result, ensure};
use dpdk_sys::{tsc, tsc_hz};
use pxtr_dataplane::feed::{Delta, MapAction, Target};
use pxtr_dataplane::io::BURST;
use pxtr_dataplane::types::{EntryId, LocatorSetId, RlocId};

pub(super) fn run(setup: &Setup) -> Result<Vec<Metric>> {
    let mappings = if setup.quick { 1000 } else { 1_000_000 };
    let mut world = World::new(&setup.pool, ROTATION, Size { mappings, rlocs: 2 }, false);
    let set = LocatorSetId(0);
    world.apply(Delta::LocatorSetSet(set, Box::new([RlocId(0)])));
    for n in 0..mappings {
        let (prefix, entry) = (crate::frames::prefix(n, false), EntryId(2 * n));
        let action = MapAction::Encapsulate(Target::Set(set));
        world.apply(Delta::MapSet { vrf: VRF, prefix, entry, action });
    }
    world.settle();
    path::to_mappings(&mut world, mappings);
    let counters = world.worker.replica().rloc_counters();
    let packets = |rloc: u32| counters.get(rloc).map_or(0, |slot| slot.counters().0);
    let mut samples = Vec::new();
    for turn in 0..if setup.quick { 2 } else { 1000 } {
        path::rotation(&mut world)?;
        let other = 1 - turn % 2;
        let before = packets(other);
        world.worker.io_mut().grant(ROTATION / BURST);
        let start = tsc();
        world.apply(Delta::LocatorSetSet(set, Box::new([RlocId(other)])));
        let mut rounds = 0;
        while packets(other) == before {
            world.worker.poll_once();
            rounds += 1;
            ensure!(rounds < 100, "no packet goes to the other RLOC");
        }
        samples.push((tsc() - start) as f64 * 1000.0 / tsc_hz() as f64);
        // What came through in the same round as the delta is behind it in time but not in order.
        let former = packets(1 - other);
        path::rotation(&mut world)?;
        ensure!(packets(1 - other) == former, "packets still go to the former RLOC");
    }
    Ok(vec![Metric::of("failover_1m_ms", "ms", samples)])
}
