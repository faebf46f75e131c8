//! A new configuration: what differs from the old one becomes deltas.

use super::core::Feeder;
use super::entries::Held;
use super::hops::Context;
use super::spec::FeederSpec;
use crate::engine::event::{EidPrefix, Forwarding, Time};
use crate::netlink::KernelView;
use ipnet::IpNet;
use pxtr_dataplane::feed::{Delta, MapAction};
use pxtr_dataplane::trust::Marks;
use pxtr_dataplane::types::VrfId;

impl Feeder {
    /// Puts a new specification in force. Ports and VRFs are the same ones as before; their flags,
    /// EID space, local EID-prefixes and our RLOCs may differ.
    pub fn reconfigure(&mut self, now: Time, view: &KernelView, spec: FeederSpec) {
        let old = std::mem::replace(&mut self.spec, spec);
        if !old.admission.is_strict() {
            let entries: Vec<_> = self.entries.iter().collect();
            entries.into_iter().for_each(|(entry, held)| self.tell_rlocs(entry, held));
        }
        self.guard.set(&self.spec.admission, &mut self.out);
        self.policers.set(&self.spec.policers, &mut self.out);
        self.change_trust(&old);
        let gpe_peers = self.spec.gpe_peers();
        if gpe_peers != old.gpe_peers() {
            self.out.delta(Delta::GpePeers(gpe_peers));
        }
        let ports = self.ports.reconfigure(&self.spec, &mut self.out);
        for vrf in self.spec.vrfs.clone() {
            let before = old.vrf(vrf.id);
            if before.is_none_or(|before| before.spec != vrf.spec) {
                self.out.delta(Delta::VrfSet(vrf.id, vrf.spec));
            }
            let former = before.map_or(&[][..], |before| &before.local_eids);
            for prefix in former.iter().filter(|p| !vrf.local_eids.contains(p)) {
                self.remove_site(now, view, (vrf.id, *prefix));
            }
            for prefix in vrf.local_eids.iter().filter(|p| !former.contains(p)) {
                self.add_site(now, view, (vrf.id, *prefix));
            }
        }
        if old.local_rlocs() != self.spec.local_rlocs() {
            self.out.delta(Delta::LocalRlocs(self.spec.local_rlocs()));
        }
        if !ports.is_empty() {
            let Self { ports: table, fib, hops, hosts, out, .. } = self;
            for port in ports {
                hosts.forget(port, fib, hops, &mut Context { now, view, ports: table, out });
            }
            self.refresh(now, view);
        }
        // EID space, our RLOCs and the underlay's ports all decide over what an RLOC may be, paths over
        // how packets go there.
        self.resolve_all(now, view);
        self.watch_site(view);
    }

    /// Whose headers are heeded. From the time that some are, the engine says what is in them; what the workers
    /// have from before is forgotten.
    fn change_trust(&mut self, old: &FeederSpec) {
        if old.trust == self.spec.trust {
            return;
        }
        if !old.trust.any() {
            for (entry, _) in self.entries.iter() {
                self.out.delta(Delta::EntryMarks(entry, Marks::default()));
            }
        }
        self.out.delta(Delta::Trust(Box::new(self.spec.trust.clone())));
    }

    /// Makes an EID-prefix our own. Packets to it are no longer the engine's matter.
    pub(super) fn add_site(&mut self, now: Time, view: &KernelView, key: (VrfId, IpNet)) {
        let (vrf, prefix) = key;
        self.out.delta(Delta::LocalEidSet { vrf, prefix });
        let Some((entry, held)) = self.bind(key, Held::Nothing, true) else { return };
        self.out.delta(Delta::MapSet { vrf, prefix, entry, action: MapAction::LocalSite });
        self.let_go(now, view, held);
    }

    /// The EID-prefix is no longer ours: the engine's last word on it counts again, if it has one.
    fn remove_site(&mut self, now: Time, view: &KernelView, key: (VrfId, IpNet)) {
        let (vrf, prefix) = key;
        self.out.delta(Delta::LocalEidDel { vrf, prefix });
        let slot = self.entries.get(key).map(|entry| entry.slot).filter(|_| self.spec.trust.any());
        if let Some(slot) = slot {
            self.out.delta(Delta::EntryMarks(slot, Marks::default()));
        }
        let shadow: Option<Forwarding> = self.entries.end_site(key);
        let iid = self.spec.vrf(vrf).map(|v| v.iid);
        let back = shadow
            .zip(iid)
            .map(|(forwarding, iid)| self.install(now, view, EidPrefix { iid, prefix }, &forwarding));
        if !matches!(back, Some(Ok(()))) {
            self.remove(now, view, key);
        }
    }
}
