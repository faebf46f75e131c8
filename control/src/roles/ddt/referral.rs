//! Map-Referrals (RFC 8111 sections 6.4, 7.1).

use crate::codec::{Address, LocatorRecord, MapReferral, Message, ReferralAction, ReferralRecord};
use crate::engine::event::EidPrefix;
use crate::engine::{Counter, Cx, Meta};
use crate::roles::reply;
use std::net::IpAddr;

/// What a Map-Referral says.
pub(in crate::roles) struct Referring<'a> {
    /// About which EID-prefix.
    pub(in crate::roles) eid: EidPrefix,
    /// What.
    pub(in crate::roles) action: ReferralAction,
    /// Whom to ask.
    pub(in crate::roles) to: &'a [IpAddr],
    /// There are others to ask that we do not know: the answer is not to be kept.
    pub(in crate::roles) incomplete: bool,
}

impl Referring<'_> {
    fn record(&self) -> ReferralRecord {
        let referral = |to: &IpAddr| LocatorRecord::new(*to, 1, 100);
        let mut referrals: Vec<LocatorRecord> = self.to.iter().map(referral).collect();
        reply::sort_locators(&mut referrals);
        ReferralRecord {
            ttl_minutes: self.action.ttl_minutes(),
            mask_len: self.eid.prefix.prefix_len(),
            action: self.action,
            authoritative: self.action != ReferralAction::NotAuthoritative,
            incomplete: self.incomplete,
            map_version: 0,
            eid: Address::from_eid(self.eid.iid, self.eid.prefix.network()),
            referrals,
            signatures: Vec::new(),
        }
    }
}

/// Answers a DDT Map-Request: to where its ECM came from, with its nonce.
pub(in crate::roles) fn refer(cx: &mut Cx<'_>, meta: &Meta, nonce: u64, referring: &Referring<'_>) {
    let referral = MapReferral { nonce, records: vec![referring.record()] };
    if let Some(payload) = reply::encode(cx, &Message::MapReferral(referral)) {
        cx.count(Counter::ReferralsSent);
        let source = Some(meta.to.ip()).filter(|ip| !ip.is_unspecified());
        cx.send_from(source, meta.from, payload);
    }
}
