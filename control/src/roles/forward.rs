//! Passing an encapsulated Map-Request on, in a new ECM (RFC 9301 sections 5.8, 8.3, 8.4).

use super::reply::{self, AnswerLimits};
use crate::codec::{CONTROL_PORT, Ecm, EcmAd, MapRequest, Message, is_martian};
use crate::engine::config::EngineConfig;
use crate::engine::{Counter, Cx};
use std::net::{IpAddr, SocketAddr};

/// An address that a message of ours can go to: no martian, and of a family that we have.
pub(super) fn is_reachable(config: &EngineConfig, to: IpAddr) -> bool {
    let rlocs = &config.rlocs;
    !is_martian(to) && (rlocs.is_empty() || rlocs.iter().any(|r| r.is_ipv4() == to.is_ipv4()))
}

/// The same for what is passed on: never to ourselves, or it would come back for ever.
pub(super) fn can_forward(config: &EngineConfig, to: IpAddr) -> bool {
    is_reachable(config, to) && !config.rlocs.contains(&to)
}

/// Forwards to the first of `to` that can be sent to. The Map-Request inside, its ITR-RLOCs and its
/// inner addresses and ports stay what they are: the answer goes straight to the ITR.
///
/// The same request to the same place is passed on a few times only: two resolvers configured to
/// ask each other must not make a storm.
pub(super) fn forward(
    cx: &mut Cx<'_>,
    limits: &mut AnswerLimits,
    to: &[IpAddr],
    ecm: &Ecm,
    security: Option<EcmAd>,
    request: &MapRequest,
) {
    let Some(to) = to.iter().copied().find(|ip| can_forward(cx.config, *ip)) else {
        cx.count(Counter::ForwardsWithoutTarget);
        return;
    };
    if !limits.admit_repeat(cx, to, (request.nonce, &request.records)) {
        return;
    }
    let passed_on = Ecm { security, ..Ecm::new(ecm.inner, ecm.payload.clone()) };
    if let Some(payload) = reply::encode(cx, &Message::Ecm(passed_on)) {
        cx.count(Counter::MapRequestsForwarded);
        cx.send(SocketAddr::new(to, CONTROL_PORT), payload);
    }
}
