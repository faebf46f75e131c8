//! Map-Requests for our own EID-prefixes, and RLOC-probes (RFC 9301 sections 5.4, 5.5, 7.1).

use super::Etr;
use crate::codec::{Address, Ecm, EidRecord, LocatorRecord, MapAction, MapRequest, MapRequestRecord};
use crate::engine::config::{ConfiguredLocator, DatabaseMapping, EngineConfig};
use crate::engine::event::EidPrefix;
use crate::engine::{Counter, Cx, Handled, Meta};
use crate::roles::reply::{self, Records};
use crate::roles::secure::{self, Demand, Signer};
use std::net::IpAddr;

/// TTL of the mapping that a proxy ETR gives in answer to a probe, minutes.
const PETR_TTL_MINUTES: u32 = 1440;

impl Etr {
    /// Answers a Map-Request for an EID of ours. One for another EID gets no answer from an ETR
    /// it is left to the other roles.
    ///
    /// `ecm`: what it came in. LISP-SEC data in it are answered in kind (RFC 9303 section 6.8), unless
    /// no Map-Server shares a secret for that with us.
    pub(super) fn on_request(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: Option<&Ecm>,
        request: &MapRequest,
    ) -> Handled {
        let Some(records) = self.own_records(cx.config, request, None) else { return Handled::No };
        cx.count(Counter::MapRequestsReceived);
        if request.no_reply {
            return Handled::Yes;
        }
        let Some(to) = reply::destination(cx, meta, request) else {
            cx.count(Counter::RequestsWithoutItrRloc);
            return Handled::Yes;
        };
        if !self.limits.admit_sender(cx, asker(cx.config, meta, ecm, to.ip())) {
            return Handled::Yes;
        }
        let Ok(signer) = signer(cx, meta, ecm, request.nonce) else { return Handled::Yes };
        self.remember(cx, to.ip(), request, true);
        if self.limits.admit_repeat(cx, to.ip(), &request.records) {
            cx.count(Counter::MapRepliesSent);
            reply::send_signed(cx, None, to, request, records, signer);
        }
        Handled::Yes
    }

    /// a probe is answered with P=1, its nonce and A=1, from the address that was probed.
    /// Exempt from the repeat limit: a peer may well probe one RLOC for many prefixes.
    pub(super) fn on_probe(&mut self, cx: &mut Cx<'_>, meta: &Meta, request: &MapRequest) -> Handled {
        let roles = cx.config.roles;
        if !(roles.xtr || roles.petr) {
            return Handled::No;
        }
        cx.count(Counter::ProbesReceived);
        let probed = meta.to.ip();
        // RFC 9301 section 5.2: a probe goes to the RLOC that it is about.
        if !cx.config.rlocs.contains(&probed) {
            cx.count(Counter::ProbesMisdirected);
            return Handled::Yes;
        }
        if !self.limits.admit_sender(cx, meta.from.ip()) {
            return Handled::Yes;
        }
        let Some(mut records) = self.probe_records(cx.config, request, probed) else {
            cx.count(Counter::ProbesUnknownEid);
            return Handled::Yes;
        };
        let Some(to) = reply::destination(cx, meta, request) else {
            cx.count(Counter::RequestsWithoutItrRloc);
            return Handled::Yes;
        };
        self.remember(cx, to.ip(), request, false);
        self.keys.answer(cx, request, probed, &mut records);
        cx.count(Counter::ProbeRepliesSent);
        let source = Some(probed).filter(|p| p.is_ipv4() == to.is_ipv4());
        reply::send(cx, source, to, request, records);
        Handled::Yes
    }

    /// Who holds which mapping, for the day that it changes. A request says that the ITR has
    /// the newest one; a probe only that it has one.
    fn remember(&mut self, cx: &mut Cx<'_>, itr: IpAddr, request: &MapRequest, is_newest: bool) {
        for asked in &request.records {
            let Some(asked) = asked_eid(request, asked) else { continue };
            let Some((prefix, _)) = self.database.lookup_prefix(&asked) else { continue };
            let eid = EidPrefix { iid: asked.iid, prefix };
            self.audience.heard(cx.now, itr, eid);
            if is_newest {
                self.solicitor.asked(itr, &eid);
                self.versions.asked(cx, itr, &eid);
            }
        }
    }

    /// Our mapping of the EID-prefix that the prober asks about. A proxy ETR says so itself for any
    /// prefix that is not inside one of ours: sites probe it for 0.0.0.0/0 and ::/0.
    fn probe_records(
        &self,
        config: &EngineConfig,
        request: &MapRequest,
        probed: IpAddr,
    ) -> Option<Vec<EidRecord>> {
        let first = request.records.first()?;
        let ours = asked_eid(request, first).is_some_and(|eid| self.database.lookup_prefix(&eid).is_some());
        if config.roles.petr && !ours {
            return petr_records(first, asked_eid(request, first), probed);
        }
        self.own_records(config, request, Some(probed))
    }

    /// per EID asked for the best match, with the more-specifics inside it; the same TTL on
    /// all. `None` when nothing is ours.
    fn own_records(
        &self,
        config: &EngineConfig,
        request: &MapRequest,
        probed: Option<IpAddr>,
    ) -> Option<Vec<EidRecord>> {
        let mut records = Records::default();
        for asked in &request.records {
            let Some(eid) = asked_eid(request, asked) else { continue };
            let matching = self.database.answer(&eid, reply::ANSWER_MAX_RECORDS);
            records.extend(matching.into_iter().filter_map(|(prefix, &owned)| {
                let eid = EidPrefix { iid: eid.iid, prefix };
                Some(record(config, owned.mapping(config)?, &eid, probed))
            }));
        }
        let mut records = records.into_non_empty()?;
        let ttl = records.iter().map(|r| r.ttl_minutes).min().unwrap_or_default();
        records.iter_mut().for_each(|r| r.ttl_minutes = ttl);
        Some(records)
    }
}

/// Whose rate a Map-Request is counted against: its sender's; the ITR's if a Map-Server of ours passed it on.
/// All that it passes on have its address, and one who floods it would use up what the others need.
fn asker(config: &EngineConfig, meta: &Meta, ecm: Option<&Ecm>, itr: IpAddr) -> IpAddr {
    let from = meta.from.ip();
    let passed_on = ecm.is_some() && config.map_servers.iter().any(|server| server.address == from);
    if passed_on { itr } else { from }
}

/// What signs the answer; an error: the Map-Request is dropped, and counted.
fn signer(cx: &mut Cx<'_>, meta: &Meta, ecm: Option<&Ecm>, nonce: u64) -> Result<Option<Signer>, ()> {
    let config = cx.config;
    let keys = || config.map_servers.iter().filter_map(|server| server.lisp_sec.as_ref());
    let Some(ecm) = ecm.filter(|_| keys().next().is_some()) else { return Ok(None) };
    let demand = secure::demand(cx, meta, keys(), ecm, nonce)?;
    demand.map(Demand::etr).transpose().map_err(|error| cx.notice(Counter::LispSecRequestsRefused, error))
}

/// The EID of a record. The first probe that lispers.net sends to an RLOC names no EID in the
/// record but has it in the source field.
fn asked_eid(request: &MapRequest, asked: &MapRequestRecord) -> Option<EidPrefix> {
    match asked.eid {
        Address::None if request.probe => {
            let (iid, ip) = request.source_eid.eid()?;
            Some(EidPrefix { iid, prefix: ip.into() })
        }
        _ => asked.eid.eid_prefix(asked.mask_len),
    }
}

/// An EID-record of ours as it is registered and as it is given in Map-Replies.
///
/// L=1 on the RLOCs of this router, p=1 on the one that was probed. R=1 on all: the operator says
/// where the site is reached; the state of other routers of the site is not known here.
pub(super) fn record(
    config: &EngineConfig,
    mapping: &DatabaseMapping,
    eid: &EidPrefix,
    probed: Option<IpAddr>,
) -> EidRecord {
    // At most one has p: the RLOC itself, or else the first path that ends there.
    let at = |l: &&ConfiguredLocator| Some(l.rloc) == probed;
    let ends_there = || mapping.locators.iter().filter(at);
    let the_one = ends_there().find(|l| l.via.is_empty()).or_else(|| ends_there().next());
    let locator = |l: &ConfiguredLocator| LocatorRecord {
        priority: l.priority,
        weight: l.weight,
        m_priority: 255,
        m_weight: 0,
        local: config.rlocs.contains(&l.rloc),
        probed: the_one.is_some_and(|one| std::ptr::eq(one, l)),
        reachable: true,
        address: l.address(),
    };
    let mut locators: Vec<_> = mapping.locators.iter().map(locator).collect();
    reply::sort_locators(&mut locators);
    EidRecord {
        ttl_minutes: mapping.ttl_minutes,
        mask_len: eid.prefix.prefix_len(),
        action: MapAction::NoAction,
        authoritative: true,
        map_version: mapping.map_version.get(),
        eid: Address::from_eid(eid.iid, eid.prefix.network()),
        locators,
    }
}

/// What a proxy ETR, which owns no EIDs, says to a probe: the EID-prefix that was asked
/// for, reached through the address that was probed. One plain locator: OOR's xTR crashes on
/// anything richer.
fn petr_records(asked: &MapRequestRecord, eid: Option<EidPrefix>, probed: IpAddr) -> Option<Vec<EidRecord>> {
    let (eid, mask_len) = match (&asked.eid, eid) {
        (_, Some(eid)) => (Address::from_eid(eid.iid, eid.prefix.network()), eid.prefix.prefix_len()),
        (Address::None, None) => (Address::None, 0),
        _ => return None,
    };
    let locator = LocatorRecord {
        priority: 1,
        weight: 100,
        m_priority: 255,
        m_weight: 0,
        local: true,
        probed: true,
        reachable: true,
        address: Address::Ip(probed),
    };
    Some(vec![EidRecord {
        ttl_minutes: PETR_TTL_MINUTES,
        mask_len,
        action: MapAction::NoAction,
        authoritative: true,
        map_version: 0,
        eid,
        locators: vec![locator],
    }])
}
