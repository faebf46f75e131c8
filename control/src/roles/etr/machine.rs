//! The ETR state machine: its parts and who is called for what.

use super::audience::Audience;
use super::registrar::Registrar;
use super::solicitor::Solicitor;
use super::view::{self, DatabaseView};
use crate::codec::{Ecm, MapNotify, MapRequest};
use crate::engine::config::EngineConfig;
use crate::engine::event::Time;
use crate::engine::{Cx, Handled, Meta, Role};
use crate::roles::prefix_table::EidTable;
use crate::roles::reply::AnswerLimits;

/// ETR and, for RLOC-probes, PETR.
#[derive(Debug, Default)]
pub struct Etr {
    /// Our EID-prefixes: index into the configuration's database.
    pub(super) database: EidTable<usize>,
    pub(super) limits: AnswerLimits,
    pub(super) audience: Audience,
    pub(super) solicitor: Solicitor,
    registrar: Registrar,
}

impl Etr {
    /// Nothing is registered before it is configured.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Our EID-prefixes and how far their registration is, in the order of the configuration.
    pub fn database<'a>(&'a self, config: &'a EngineConfig) -> impl Iterator<Item = DatabaseView> + 'a {
        view::database(config, &self.registrar)
    }
}

impl Role for Etr {
    fn configure(&mut self, cx: &mut Cx<'_>) {
        self.database = index(cx.config);
        let changes = self.registrar.configure(cx);
        // What is no longer ours has no mapping to ask us for, but the ITRs are to notice.
        for (itr, eid) in self.audience.of(cx.now, &changes.eids, changes.ttl_ms) {
            self.solicitor.solicit(cx, itr, eid);
        }
        changes
            .eids
            .iter()
            .filter(|eid| self.database.get(eid).is_none())
            .for_each(|eid| self.audience.forget(eid));
    }

    fn on_map_request(&mut self, cx: &mut Cx<'_>, meta: &Meta, request: &MapRequest) -> Handled {
        if request.probe { self.on_probe(cx, meta, request) } else { self.on_request(cx, meta, request) }
    }

    fn on_encapsulated_map_request(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        _ecm: &Ecm,
        request: &MapRequest,
    ) -> Handled {
        self.on_request(cx, meta, request)
    }

    fn on_map_notify(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], notify: &MapNotify) -> Handled {
        self.registrar.on_map_notify(cx, meta, raw, notify)
    }

    fn on_tick(&mut self, cx: &mut Cx<'_>) {
        self.registrar.on_tick(cx);
        self.solicitor.on_tick(cx);
    }

    fn next_deadline(&self) -> Option<Time> {
        [self.registrar.next_deadline(), self.solicitor.next_deadline()].into_iter().flatten().min()
    }
}

fn index(config: &EngineConfig) -> EidTable<usize> {
    let mut table = EidTable::default();
    if config.roles.xtr {
        for (i, mapping) in config.database.iter().enumerate() {
            table.insert(mapping.eid, i);
        }
    }
    table
}
