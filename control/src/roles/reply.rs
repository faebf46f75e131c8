//! What all who answer Map-Requests share: who is admitted, where the answer goes, how it is sent.

use super::forward;
use super::limit::{HashedBuckets, Rate, sender};
use super::secure::Signer;
use crate::codec::{
    Address, EidRecord, Lcaf, LocatorRecord, MAX_RECORDS, MapAction, MapReply, MapRequest, Message, auth,
    sign_reply,
};
use crate::engine::config::Secret;
use crate::engine::event::EidPrefix;
use crate::engine::{Counter, Cx, Meta};
use std::net::{IpAddr, SocketAddr};

/// Bytes of records in one Map-Reply: with its headers it stays below 1280 bytes (RFC 9301 section
/// 5, R-125), and no answer is much larger than it must be.
const RECORDS_MAX_BYTES: usize = 1180;
/// More-specifics given with one best match; beyond that the match is narrowed.
pub(super) const ANSWER_MAX_RECORDS: usize = 16;
/// Buckets per limiter; 8 bytes each.
const SENDER_SLOTS: usize = 4096;
const REPEAT_SLOTS: usize = 16_384;
/// The same answer to the same ITR-RLOC: RFC 9301 section 5.4 recommends one per 3 s and
/// destination. Taken per destination *and* EID-prefix, or a proxy could resolve one prefix of a
/// site in 3 s; and a little faster, or the reply to a retransmitted request would be missing.
const REPEAT: Rate = Rate { per_second: 1, burst: 3 };

/// Rate limits of a role that answers Map-Requests.
#[derive(Debug, Default)]
pub(super) struct AnswerLimits {
    buckets: Option<Box<Buckets>>,
}

#[derive(Debug)]
struct Buckets {
    senders: HashedBuckets,
    repeats: HashedBuckets,
}

impl AnswerLimits {
    /// The memory is there only once a Map-Request came, and its key is unknown to senders.
    fn buckets(&mut self, cx: &mut Cx<'_>) -> &mut Buckets {
        self.buckets.get_or_insert_with(|| {
            Box::new(Buckets {
                senders: HashedBuckets::new(SENDER_SLOTS, cx.rng.nonce()),
                repeats: HashedBuckets::new(REPEAT_SLOTS, cx.rng.nonce()),
            })
        })
    }

    /// May this sender's Map-Request be worked on? Counts it when not.
    pub(super) fn admit_sender(&mut self, cx: &mut Cx<'_>, from: IpAddr) -> bool {
        let per_second = cx.config.limits.map_requests_received_per_source_per_second;
        let now = cx.now;
        let rate = Rate { per_second, burst: per_second };
        let admitted = self.buckets(cx).senders.take(now, sender(from), rate);
        if !admitted {
            cx.count(Counter::RequestsOverSenderRate);
        }
        admitted
    }

    /// May this be said or passed on to this address again? Counts it when not.
    pub(super) fn admit_repeat(&mut self, cx: &mut Cx<'_>, to: IpAddr, what: impl std::hash::Hash) -> bool {
        let now = cx.now;
        let admitted = self.buckets(cx).repeats.take(now, (to, what), REPEAT);
        if !admitted {
            cx.count(Counter::AnswersRepeated);
        }
        admitted
    }
}

/// Where the Map-Reply goes: an ITR-RLOC that a host may have and of whose family we have an RLOC,
/// and the port that the request came from (RFC 9301 sections 5.4, 5.5; TRAP 17).
///
/// It may be our own: a proxy that asks the Map-Resolver in its own daemon. The first such one; for a probe rather one of the family that was probed, because it is that
/// path that the prober wants to know about.
pub(super) fn destination(cx: &Cx<'_>, meta: &Meta, request: &MapRequest) -> Option<SocketAddr> {
    let can_send = |ip: &IpAddr| forward::is_reachable(cx.config, *ip);
    let mut usable = request.itr_rlocs.iter().filter_map(Address::rloc).filter(can_send);
    let first = usable.next()?;
    let same_family = |ip: &IpAddr| ip.is_ipv4() == meta.to.is_ipv4();
    let ip =
        if request.probe && !same_family(&first) { usable.find(same_family).unwrap_or(first) } else { first };
    Some(SocketAddr::new(ip, meta.reply_port()))
}

/// Sends a Map-Reply with the request's nonce.
pub(super) fn send(
    cx: &mut Cx<'_>,
    source: Option<IpAddr>,
    to: SocketAddr,
    request: &MapRequest,
    records: Vec<EidRecord>,
) {
    send_signed(cx, source, to, request, records, None);
}

/// The same, signed by LISP-SEC if there is a signer.
pub(super) fn send_signed(
    cx: &mut Cx<'_>,
    source: Option<IpAddr>,
    to: SocketAddr,
    request: &MapRequest,
    records: Vec<EidRecord>,
    signer: Option<Signer>,
) {
    let (security, otk) = signer.map(Signer::into_parts).unzip();
    // Only an ETR speaks with authority, and only it can echo what is sent to it.
    let ours = records.iter().any(|record| record.authoritative);
    let echo_nonce = ours && cx.config.trust.echo_nonce && cx.config.trust.has(to.ip());
    let reply = MapReply { probe: request.probe, echo_nonce, nonce: request.nonce, records, security };
    if let Some(mut payload) = encode(cx, &Message::MapReply(reply)) {
        if let Some(otk) = otk {
            if let Err(error) = sign_reply(&mut payload, &otk) {
                cx.notice(Counter::EncodeErrors, error);
                return;
            }
            cx.count(Counter::LispSecSigned);
        }
        let source = source.or_else(|| cx.rloc_like(to.ip()));
        cx.send_from(source, to, payload);
    }
}

/// The bytes of a message of our own making; a failure is a defect of ours and counted as such.
pub(super) fn encode(cx: &mut Cx<'_>, message: &Message) -> Option<Vec<u8>> {
    let mut payload = Vec::with_capacity(256);
    match message.encode(&mut payload) {
        Ok(()) => Some(payload),
        Err(error) => {
            cx.notice(Counter::EncodeErrors, error);
            None
        }
    }
}

/// The same with its MAC (RFC 9301 sections 5.6, 5.7); the message has room for the tag.
pub(super) fn encode_signed(cx: &mut Cx<'_>, message: &Message, secret: &Secret) -> Option<Vec<u8>> {
    let mut payload = encode(cx, message)?;
    match auth::sign(&mut payload, secret) {
        Ok(()) => Some(payload),
        Err(error) => {
            cx.notice(Counter::EncodeErrors, error);
            None
        }
    }
}

/// A record without locators (RFC 9301 section 5.4).
pub(super) fn negative(eid: &EidPrefix, action: MapAction, ttl_minutes: u32) -> EidRecord {
    EidRecord {
        ttl_minutes,
        mask_len: eid.prefix.prefix_len(),
        action,
        authoritative: false,
        map_version: 0,
        eid: Address::from_eid(eid.iid, eid.prefix.network()),
        locators: Vec::new(),
    }
}

/// Bytes of a record on the wire. LCAFs other than Instance-ID are rare and short: a guess.
pub(super) fn wire_len(record: &EidRecord) -> usize {
    10 + address_len(&record.eid) + record.locators.iter().map(|l| 6 + address_len(&l.address)).sum::<usize>()
}

/// AFI included.
fn address_len(address: &Address) -> usize {
    match address {
        Address::None => 2,
        Address::Ip(IpAddr::V4(_)) => 6,
        Address::Ip(IpAddr::V6(_)) => 18,
        Address::Mac(_) => 8,
        Address::Name(name) => 3 + name.len(),
        Address::Lcaf(lcaf) => match lcaf.as_ref() {
            Lcaf::InstanceId { address, .. } => 12 + address_len(address),
            Lcaf::Elp(hops) => 8 + hops.iter().map(|hop| 2 + address_len(&hop.address)).sum::<usize>(),
            _ => 64,
        },
    }
}

/// Records of one Map-Reply, within its size and without doubles.
#[derive(Debug, Default)]
pub(super) struct Records {
    list: Vec<EidRecord>,
    bytes: usize,
}

impl Records {
    /// Adds a record unless it is there; false when the message is full.
    pub(super) fn push(&mut self, record: EidRecord) -> bool {
        if self.list.iter().any(|r| r.eid == record.eid && r.mask_len == record.mask_len) {
            return true;
        }
        let len = wire_len(&record);
        if self.list.len() >= MAX_RECORDS || (!self.list.is_empty() && self.bytes + len > RECORDS_MAX_BYTES) {
            return false;
        }
        self.bytes += len;
        self.list.push(record);
        true
    }

    /// Adds as many as there is room for, in their order.
    pub(super) fn extend(&mut self, records: impl IntoIterator<Item = EidRecord>) {
        for record in records {
            if !self.push(record) {
                break;
            }
        }
    }

    /// The list, unless nothing was added.
    pub(super) fn into_non_empty(self) -> Option<Vec<EidRecord>> {
        (!self.list.is_empty()).then_some(self.list)
    }
}

/// Puts locators into the order that is the same on all ETRs of a site: IPv4 before IPv6,
/// ascending, LCAFs last.
pub(super) fn sort_locators(locators: &mut [LocatorRecord]) {
    locators.sort_by_key(|l| l.address.sort_key());
}
