//! What of a Map-Reply is believed (RFC 9301 sections 5.4, 5.5, 9; ). The nonce has
//! been checked by then; here it is about coverage, over-claims, TTLs and locators.

use super::config::EngineConfig;
use super::counters::Counter;
use super::cx::Cx;
use super::elp;
use super::event::{EidPrefix, Iid, Locator, Time};
use super::mapping::{Act, MappedLocator};
use super::translated::Translated;
use crate::codec::{EidRecord, LocatorRecord, is_martian};
use ipnet::IpNet;
use pxtr_dataplane::trust::MapVersion;
use std::net::IpAddr;

/// A mapping is kept at most that long, whatever its TTL says: 7 days.
const TTL_MAX_MINUTES: u32 = 7 * 24 * 60;

/// A record that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// EID-prefix to put it under.
    pub eid: EidPrefix,
    /// What the mapping says, and until when. `None`: TTL 0, take it out at once.
    pub mapping: Option<(Act, Vec<MappedLocator>, Time)>,
    /// Version of the mapping.
    pub version: MapVersion,
}

/// The records of a reply to `asked` that are to be applied, more-specific ones first, so that no
/// packet meets a covering entry before the exception to it.
pub fn accept(cx: &mut Cx<'_>, asked: &EidPrefix, records: &[EidRecord]) -> Vec<Accepted> {
    let parsed: Vec<(EidPrefix, &EidRecord)> =
        records.iter().filter_map(|r| Some((r.eid_prefix()?, r))).collect();
    let covers = |eid: &EidPrefix| eid.iid == asked.iid && eid.prefix.contains(&asked.prefix);
    // The best match of what we asked for; all it returns lies inside of it.
    let best = parsed.iter().map(|(eid, _)| eid).filter(|e| covers(e)).max_by_key(|e| e.prefix.prefix_len());
    let around = best.unwrap_or(asked).prefix;
    let mut accepted: Vec<Accepted> = Vec::new();
    for (eid, record) in &parsed {
        let related = covers(eid) || (eid.iid == asked.iid && around.contains(&eid.prefix));
        if !related {
            cx.count(Counter::RecordsUnrelated);
            continue;
        }
        let positive = !record.locators.is_empty();
        if positive && eid.prefix.prefix_len() < cx.config.limits.min_prefix_len {
            cx.notice(Counter::RecordsOverclaim, format_args!("{} for {}", eid.prefix, asked.prefix));
            continue;
        }
        let eid = clip(cx, asked, *eid);
        // Of two records for one prefix the last wins (wire.md 16).
        accepted.retain(|a| a.eid != eid);
        accepted.push(judge(cx, eid, record));
    }
    if accepted.is_empty() {
        accepted.extend(bad_negative(cx, asked, &parsed));
    }
    accepted.sort_by_key(|a| std::cmp::Reverse(a.eid.prefix.prefix_len()));
    accepted
}

/// Some Map-Servers name a hole that does not hold the EID asked for (peers.md 4). That says
/// something about what we asked for all the same: it has no mapping.
fn bad_negative(cx: &mut Cx<'_>, asked: &EidPrefix, parsed: &[(EidPrefix, &EidRecord)]) -> Option<Accepted> {
    let (eid, record) =
        parsed.iter().find(|(eid, r)| eid.iid == asked.iid && r.locators.is_empty() && r.ttl_minutes != 0)?;
    cx.notice(Counter::NegativeBadPrefix, format_args!("{} for {}", eid.prefix, asked.prefix));
    Some(judge(cx, *asked, record))
}

/// A reply says nothing about destinations outside the EID space that it was asked in:
/// what a proxy does not attract stays as it is routed.
fn clip(cx: &mut Cx<'_>, asked: &EidPrefix, eid: EidPrefix) -> EidPrefix {
    let space = space_around(cx.config, asked);
    match space.filter(|space| eid.prefix.contains(space) && eid.prefix != *space) {
        Some(prefix) => {
            cx.count(Counter::RecordsClipped);
            EidPrefix { iid: eid.iid, prefix }
        }
        None => eid,
    }
}

/// The configured EID space that holds an EID-prefix: the largest one.
fn space_around(config: &EngineConfig, eid: &EidPrefix) -> Option<IpNet> {
    let vrfs = config.vrfs.iter().filter(|vrf| vrf.iid == eid.iid);
    let around = vrfs.flat_map(|vrf| &vrf.eid_space).filter(|space| space.contains(&eid.prefix));
    around.copied().min_by_key(IpNet::prefix_len)
}

pub(super) fn judge(cx: &mut Cx<'_>, eid: EidPrefix, record: &EidRecord) -> Accepted {
    if record.ttl_minutes == 0 {
        return Accepted { eid, mapping: None, version: MapVersion::NONE };
    }
    let minutes = match record.ttl_minutes {
        u32::MAX => cx.config.limits.default_ttl_minutes,
        minutes => minutes,
    };
    let ttl_ms = u64::from(minutes.clamp(1, TTL_MAX_MINUTES)) * 60_000;
    let locators = locators(cx, record);
    // RFC 9306 section 3: all locators of a kind that we do not know is as none at all.
    let unknown = record.locators.iter().all(|l| l.address.rloc().is_none() && l.address.path().is_none());
    let act = if unknown { Act::from(record.action) } else { Act::Encapsulate };
    let version = MapVersion::new(record.map_version);
    Accepted { eid, mapping: Some((act, locators, cx.now.plus_ms(ttl_ms))), version }
}

fn locators(cx: &mut Cx<'_>, record: &EidRecord) -> Vec<MappedLocator> {
    let config = cx.config;
    let ways = elp::ways(cx, &record.locators, &|ip| !is_martian(ip) && is_foreign(config, ip));
    let mut mapped = Vec::with_capacity(ways.len());
    for ((ordinal, l), way) in (0..=u8::MAX).zip(&record.locators).zip(ways) {
        match way {
            Some(way) => mapped.extend(way.locators(l.priority, l.weight, l.reachable)),
            None if l.address.path().is_some() => {}
            None => mapped.extend(locator(cx, ordinal, l)),
        }
    }
    mapped
}

fn locator(cx: &mut Cx<'_>, ordinal: u8, record: &LocatorRecord) -> Option<MappedLocator> {
    let rloc = record.rloc().filter(|&rloc| is_foreign(cx.config, rloc));
    if rloc.is_none() {
        cx.count(Counter::LocatorsIgnored);
    }
    let locator = Locator::new(rloc?, record.priority, record.weight);
    Some(MappedLocator { ordinal, ..MappedLocator::new(locator, record.reachable) })
}

/// An address that packets may be encapsulated to, beyond being unicast at all (wire.md 5.2): not
/// our own (loop), not inside an EID-prefix of the default instance, in which the underlay is routed
/// that would need a lookup of its own), and none that we make up ourselves.
fn is_foreign(config: &EngineConfig, rloc: IpAddr) -> bool {
    let default = config.vrfs.iter().filter(|vrf| vrf.iid == Iid(0));
    let in_space = default.flat_map(|vrf| &vrf.eid_space).any(|space| space.contains(&rloc));
    let ours = config.database.iter().filter(|m| m.eid.iid == Iid(0));
    let in_site = ours.map(|m| m.eid.prefix).any(|prefix| prefix.contains(&rloc));
    let made_up = Translated::of(rloc).is_some();
    !config.is_own_rloc(rloc) && !in_space && !in_site && !made_up
}
