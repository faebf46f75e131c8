//! What a node may send, and how often: counted from outside, by its own clock.

use crate::codec::{MapReply, Message};
use crate::engine::event::{EidPrefix, Iid, Time};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// Least time between two Map-Requests for an EID-prefix.
const GAP_MS: u64 = 1_000;
/// The first and ten retransmissions, then a pause.
const TRIES: u32 = 11;
const PAUSE_MS: u64 = 30_000;
/// A lookup is given up when no packet wanted the EID for that long.
const WANTED_MS: u64 = 5_000;
/// Least time between two SMRs to an RLOC about an EID-prefix.
const SMR_GAP_MS: u64 = 3_000;
/// Control messages stay below what every IPv6 path carries (RFC 9301 section 5).
const PAYLOAD_MAX: usize = 1280 - 48;

/// A rule that was broken: its name, and how.
pub(super) type Broken = (&'static str, String);

/// What one node sent since it started.
#[derive(Debug, Default)]
pub(super) struct SendWatch {
    asked: BTreeMap<EidPrefix, Asked>,
    nonces: BTreeMap<u64, EidPrefix>,
    recent: VecDeque<Time>,
    solicited: BTreeMap<(IpAddr, Option<EidPrefix>), Time>,
    missed: BTreeMap<IpAddr, Time>,
}

#[derive(Debug)]
struct Asked {
    last: Time,
    unanswered: u32,
}

impl SendWatch {
    /// Looks at a message that the node sends. `per_second`: its limit of Map-Requests.
    pub(super) fn sends(
        &mut self,
        now: Time,
        to: SocketAddr,
        payload: &[u8],
        is_itr: bool,
        per_second: u32,
    ) -> Result<(), Broken> {
        let message =
            Message::decode(payload).map_err(|error| ("message-decodes", format!("to {to}: {error}")))?;
        if payload.len() > PAYLOAD_MAX {
            return Err(("message-size", format!("{} bytes to {to}", payload.len())));
        }
        match message {
            Message::Ecm(ecm) if is_itr => {
                let Ok(Message::MapRequest(request)) = Message::decode(&ecm.payload) else {
                    return Err(("ecm-holds-request", format!("to {to}")));
                };
                let eid = request.records.first().and_then(|record| record.eid_prefix());
                let eid = eid.ok_or_else(|| ("ecm-holds-request", "no EID".to_owned()))?;
                self.nonces.insert(request.nonce, eid);
                self.asks(now, eid, request.smr_invoked)?;
                self.rate(now, per_second)
            }
            Message::MapRequest(request) if request.smr => {
                let eid = request.records.first().and_then(|record| record.eid_prefix());
                self.solicits(now, to.ip(), eid)
            }
            _ => Ok(()),
        }
    }

    fn asks(&mut self, now: Time, eid: EidPrefix, smr_invoked: bool) -> Result<(), Broken> {
        let Some(asked) = self.asked.get_mut(&eid) else {
            self.asked.insert(eid, Asked { last: now, unanswered: 1 });
            return Ok(());
        };
        let gap = now.since(asked.last);
        asked.last = now;
        if gap < GAP_MS {
            return Err(("request-gap", format!("{} asked for again after {gap} ms", eid.prefix)));
        }
        // Each SMR is a reason of its own, for three tries.
        let more = u32::from(!smr_invoked);
        asked.unanswered = if gap >= PAUSE_MS { more } else { asked.unanswered + more };
        if asked.unanswered > TRIES {
            return Err(("request-pause", format!("{}: {} in a row", eid.prefix, asked.unanswered)));
        }
        Ok(())
    }

    /// The bucket may be full at the start of a second: at most twice the rate.
    fn rate(&mut self, now: Time, per_second: u32) -> Result<(), Broken> {
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|at| now.since(*at) >= 1_000) {
            self.recent.pop_front();
        }
        if self.recent.len() > 2 * per_second as usize {
            return Err(("request-rate", format!("{} Map-Requests in a second", self.recent.len())));
        }
        Ok(())
    }

    fn solicits(&mut self, now: Time, to: IpAddr, eid: Option<EidPrefix>) -> Result<(), Broken> {
        let gap = self.solicited.insert((to, eid), now).map(|before| now.since(before));
        match gap {
            Some(gap) if gap < SMR_GAP_MS => Err(("smr-gap", format!("{to} told again after {gap} ms"))),
            _ => Ok(()),
        }
    }

    /// A packet wants an EID. After a while without any, that is a new question (R-055: only while
    /// packets want it).
    pub(super) fn misses(&mut self, now: Time, eid: IpAddr) {
        let before = self.missed.insert(eid, now);
        if before.is_none_or(|before| now.since(before) > WANTED_MS)
            && let Some(asked) = self.asked.get_mut(&EidPrefix { iid: Iid(0), prefix: eid.into() })
        {
            asked.unanswered = 0;
        }
    }

    /// The operator clears the map-cache, and with it which questions were in vain.
    pub(super) fn clears(&mut self) {
        self.asked.values_mut().for_each(|asked| asked.unanswered = 0);
    }

    /// A message came: an answer starts the count of unanswered requests anew.
    pub(super) fn hears(&mut self, payload: &[u8]) {
        if let Ok(Message::MapReply(MapReply { probe: false, nonce, .. })) = Message::decode(payload)
            && let Some(asked) = self.nonces.get(&nonce).and_then(|eid| self.asked.get_mut(eid))
        {
            asked.unanswered = 0;
        }
    }
}
