//! DDT node: refers to those to whom parts of the EID space are delegated (RFC 8111 section 7.1,
//! It knows its configuration and nothing else.

use super::referral::{Referring, refer};
use crate::codec::{Ecm, MapRequest, ReferralAction};
use crate::engine::config::{Delegation, EngineConfig};
use crate::engine::event::EidPrefix;
use crate::engine::{Counter, Cx, Handled, Meta, Role};
use crate::roles::prefix_table::{EidTable, hole};
use crate::roles::reply::AnswerLimits;

/// DDT node.
#[derive(Debug, Default)]
pub struct DdtNode {
    /// Where each delegation is in the configuration.
    delegations: EidTable<usize>,
    /// What this node answers for; empty: everything, as a root does.
    authoritative: EidTable<()>,
    limits: AnswerLimits,
}

impl DdtNode {
    /// Without delegations until it is configured.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The part of what this node answers for that holds an EID-prefix: its length.
    fn authority(&self, eid: &EidPrefix) -> Option<u8> {
        if self.authoritative.is_empty() {
            return Some(0);
        }
        self.authoritative.lookup_prefix(eid).map(|(prefix, ())| prefix.prefix_len())
    }

    fn delegation<'a>(&self, config: &'a EngineConfig, eid: &EidPrefix) -> Option<&'a Delegation> {
        let (_, &index) = self.delegations.lookup_prefix(eid)?;
        config.ddt.delegations.get(index)
    }

    fn answer<'a>(&self, config: &'a EngineConfig, eid: &EidPrefix) -> Referring<'a> {
        let Some(min_len) = self.authority(eid) else {
            let action = ReferralAction::NotAuthoritative;
            return Referring { eid: *eid, action, to: &[], incomplete: true };
        };
        match self.delegation(config, eid) {
            Some(delegation) => Referring {
                eid: delegation.eid,
                action: if delegation.map_servers {
                    ReferralAction::MsReferral
                } else {
                    ReferralAction::NodeReferral
                },
                to: &delegation.to,
                incomplete: false,
            },
            None => {
                let touched = |prefix| self.delegations.any_inside(eid.iid, prefix);
                let prefix = hole(eid.prefix.network(), min_len, touched);
                let eid = EidPrefix { iid: eid.iid, prefix };
                Referring { eid, action: ReferralAction::DelegationHole, to: &[], incomplete: false }
            }
        }
    }
}

impl Role for DdtNode {
    fn configure(&mut self, cx: &mut Cx<'_>) {
        let ddt = &cx.config.ddt;
        self.delegations = EidTable::default();
        self.authoritative = EidTable::default();
        for (index, delegation) in ddt.delegations.iter().enumerate() {
            self.delegations.insert(delegation.eid, index);
        }
        for eid in &ddt.authoritative {
            self.authoritative.insert(*eid, ());
        }
    }

    /// Only DDT clients ask here: what has no D bit is for a Map-Resolver (RFC 8111 section 7.1).
    fn on_encapsulated_map_request(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: &Ecm,
        request: &MapRequest,
    ) -> Handled {
        if !ecm.ddt {
            return Handled::No;
        }
        cx.count(Counter::DdtRequestsReceived);
        if !self.limits.admit_sender(cx, meta.from.ip()) {
            return Handled::Yes;
        }
        match request.records.iter().find_map(|r| r.eid.eid_prefix(r.mask_len)) {
            Some(eid) => refer(cx, meta, request.nonce, &self.answer(cx.config, &eid)),
            None => cx.count(Counter::RequestsUnknownEid),
        }
        Handled::Yes
    }
}
