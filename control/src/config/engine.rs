//! What the engine is told.

use super::model::Config;
use crate::engine::config::{EngineConfig, VrfConfig};

impl Config {
    /// What the engine is told. `register_nonce_epoch`: seconds since the epoch at start,
    /// an argument because only the runtime reads the clock.
    #[must_use]
    pub fn engine(&self, register_nonce_epoch: u32) -> EngineConfig {
        EngineConfig {
            roles: self.roles,
            rlocs: self.rlocs.clone(),
            shared_rlocs: self.anycast_rlocs.clone(),
            map_resolvers: self.map_resolvers.clone(),
            vrfs: self
                .vrfs
                .iter()
                .map(|vrf| VrfConfig {
                    name: vrf.name.clone(),
                    iid: vrf.iid,
                    eid_space: vrf.eid_space.clone(),
                })
                .collect(),
            database: self.database.clone(),
            dynamic_eids: self.dynamic_eids.clone(),
            first_hop_routers: self.first_hop_routers.clone(),
            map_servers: self.map_servers.clone(),
            xtr_id: self.xtr_id,
            use_petr: self.use_petr.clone(),
            static_mappings: self.static_mappings.clone(),
            sites: self.sites.clone(),
            policies: self.policies.clone(),
            lisp_sec: self.lisp_sec.clone(),
            subscribing: self.subscribing.clone(),
            subscribers: self.subscribers.clone(),
            map_resolver_forward_to: self.map_resolver_forward_to.clone(),
            ddt: self.ddt.clone(),
            trust: self.trust.clone(),
            nat_traversal: self.nat_traversal,
            rtr_rlocs: self.rtr_rlocs.clone(),
            info_without_key: self.info_without_key,
            rtr: self.rtr.clone(),
            encryption: self.encryption.clone(),
            limits: self.limits.clone(),
            register_nonce_epoch,
        }
    }
}
