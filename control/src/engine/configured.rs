//! What the configuration puts into the map-cache: EID space and static mappings, at the start and
//! as differences at a reload.

use super::config::EngineConfig;
use super::cx::Cx;
use super::elp;
use super::event::EidPrefix;
use super::itr::Itr;
use super::map_cache::{NEVER, NewEntry};
use super::mapping::{Act, Origin};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use pxtr_dataplane::trust::MapVersion;
use std::collections::{BTreeMap, BTreeSet};

impl Itr {
    /// Puts a configuration in force; the first one, too.
    pub fn configure(&mut self, cx: &mut Cx<'_>) {
        self.resolver.configure(cx);
        if super::subscriptions::identity(cx.config).is_none() {
            self.subscriptions.clear();
        }
        self.rlocs.configure(cx);
        let mut space = eid_space(cx.config);
        space.extend(self.away.iter().copied());
        let statics = static_entries(cx);
        let shrunk = !self.cache.space.is_subset(&space);
        self.cache.space = space;
        self.drop_unconfigured(cx, &statics, shrunk);
        for (eid, new) in statics {
            self.cache.put(cx, &mut self.rlocs, eid, new);
        }
        for eid in self.cache.space.clone() {
            if self.cache.get(&eid).is_none() {
                let (act, origin) = (Act::SendMapRequest, Origin::EidSpace);
                let new =
                    NewEntry { act, locators: Vec::new(), origin, expires: NEVER, version: MapVersion::NONE };
                self.cache.put(cx, &mut self.rlocs, eid, new);
            }
        }
        self.lay_nat(cx);
        self.cache.retarget_native(cx, &mut self.rlocs);
        let trust = &cx.config.trust;
        let marking = (trust.map_versions, trust.status_bits);
        if marking != self.marking {
            self.cache.iter().for_each(|entry| entry.mark(cx, &self.rlocs));
        }
        self.marking = marking;
    }

    /// Takes out what is no longer configured; when EID space was given up, also what was learnt
    /// there.
    fn drop_unconfigured(&mut self, cx: &mut Cx<'_>, statics: &BTreeMap<EidPrefix, NewEntry>, shrunk: bool) {
        let space = &self.cache.space;
        let outside =
            |eid: &EidPrefix| !space.iter().any(|s| s.iid == eid.iid && s.prefix.contains(&eid.prefix));
        let gone: Vec<EidPrefix> = self
            .cache
            .iter()
            .filter(|entry| match entry.origin {
                Origin::Static => !statics.contains_key(&entry.eid),
                Origin::EidSpace => !space.contains(&entry.eid),
                Origin::MapReply | Origin::Hole => shrunk && outside(&entry.eid),
                Origin::Nat => false,
            })
            .map(|entry| entry.eid)
            .collect();
        for eid in gone {
            self.cache.remove(cx, &mut self.rlocs, &eid);
        }
    }
}

/// EID space by instance. A site without any asks for every destination that is not routed
/// natively.
fn eid_space(config: &EngineConfig) -> BTreeSet<EidPrefix> {
    let mut space = BTreeSet::new();
    if !config.looks_up() {
        return space;
    }
    for vrf in &config.vrfs {
        let iid = vrf.iid;
        space.extend(vrf.eid_space.iter().map(|prefix| EidPrefix { iid, prefix: prefix.trunc() }));
        if config.roles.xtr && vrf.eid_space.is_empty() {
            let all = [IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
            space.extend(all.map(|prefix| EidPrefix { iid, prefix }));
        }
    }
    space
}

fn static_entries(cx: &mut Cx<'_>) -> BTreeMap<EidPrefix, NewEntry> {
    let config = cx.config;
    let entry = |mapping: &super::config::StaticMapping| {
        let locators: Vec<_> = mapping.locators.iter().flat_map(|l| elp::configured(cx, l)).collect();
        let none = mapping.locators.is_empty();
        let act = if none { Act::from(&mapping.action) } else { Act::Encapsulate };
        let eid = EidPrefix { iid: mapping.eid.iid, prefix: mapping.eid.prefix.trunc() };
        (eid, NewEntry { act, locators, origin: Origin::Static, expires: NEVER, version: MapVersion::NONE })
    };
    config.static_mappings.iter().map(entry).collect()
}
