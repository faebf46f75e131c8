//! What is answered by configuration, whoever registers it: RFC 9301 section 8.3, where a request "fails
//! policy" (R-169). The ITRs then know what to do with the packets, instead of asking in vain.

use crate::codec::EidRecord;
use crate::engine::config::{AnswerPolicy, EngineConfig};
use crate::engine::event::EidPrefix;
use crate::roles::prefix_table::{EidTable, hole};
use crate::roles::reply;
use ipnet::IpNet;

/// The configured policies.
#[derive(Debug, Default)]
pub(super) struct Policies {
    by_eid: EidTable<AnswerPolicy>,
}

impl Policies {
    /// Takes over the configuration; the EID-prefixes for which it says something else than before.
    pub(super) fn configure(&mut self, config: &EngineConfig) -> Vec<EidPrefix> {
        let mut now = EidTable::default();
        for policy in &config.policies {
            now.insert(policy.eid, *policy);
        }
        let former = std::mem::replace(&mut self.by_eid, now);
        let other = |(eid, policy): &(EidPrefix, &AnswerPolicy)| self.by_eid.get(eid) != Some(*policy);
        let added = self.by_eid.iter().filter(|(eid, _)| former.get(eid).is_none()).map(|(eid, _)| eid);
        former.iter().filter(other).map(|(eid, _)| eid).chain(added).collect()
    }

    /// Some policy is about all of an EID-prefix.
    pub(super) fn covers(&self, eid: &EidPrefix) -> bool {
        self.by_eid.lookup_prefix(eid).is_some()
    }

    /// Some policy is about this EID-prefix or a part of it.
    pub(super) fn any_inside(&self, eid: &EidPrefix) -> bool {
        self.by_eid.any_inside(eid.iid, eid.prefix)
    }

    /// What is said of the EID that is asked for: of the largest part of the policy's prefix that no other
    /// policy has a say in.
    pub(super) fn answer(&self, asked: &EidPrefix) -> Option<EidRecord> {
        let (prefix, policy) = self.by_eid.lookup_prefix(asked)?;
        let others = |p: IpNet| {
            let inside = EidPrefix { iid: asked.iid, prefix: p };
            self.by_eid.inside(&inside).any(|(other, _)| other != prefix)
        };
        Some(record(policy, hole(asked.prefix.network(), prefix.prefix_len(), others), asked))
    }

    /// What is said of the parts of an EID-prefix, at most `max` of them.
    pub(super) fn inside<'a>(
        &'a self,
        eid: &'a EidPrefix,
        max: usize,
    ) -> impl Iterator<Item = EidRecord> + 'a {
        self.by_eid.inside(eid).take(max).map(move |(prefix, policy)| record(policy, prefix, eid))
    }
}

fn record(policy: &AnswerPolicy, prefix: IpNet, of: &EidPrefix) -> EidRecord {
    reply::negative(&EidPrefix { iid: of.iid, prefix }, policy.action, policy.ttl_minutes)
}
