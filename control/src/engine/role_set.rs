//! The roles of the mapping system that this engine plays.

use super::config::EngineConfig;
use super::nat::NatChange;
use super::role::Role;
use crate::roles::{DdtNode, Etr, MapResolver, MapServer, Rtr};

/// Which roles are on. A role that is off is absent.
#[derive(Debug, Default)]
pub struct RoleSet {
    etr: Option<Etr>,
    map_server: Option<MapServer>,
    ddt_node: Option<DdtNode>,
    map_resolver: Option<MapResolver>,
    rtr: Option<Rtr>,
}

impl RoleSet {
    /// The roles that the configuration asks for. A proxy ETR answers RLOC-probes, which is the
    /// ETR's part.
    #[must_use]
    pub fn new(config: &EngineConfig) -> Self {
        let mut set = Self::default();
        set.choose(config);
        set
    }

    /// Adds and removes roles after a reload; those that stay keep their state.
    pub fn choose(&mut self, config: &EngineConfig) {
        let roles = config.roles;
        keep(&mut self.etr, roles.xtr || roles.petr || roles.fhr, Etr::new);
        keep(&mut self.map_server, roles.map_server, MapServer::new);
        keep(&mut self.ddt_node, roles.ddt_node, DdtNode::new);
        keep(&mut self.map_resolver, roles.map_resolver, MapResolver::new);
        keep(&mut self.rtr, config.rtr.is_some(), Rtr::new);
    }

    /// In the order in which a message is offered to them: the ETR first, because who owns an EID
    /// answers for it, and a Map-Server in the same daemon would forward to itself; then the
    /// Map-Server, which knows its own sites; then the DDT node and the Map-Resolver;
    /// the RTR takes what none of them does.
    pub fn each(&mut self) -> impl Iterator<Item = &mut dyn Role> {
        let etr = self.etr.as_mut().map(|r| r as &mut dyn Role);
        let map_server = self.map_server.as_mut().map(|r| r as &mut dyn Role);
        let map_resolver = self.map_resolver.as_mut().map(|r| r as &mut dyn Role);
        let ddt_node = self.ddt_node.as_mut().map(|r| r as &mut dyn Role);
        let rtr = self.rtr.as_mut().map(|r| r as &mut dyn Role);
        [etr, map_server, ddt_node, map_resolver, rtr].into_iter().flatten()
    }

    /// The same, to look at.
    pub fn each_ref(&self) -> impl Iterator<Item = &dyn Role> {
        let etr = self.etr.as_ref().map(|r| r as &dyn Role);
        let map_server = self.map_server.as_ref().map(|r| r as &dyn Role);
        let map_resolver = self.map_resolver.as_ref().map(|r| r as &dyn Role);
        let ddt_node = self.ddt_node.as_ref().map(|r| r as &dyn Role);
        let rtr = self.rtr.as_ref().map(|r| r as &dyn Role);
        [etr, map_server, ddt_node, map_resolver, rtr].into_iter().flatten()
    }

    /// ETR (and PETR), if on.
    #[must_use]
    pub fn etr(&self) -> Option<&Etr> {
        self.etr.as_ref()
    }

    /// The same, to be told something.
    pub(crate) fn etr_mut(&mut self) -> Option<&mut Etr> {
        self.etr.as_mut()
    }

    /// Map-Resolver, if on.
    #[must_use]
    pub fn map_resolver(&self) -> Option<&MapResolver> {
        self.map_resolver.as_ref()
    }

    /// RTR for routers behind NATs, if on.
    #[must_use]
    pub fn rtr(&self) -> Option<&Rtr> {
        self.rtr.as_ref()
    }

    /// What the roles learnt of NATs since this was asked last.
    pub(super) fn nat_changes(&mut self) -> Vec<NatChange> {
        self.each().flat_map(Role::nat_changes).collect()
    }

    /// Map-Server, to be told something.
    pub(crate) fn map_server_mut(&mut self) -> Option<&mut MapServer> {
        self.map_server.as_mut()
    }

    /// Map-Server, if on.
    #[must_use]
    pub fn map_server(&self) -> Option<&MapServer> {
        self.map_server.as_ref()
    }
}

fn keep<R>(role: &mut Option<R>, on: bool, new: fn() -> R) {
    if on {
        role.get_or_insert_with(new);
    } else {
        *role = None;
    }
}
