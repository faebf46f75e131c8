//! Map-Requests (RFC 9301 section 8.3): answered for the ETRs that want it, forwarded to the
//! others, and answered negatively where nobody is.

use super::MapServer;
use super::registrant::Registered;
use super::sites::SiteId;
use crate::codec::{Ecm, EcmAd, EidRecord, LocatorRecord, MapAction, MapRequest};
use crate::engine::config::EngineConfig;
use crate::engine::event::EidPrefix;
use crate::engine::{Counter, Cx, Handled, Meta};
use crate::roles::forward;
use crate::roles::prefix_table::hole;
use crate::roles::reply::{self, ANSWER_MAX_RECORDS, Records};
use crate::roles::secure::{self, Demand, Signer};
use ipnet::IpNet;
use std::net::IpAddr;

/// TTL of "this is not LISP": a hole between the configured EID-prefixes.
const HOLE_TTL_MINUTES: u32 = 15;
/// TTL of "nobody registered this": configured, but silent.
const NOT_REGISTERED_TTL_MINUTES: u32 = 1;

/// What is to be done about one EID.
pub(super) enum Decision {
    /// Say this.
    Answer(Vec<EidRecord>),
    /// One of the ETRs shall say.
    Forward(Route),
}

/// To whom a Map-Request is passed on.
pub(super) struct Route {
    /// ETRs, in the order in which they are to be tried.
    to: Vec<IpAddr>,
    /// The registered EID-prefix.
    pub(super) eid: EidPrefix,
    site: SiteId,
    /// How many of its ETRs do LISP-SEC: all, some, or none.
    signing: Signing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signing {
    All,
    Some,
    None,
}

impl MapServer {
    /// Works on an encapsulated Map-Request.
    pub(super) fn request(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: &Ecm,
        request: &MapRequest,
    ) -> Handled {
        if self.is_elsewhere(cx.config, ecm, request) {
            return Handled::No;
        }
        cx.count(Counter::MapRequestsReceived);
        if !self.limits.admit_sender(cx, meta.from.ip()) {
            return Handled::Yes;
        }
        if ecm.ddt && !self.refer(cx, meta, request) {
            return Handled::Yes;
        }
        if self.subscribe(cx, request) {
            return Handled::Yes;
        }
        let accept = cx.config.lisp_sec.accept.iter();
        let Ok(demand) = secure::demand(cx, meta, accept, ecm, request.nonce) else { return Handled::Yes };
        let mut records = Records::default();
        let mut route: Option<Route> = None;
        for asked in &request.records {
            let Some(eid) = asked.eid.eid_prefix(asked.mask_len) else {
                cx.count(Counter::RequestsUnknownEid);
                continue;
            };
            match self.decide(cx.config, &eid, request, false) {
                Decision::Answer(list) => records.extend(list),
                Decision::Forward(found) => route = route.or(Some(found)),
            }
        }
        let mut cant_sign = false;
        if let Some(route) = route {
            match demand.as_ref().map(|demand| self.protect(cx, demand, &route, request.nonce)) {
                None => forward::forward(cx, &mut self.limits, &route.to, ecm, None, request),
                Some(Some(ad)) => forward::forward(cx, &mut self.limits, &route.to, ecm, Some(ad), request),
                Some(None) => {
                    // RFC 9303 section 6.7: no ETR of it can sign, and so we say, signed.
                    cant_sign = true;
                    let ttl = NOT_REGISTERED_TTL_MINUTES;
                    records.extend([reply::negative(&route.eid, MapAction::DropAuthFailure, ttl)]);
                }
            }
        }
        if let Some(records) = records.into_non_empty()
            && !request.no_reply
        {
            let signer = demand.as_ref().map(|demand| demand.answer(&records, cant_sign)).transpose();
            match signer {
                Ok(signer) => self.reply(cx, meta, request, records, signer),
                Err(error) => cx.notice(Counter::LispSecRequestsRefused, error),
            }
        }
        Handled::Yes
    }

    /// The one-time key for the ETRs; `None`: none of them does LISP-SEC.
    fn protect(&self, cx: &Cx<'_>, demand: &Demand, route: &Route, nonce: u64) -> Option<EcmAd> {
        let site = self.sites.config(cx.config, route.site)?;
        let key = site.lisp_sec.as_ref().filter(|_| route.signing != Signing::None)?;
        demand.for_etr(nonce, key, route.eid, route.signing == Signing::Some).ok()
    }

    /// Nothing of it is configured here, and the Map-Resolver in this daemon knows whom to ask; or the
    /// DDT node in this daemon is meant.
    fn is_elsewhere(&self, config: &EngineConfig, ecm: &Ecm, request: &MapRequest) -> bool {
        let configured = |eid: EidPrefix| {
            self.sites.prefixes().lookup_prefix(&eid).is_some() || self.store.policies.covers(&eid)
        };
        let others_know = if ecm.ddt {
            config.roles.ddt_node
        } else {
            let asks = !config.map_resolver_forward_to.is_empty() || config.ddt.is_client();
            config.roles.map_resolver && asks
        };
        others_know && !request.records.iter().any(|r| r.eid.eid_prefix(r.mask_len).is_some_and(configured))
    }

    fn reply(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        request: &MapRequest,
        records: Vec<EidRecord>,
        signer: Option<Signer>,
    ) {
        let Some(to) = reply::destination(cx, meta, request) else {
            cx.count(Counter::RequestsWithoutItrRloc);
            return;
        };
        if !self.limits.admit_repeat(cx, to.ip(), &request.records) {
            return;
        }
        let all_negative = records.iter().all(|r| r.locators.is_empty());
        cx.count(if all_negative { Counter::NegativeRepliesSent } else { Counter::MapRepliesSent });
        reply::send_signed(cx, None, to, request, records, signer);
    }

    /// `ourselves`: what is registered is answered here, whether or not its ETR wants that.
    pub(super) fn decide(
        &self,
        config: &EngineConfig,
        eid: &EidPrefix,
        request: &MapRequest,
        ourselves: bool,
    ) -> Decision {
        // R-169 (3).
        if let Some(said) = self.store.policies.answer(eid) {
            return Decision::Answer(vec![said]);
        }
        let addr = eid.prefix.network();
        let configured = self.sites.prefixes().lookup(eid.iid, addr).map(|(prefix, _)| prefix);
        let mut answer = self.store.prefixes().answer(eid, ANSWER_MAX_RECORDS).into_iter();
        let best = answer.next().and_then(|(prefix, slot)| Some((prefix, self.store.row(*slot)?)));
        let own_len = configured.map_or(0, |p| p.prefix_len());
        // A less-specific registration does not speak for a more-specific prefix that is
        // configured for another site.
        let Some((prefix, row)) = best.filter(|(_, row)| row.eid.prefix.prefix_len() >= own_len) else {
            return Decision::Answer(vec![self.negative(eid, addr, configured)]);
        };
        if !ourselves && (!row.proxy_reply() || request.authoritative) {
            return Decision::Forward(route(config, row, request.nonce));
        }
        let whole = prefix == row.eid.prefix;
        let Some(exceptions) = whole.then(|| self.exceptions_inside(&row.eid)).flatten() else {
            let narrowed =
                hole(addr, row.eid.prefix.prefix_len().saturating_add(1), |p| self.is_touched(eid, p));
            return Decision::Answer(vec![proxy_record(row, narrowed)]);
        };
        let mut records = vec![proxy_record(row, prefix)];
        let registered =
            answer.filter(|(p, _)| !self.store.policies.covers(&EidPrefix { iid: eid.iid, prefix: *p }));
        records.extend(registered.filter_map(|(p, slot)| Some(proxy_record(self.store.row(*slot)?, p))));
        records.extend(exceptions);
        Decision::Answer(records)
    }

    /// R-169 (1), (2): the largest prefix around `addr` that says nothing about any other
    /// configured or registered one.
    fn negative(&self, eid: &EidPrefix, addr: IpAddr, configured: Option<IpNet>) -> EidRecord {
        let (ttl, min_len) = match configured {
            None => (HOLE_TTL_MINUTES, 0),
            Some(prefix) => (NOT_REGISTERED_TTL_MINUTES, prefix.prefix_len()),
        };
        let others_inside = |p: IpNet| {
            if Some(p) != configured {
                return self.is_touched(eid, p);
            }
            let whole = EidPrefix { iid: eid.iid, prefix: p };
            self.store.prefixes().any_inside(eid.iid, p)
                || self.store.policies.any_inside(&whole)
                || self.sites.prefixes().inside(&whole).nth(1).is_some()
        };
        let prefix = hole(addr, min_len, others_inside);
        reply::negative(&EidPrefix { iid: eid.iid, prefix }, MapAction::NativelyForward, ttl)
    }

    fn is_touched(&self, eid: &EidPrefix, prefix: IpNet) -> bool {
        self.sites.prefixes().any_inside(eid.iid, prefix)
            || self.store.prefixes().any_inside(eid.iid, prefix)
            || self.store.policies.any_inside(&EidPrefix { iid: eid.iid, prefix })
    }

    /// Negative records for what lies inside a registered EID-prefix and is not its: EID-prefixes that are
    /// configured and that nobody registered, and those of policies. `None` when they are too many to say.
    fn exceptions_inside(&self, registered: &EidPrefix) -> Option<Vec<EidRecord>> {
        let configured = self.sites.prefixes().inside(registered).take(ANSWER_MAX_RECORDS + 1);
        let eids: Vec<EidPrefix> =
            configured.map(|(prefix, _)| EidPrefix { iid: registered.iid, prefix }).collect();
        let policies = &self.store.policies;
        let denied: Vec<EidRecord> = policies.inside(registered, ANSWER_MAX_RECORDS + 1).collect();
        let is_silent =
            |p: &&EidPrefix| *p != registered && self.store.get(p).is_none() && !policies.covers(p);
        let negative =
            |p: &EidPrefix| reply::negative(p, MapAction::NativelyForward, NOT_REGISTERED_TTL_MINUTES);
        (eids.len() + denied.len() <= ANSWER_MAX_RECORDS)
            .then(|| eids.iter().filter(is_silent).map(negative).chain(denied).collect())
    }
}

/// A mapping as we give it in the ETRs' place: A=0, L=0, all else as registered.
pub(super) fn proxy_record(row: &Registered, prefix: IpNet) -> EidRecord {
    let mut locators = row.locators();
    locators.iter_mut().for_each(|l| l.local = false);
    let eid = EidPrefix { iid: row.eid.iid, prefix };
    let map_version = row.map_version().get();
    let ttl_minutes = row.ttl_minutes();
    EidRecord { map_version, locators, ..reply::negative(&eid, MapAction::NoAction, ttl_minutes) }
}

fn route(config: &EngineConfig, row: &Registered, nonce: u64) -> Route {
    let able = row.registrants.iter().filter(|r| r.lisp_sec).count();
    let signing = match able {
        0 => Signing::None,
        n if n == row.registrants.len() => Signing::All,
        _ => Signing::Some,
    };
    Route { to: etrs(config, row, nonce), eid: row.eid, site: row.site, signing }
}

/// Whom to forward to: a reachable locator of the best priority, chosen by the nonce so
/// that a retransmission may reach another one; then, whatever they registered, the ETRs' own
/// addresses.
fn etrs(config: &EngineConfig, row: &Registered, nonce: u64) -> Vec<IpAddr> {
    let locators = row.locators();
    let usable = |l: &&LocatorRecord| {
        l.priority != u8::MAX
            && l.reachable
            && l.address.etr().is_some_and(|ip| forward::can_forward(config, ip))
    };
    let best = locators.iter().filter(usable).map(|l| l.priority).min();
    let of_best: Vec<IpAddr> = locators
        .iter()
        .filter(usable)
        .filter(|l| Some(l.priority) == best)
        .filter_map(|l| l.address.etr())
        .collect();
    let index = usize::try_from(nonce % of_best.len().max(1) as u64).unwrap_or(0);
    let registrants = row.registrants.iter().map(|r| r.from.ip());
    of_best.get(index).copied().into_iter().chain(registrants).collect()
}
