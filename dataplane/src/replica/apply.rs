//! Applying deltas. One call is a bounded amount of work.

use super::applied::{Applied, Ignored, Retired, Touched};
use super::lookup::INSTANCE_BITS;
use super::tables::Replica;
use super::vrf::{LocalEid, Vrf};
use crate::admission::VrfAdmission;
use crate::feed::{Delta, MapAction, RlocState, Route, VrfSpec};
use crate::fib::FibError;
use crate::lpm::Key4;
use crate::policer::VrfPolicers;
use crate::types::{Eid, EntryId, InstanceId, RlocId, SiteId, VrfId};
use dpdk_sys::Lone;
use ipnet::IpNet;
use std::net::IpAddr;

/// Places of VRFs, and VRFs, that [`Replica::tidy`] looks at in one call.
const TIDY_PLACES: usize = 1024;
const TIDY_VRFS: usize = 8;
/// Reserved for NAT traversal; never an instance.
const RESERVED_INSTANCE: u32 = InstanceId::MAX;

/// What a handler returns: memory to give back, or why the delta was ignored and its memory.
type Outcome = Result<Option<Retired>, (Ignored, Option<Retired>)>;

impl Replica {
    /// Applies one delta. A delta that can not be applied is ignored and counted.
    pub fn apply(&mut self, delta: Delta) -> Applied {
        let touched = touched_by(&delta);
        match self.dispatch(delta) {
            Ok(retired) => Applied { outcome: Ok(()), touched, retired },
            Err((ignored, retired)) => {
                self.ignored += 1;
                // A broken rewrite takes its slot down: packets that wait for it must not wait on.
                let touched = touched.filter(|_| matches!(ignored, Ignored::Rewrite(_)));
                Applied { outcome: Err(ignored), touched, retired }
            }
        }
    }

    /// Goes on with what changes of the tables left to do for the sake of faster lookups, in one VRF: a bounded amount
    /// of work, for now and then.
    pub fn tidy(&mut self) {
        let mut looked_at = 0;
        for _ in 0..TIDY_PLACES {
            self.tidied = self.tidied.wrapping_add(1);
            let Some(place) = self.vrfs.get_mut(self.tidied) else {
                // Neither this one nor those behind it.
                self.tidied = u32::MAX;
                continue;
            };
            if let Some(vrf) = place {
                looked_at += 1;
                if vrf.tidy() || looked_at == TIDY_VRFS {
                    return;
                }
            }
        }
    }

    fn dispatch(&mut self, delta: Delta) -> Outcome {
        match delta {
            Delta::VrfSet(id, spec) => self.set_vrf(id, spec).map(|()| None).map_err(|why| (why, None)),
            Delta::PortSet(id, spec) => match self.ports.entry(u32::from(id.0)) {
                Some(slot) => Ok(slot.replace(spec).map(Retired::Port)),
                None => Err((Ignored::Port(id), Some(Retired::Port(spec)))),
            },
            Delta::LocalRlocs(list) if list.len() > self.limits.local_rlocs as usize => {
                Err((Ignored::LocalRlocs(list.len()), Some(Retired::LocalRlocs(list))))
            }
            Delta::LocalRlocs(list) => Ok(Some(Retired::LocalRlocs(self.local_rlocs.set(list)))),
            Delta::MapSet { vrf, prefix, entry, action } => self.set_mapping(vrf, prefix, entry, action),
            Delta::MapDel { vrf, prefix } => self.remove_mapping(vrf, prefix),
            Delta::RlocSet(id, state) => self.set_rloc(id, state),
            Delta::LocatorSetSet(id, buckets) => match self.sets.set(id, buckets) {
                Ok(old) => Ok((!old.is_empty()).then_some(Retired::Buckets(old))),
                Err(buckets) => Err((Ignored::LocatorSet(id), Some(Retired::Buckets(buckets)))),
            },
            Delta::RouteSet { vrf, prefix, route } => self.set_route(vrf, prefix, route),
            Delta::RouteDel { vrf, prefix } => self.remove_route(vrf, prefix),
            Delta::AdjacencySet(id, adjacency) => match self.adjacencies.set(id, adjacency) {
                true => Ok(None),
                false => Err((Ignored::Adjacency(id), None)),
            },
            Delta::LocalEidSet { vrf, prefix } => self.set_local_eid(vrf, prefix, LocalEid::of(prefix)),
            Delta::AwayEidSet { vrf, eid, forward } => self.set_away_eid(vrf, eid, forward),
            Delta::LocalEidDel { vrf, prefix } => self.remove_local_eid(vrf, prefix),
            Delta::Admission(admission) => Ok(Some(Retired::Admission(self.guard.set(admission)))),
            Delta::OuterSourceSet(prefix) => self.outer_source(prefix, true),
            Delta::OuterSourceDel(prefix) => self.outer_source(prefix, false),
            Delta::SiteRulesSet(site, rules) => match self.guard.set_rules(site, rules) {
                Ok(former) => Ok(former.map(Retired::SiteRules)),
                Err(rules) => Err((Ignored::Site(site), Some(Retired::SiteRules(rules)))),
            },
            Delta::SiteSet { vrf, prefix, site } => self.set_site(vrf, prefix, site),
            Delta::SiteDel { vrf, prefix } => self.remove_site(vrf, prefix),
            Delta::EntryRlocs(id, rlocs) => match self.entry_rlocs.entry(id.0) {
                Some(slot) => Ok(Some(Retired::EntryRlocs(std::mem::replace(slot, rlocs)))),
                None => Err((Ignored::Entry(id), Some(Retired::EntryRlocs(rlocs)))),
            },
            Delta::Trust(trust) => {
                self.used.trusting = trust.any();
                Ok(Some(Retired::Trust(self.guard.set_trust(trust))))
            }
            Delta::GpePeers(list) => Ok(Some(Retired::GpePeers(self.guard.set_gpe_peers(list)))),
            Delta::Outdated(list) => Ok(Some(Retired::Outdated(self.guard.set_outdated(list)))),
            Delta::Awaited(list) => Ok(Some(Retired::Awaited(self.guard.set_awaited(list)))),
            Delta::EntryMarks(id, marks) => match self.marks.entry(id.0) {
                Some(slot) => {
                    *slot = marks;
                    Ok(None)
                }
                None => Err((Ignored::Entry(id), None)),
            },
            Delta::SealKey { rloc, destination, key } => {
                match self.keyring.set_seal(rloc, destination, key) {
                    Ok(former) => Ok(former.map(Retired::SealKey)),
                    Err(key) => Err((Ignored::Rloc(rloc), key.map(Retired::SealKey))),
                }
            }
            Delta::PeerKeys { peer, source, keys } => match self.keyring.set_peer(peer, source, keys) {
                Ok(former) => Ok(former.map(Retired::PeerKeys)),
                Err(keys) => Err((Ignored::Peer(peer), keys.map(Retired::PeerKeys))),
            },
            Delta::Policers(vrf, policers) => self.set_policers(vrf, policers),
            Delta::VrfAdmission(id, admission) => self.set_vrf_admission(id, admission),
            Delta::Abandon { .. } => Ok(None),
        }
    }

    fn set_vrf(&mut self, id: VrfId, spec: VrfSpec) -> Result<(), Ignored> {
        let iid = spec.instance_id;
        if iid.0 >= RESERVED_INSTANCE {
            return Err(Ignored::InstanceRange(iid));
        }
        if self.vrf_by_iid(iid).is_some_and(|owner| owner != id) {
            return Err(Ignored::InstanceTaken(iid));
        }
        self.traffic.reserve(id);
        let slot = self.vrfs.entry(u32::from(id.0)).ok_or(Ignored::Vrf(id))?;
        let former = match slot {
            Some(vrf) => Some(std::mem::replace(&mut vrf.spec, spec).instance_id),
            None => {
                let vrf = Vrf::new(&self.supply, id, spec, self.limits.multipath_routes);
                *slot = Some(Lone::new(&self.supply, vrf));
                None
            }
        };
        if let Some(former) = former {
            self.instances.remove(Key4(former.0), INSTANCE_BITS);
        }
        let inserted = self.instances.insert(Key4(iid.0), INSTANCE_BITS, u32::from(id.0));
        inserted.map(|_| ()).map_err(|_| Ignored::TableFull(id))
    }

    fn set_mapping(&mut self, vrf: VrfId, prefix: IpNet, entry: EntryId, action: MapAction) -> Outcome {
        let room = self.used.mappings < self.limits.entries;
        let tables = vrf_mut(&mut self.vrfs, vrf)?;
        let former = tables.map_cache.get(prefix);
        if former.is_none() && !room {
            return Err((Ignored::TableFull(vrf), None));
        }
        // The action first: a prefix never leads to a slot without one.
        if !self.entries.set(entry, action) {
            return Err((Ignored::Entry(entry), None));
        }
        if former == Some(entry.0) {
            return Ok(None);
        }
        tables.map_cache.insert(prefix, entry.0).map_err(|_| (Ignored::TableFull(vrf), None))?;
        self.entries.reset_counters(entry);
        match former {
            Some(former) => self.entries.vacate(EntryId(former)),
            None => self.used.mappings += 1,
        }
        Ok(None)
    }

    fn remove_mapping(&mut self, vrf: VrfId, prefix: IpNet) -> Outcome {
        let entry = vrf_mut(&mut self.vrfs, vrf)?.map_cache.remove(prefix);
        self.entries.vacate(EntryId(entry.ok_or((Ignored::Absent(vrf), None))?));
        self.used.mappings -= 1;
        Ok(None)
    }

    fn set_rloc(&mut self, id: RlocId, state: RlocState) -> Outcome {
        let result = self.rlocs.set(id, &state);
        let retired = match state {
            RlocState::Ready(rewrite) => Some(Retired::Rewrite(rewrite)),
            RlocState::Resolving | RlocState::Down => None,
        };
        match result {
            Ok(true) => Ok(retired),
            Ok(false) => Err((Ignored::Rloc(id), retired)),
            Err(_) => Err((Ignored::Rewrite(id), retired)),
        }
    }

    fn set_route(&mut self, vrf: VrfId, prefix: IpNet, route: Route) -> Outcome {
        let room = self.used.routes < self.limits.routes;
        let delta = |route| Retired::of(Delta::RouteSet { vrf, prefix, route });
        let Ok(tables) = vrf_mut(&mut self.vrfs, vrf) else {
            return Err((Ignored::Vrf(vrf), delta(route)));
        };
        if !room && !tables.fib.contains(prefix) {
            return Err((Ignored::TableFull(vrf), delta(route)));
        }
        let before = tables.fib.len();
        match tables.fib.set(prefix, route) {
            Ok(old) => {
                self.used.routes += (tables.fib.len() - before) as u32;
                Ok(old.map(Retired::Paths))
            }
            Err(FibError::Unfit(route)) => Err((Ignored::Route(vrf), delta(route))),
            Err(FibError::Table(_)) => Err((Ignored::TableFull(vrf), None)),
        }
    }

    fn remove_route(&mut self, vrf: VrfId, prefix: IpNet) -> Outcome {
        let removed = vrf_mut(&mut self.vrfs, vrf)?.fib.remove(prefix);
        let paths = removed.ok_or((Ignored::Absent(vrf), None))?;
        self.used.routes -= 1;
        Ok(paths.map(Retired::Paths))
    }

    fn set_away_eid(&mut self, vrf: VrfId, eid: IpAddr, forward: bool) -> Outcome {
        let what = if forward { LocalEid::Away } else { LocalEid::AwayDrop };
        self.set_local_eid(vrf, IpNet::from(eid), what)
    }

    fn set_local_eid(&mut self, vrf: VrfId, prefix: IpNet, what: LocalEid) -> Outcome {
        let room = self.used.local_eids < self.limits.local_eids;
        let tables = vrf_mut(&mut self.vrfs, vrf)?;
        let former = tables.local_eids.get(prefix).map(LocalEid::from_word);
        if former == Some(what) {
            return Ok(None);
        }
        let fits = former.is_some() || room;
        if !fits || tables.local_eids.insert(prefix, what as u32).is_err() {
            return Err((Ignored::TableFull(vrf), None));
        }
        self.used.local_eids += u32::from(former.is_none());
        self.used.away += u32::from(what.is_away());
        self.used.away -= u32::from(former.is_some_and(LocalEid::is_away));
        Ok(None)
    }

    fn remove_local_eid(&mut self, vrf: VrfId, prefix: IpNet) -> Outcome {
        let removed = vrf_mut(&mut self.vrfs, vrf)?.local_eids.remove(prefix);
        let former = removed.ok_or((Ignored::Absent(vrf), None))?;
        self.used.local_eids -= 1;
        self.used.away -= u32::from(LocalEid::from_word(former).is_away());
        Ok(None)
    }

    fn outer_source(&mut self, prefix: IpNet, add: bool) -> Outcome {
        let done = match add {
            true => self.guard.add_outer_source(prefix, self.limits.outer_sources),
            false => self.guard.remove_outer_source(prefix),
        };
        if done { Ok(None) } else { Err((Ignored::OuterSource(prefix), None)) }
    }

    fn set_site(&mut self, vrf: VrfId, prefix: IpNet, site: SiteId) -> Outcome {
        let room = self.used.site_prefixes < self.limits.site_prefixes;
        let tables = vrf_mut(&mut self.vrfs, vrf)?;
        let new = tables.sites.get(prefix).is_none();
        if (new && !room) || tables.sites.insert(prefix, site.0).is_err() {
            return Err((Ignored::TableFull(vrf), None));
        }
        self.used.site_prefixes += u32::from(new);
        Ok(None)
    }

    fn remove_site(&mut self, vrf: VrfId, prefix: IpNet) -> Outcome {
        let removed = vrf_mut(&mut self.vrfs, vrf)?.sites.remove(prefix);
        removed.ok_or((Ignored::Absent(vrf), None))?;
        self.used.site_prefixes -= 1;
        Ok(None)
    }

    fn set_policers(&mut self, vrf: VrfId, policers: Option<Box<VrfPolicers>>) -> Outcome {
        let Ok(tables) = vrf_mut(&mut self.vrfs, vrf) else {
            return Err((Ignored::Vrf(vrf), policers.map(Retired::Policers)));
        };
        let policed = u32::from(policers.is_some());
        let former = std::mem::replace(&mut tables.policers, policers);
        self.used.policed += policed;
        self.used.policed -= u32::from(former.is_some());
        Ok(former.map(Retired::Policers))
    }

    fn set_vrf_admission(&mut self, vrf: VrfId, admission: VrfAdmission) -> Outcome {
        let tables = vrf_mut(&mut self.vrfs, vrf)?;
        let former = std::mem::replace(&mut tables.admission, admission);
        self.used.guarded += u32::from(admission.any());
        self.used.guarded -= u32::from(former.any());
        Ok(None)
    }
}

/// A function rather than a method: it borrows nothing but the VRFs.
fn vrf_mut(
    vrfs: &mut crate::slots::Slots<Option<Lone<Vrf>>>,
    id: VrfId,
) -> Result<&mut Vrf, (Ignored, Option<Retired>)> {
    let slot = vrfs.get_mut(u32::from(id.0)).and_then(Option::as_deref_mut);
    slot.ok_or((Ignored::Vrf(id), None))
}

fn touched_by(delta: &Delta) -> Option<Touched> {
    match *delta {
        Delta::MapSet { vrf, prefix, .. } | Delta::MapDel { vrf, prefix } => {
            Some(Touched::Mapping { vrf, prefix })
        }
        Delta::RouteSet { vrf, prefix, .. } | Delta::RouteDel { vrf, prefix } => {
            Some(Touched::Route { vrf, prefix })
        }
        Delta::RlocSet(id, _) | Delta::SealKey { rloc: id, .. } => Some(Touched::Rloc(id)),
        Delta::AdjacencySet(id, _) => Some(Touched::Adjacency(id)),
        Delta::Abandon { vrf, eid } => Some(Touched::Abandon(Eid { vrf, addr: eid })),
        _ => None,
    }
}
