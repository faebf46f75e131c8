//! What is allowed and yet probably not meant: said once, at check-config, at the start and at a reload.

use super::model::{Config, Vrf};
use ipnet::IpNet;
use std::net::IpAddr;

impl Config {
    /// A sentence for each thing that works and that an operator should know of. Few, whatever the file.
    #[must_use]
    pub fn advice(&self) -> Vec<String> {
        self.overlapping_ipv6().into_iter().chain(self.in_eid_space()).collect()
    }

    /// IPv6 EIDs should not overlap by instance (R-141, RFC 9300 section 8): there are enough of them.
    /// Instances are kept apart all the same.
    fn overlapping_ipv6(&self) -> Option<String> {
        let mut prefixes: Vec<(IpNet, &Vrf)> = self
            .vrfs
            .iter()
            .flat_map(|vrf| self.eid_prefixes(vrf).map(move |prefix| (prefix, vrf)))
            .filter(|(prefix, _)| prefix.addr().is_ipv6() && prefix.prefix_len() > 0)
            .collect();
        prefixes.sort_by_key(|(prefix, vrf)| (prefix.network(), prefix.prefix_len(), vrf.id));
        // What lies in another prefix comes behind it, and before whatever lies outside.
        let mut around: Vec<(IpNet, &Vrf)> = Vec::new();
        let (mut first, mut count) = (None, 0u32);
        for (prefix, vrf) in prefixes {
            while around.last().is_some_and(|(outer, _)| !outer.contains(&prefix)) {
                around.pop();
            }
            if let Some((outer, other)) = around.iter().rev().find(|(_, other)| other.iid != vrf.iid) {
                count += 1;
                first.get_or_insert_with(|| {
                    format!("{prefix} of VRF {} and {outer} of VRF {}", vrf.name, other.name)
                });
            }
            around.push((prefix, vrf));
        }
        let more = if count > 1 { format!(" ({} more)", count - 1) } else { String::new() };
        first.map(|first| {
            format!(
                "IPv6 EID prefixes of different instances overlap: {first}{more}. They are kept apart by their \
                 Instance-IDs, but RFC 9300 advises against it: IPv6 EIDs should be unique"
            )
        })
    }

    /// Control messages go by the underlay's routes, whatever the EID space; that an address lies in
    /// both is a mistake in one of them.
    fn in_eid_space(&self) -> Option<String> {
        let underlay = self.vrfs.first()?;
        let inside = |addr: &IpAddr| self.eid_prefixes(underlay).find(|prefix| prefix.contains(addr));
        let servers = self.map_servers.iter().map(|server| ("Map-Server", server.address));
        let all = self.map_resolvers.iter().map(|addr| ("Map-Resolver", *addr)).chain(servers);
        let own = self.rlocs.iter().chain(&self.anycast_rlocs).map(|addr| ("our RLOC", *addr));
        let (what, addr, prefix) =
            all.chain(own).find_map(|(what, addr)| inside(&addr).map(|prefix| (what, addr, prefix)))?;
        Some(format!(
            "{what} {addr} lies in our EID space {prefix}. It is reached by the underlay's routes alone, never by a \
             mapping: make sure that there is one, or correct the EID space"
        ))
    }

    /// EID space and own EID prefixes of a VRF.
    fn eid_prefixes<'c>(&'c self, vrf: &'c Vrf) -> impl Iterator<Item = IpNet> + 'c {
        let own = self.database.iter().filter(|mapping| mapping.eid.iid == vrf.iid);
        vrf.eid_space.iter().copied().chain(own.map(|mapping| mapping.eid.prefix))
    }
}
