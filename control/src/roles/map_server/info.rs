//! Info-Requests: who asks learns by which address and port we see it, and which RTRs there are
//! (draft-ermagan-lisp-nat-traversal-19 section 5.2; R-203).

use super::MapServer;
use crate::codec::{Address, AuthData, Info, Lcaf, Message, auth};
use crate::engine::config::{EngineConfig, Secret, Site};
use crate::engine::{CONTROL_PORT, Counter, Cx, Handled, Meta};
use crate::roles::limit::{HashedBuckets, Rate, sender};
use crate::roles::reply;
use std::net::IpAddr;

/// How long who asks may keep the RTRs, minutes.
const TTL_MINUTES: u32 = 1440;
/// Of one sender: a router asks a few times a minute, but many may be behind one NAT.
const PER_SENDER: Rate = Rate { per_second: 50, burst: 200 };
/// Buckets for that; 8 bytes each.
const SENDER_SLOTS: usize = 4096;

/// What is remembered between Info-Requests.
#[derive(Debug, Default)]
pub(super) struct InfoDesk {
    senders: Option<HashedBuckets>,
}

impl InfoDesk {
    fn admit(&mut self, cx: &mut Cx<'_>, from: IpAddr) -> bool {
        let key = cx.rng.nonce();
        let senders = self.senders.get_or_insert_with(|| HashedBuckets::new(SENDER_SLOTS, key));
        senders.take(cx.now, sender(from), PER_SENDER)
    }
}

impl MapServer {
    /// Answers an Info-Request to where it came from, with the key that it was signed by. What has no key
    /// is answered only where that is configured: an Info-Reply is larger than its request, and anybody
    /// can write a source address.
    pub(super) fn info(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], info: &Info) -> Handled {
        cx.count(Counter::InfoRequestsReceived);
        if !self.info.admit(cx, meta.from.ip()) {
            cx.count(Counter::InfoRequestsLimited);
            return Handled::Yes;
        }
        let config = cx.config;
        let owner = info.eid.eid_prefix(info.mask_len).and_then(|eid| self.sites.owner(&eid));
        let site = owner.and_then(|site| self.sites.config(config, site));
        let Some(site) = site else {
            if info.auth.tag.is_empty() && config.info_without_key {
                reply_to(cx, meta, info, None);
            } else {
                cx.notice(Counter::InfoRequestsUnknown, format_args!("Info-Request from {}", meta.from));
            }
            return Handled::Yes;
        };
        match key(site, raw) {
            Ok(secret) => reply_to(cx, meta, info, Some(secret)),
            Err(why) => {
                let name = &site.name;
                let detail = format_args!("Info-Request from {} for site {name}: {why}", meta.from);
                cx.notice(Counter::InfoRequestsBadAuth, detail);
            }
        }
        Handled::Yes
    }
}

/// The site's key that the message is signed by. Sites may use algorithm 3 for Map-Registers; for Info
/// messages there is none, and 2 takes its place.
fn key<'a>(site: &'a Site, raw: &[u8]) -> Result<&'a Secret, String> {
    let header = auth::header(raw).map_err(|e| e.to_string())?;
    let allowed = site.algorithms.iter().any(|of_site| auth::for_info(*of_site) == header.algorithm);
    if !allowed {
        return Err(format!("{:?} is not allowed", header.algorithm));
    }
    let key = site.keys.iter().find(|k| k.id == header.key_id);
    let secret = &key.ok_or_else(|| format!("no key with ID {}", header.key_id))?.secret;
    auth::verify(raw, secret).map_err(|e| e.to_string())?;
    Ok(secret)
}

fn reply_to(cx: &mut Cx<'_>, meta: &Meta, request: &Info, secret: Option<&Secret>) {
    let AuthData { key_id, algorithm_id, tag } = &request.auth;
    let reply = Info {
        nonce: request.nonce,
        auth: AuthData::unsigned(*key_id, *algorithm_id, tag.len()),
        ttl_minutes: TTL_MINUTES,
        mask_len: request.mask_len,
        eid: request.eid.clone(),
        body: body(cx.config, meta, request, secret.is_some()),
    };
    let message = Message::InfoReply(reply);
    let payload = match secret {
        Some(secret) => reply::encode_signed(cx, &message, secret),
        None => reply::encode(cx, &message),
    };
    if let Some(payload) = payload {
        cx.count(Counter::InfoRepliesSent);
        let source = Some(meta.to.ip()).filter(|ip| !ip.is_unspecified());
        cx.send_from(source, meta.from, payload);
    }
}

/// What we saw and what we know. lispers.net has its hostname in the place of the private RLOC, and names no
/// Map-Server (wire.md 13).
fn body(config: &EngineConfig, meta: &Meta, request: &Info, ours: bool) -> Address {
    Address::Lcaf(Box::new(Lcaf::NatTraversal {
        ms_port: if ours { CONTROL_PORT } else { 0 },
        etr_port: meta.from.port(),
        global_etr: Address::Ip(meta.from.ip()),
        ms: if ours { Address::Ip(meta.to.ip()) } else { Address::None },
        private_etr: match &request.body {
            name @ Address::Name(_) => name.clone(),
            _ => Address::None,
        },
        rtrs: config.rtr_rlocs.iter().copied().map(Address::Ip).collect(),
    }))
}
