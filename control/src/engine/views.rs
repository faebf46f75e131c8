//! What the API shows of the engine's ITR side: plain values, made on demand.

use super::core::Engine;
use super::event::{EidPrefix, Iid, Time};
use super::itr::Itr;
use super::map_cache::{Entry, NEVER};
use super::mapping::{Act, MappedLocator, Origin};
use super::resolve::{Cause, Pending, Phase};
use super::rlocs::Rloc;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Whether a locator may carry traffic, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocatorStatus {
    /// It may.
    Up,
    /// It does not answer RLOC-probes.
    NoProbeReply,
    /// It does not echo nonces.
    NoEcho,
    /// Its site says so, in the headers of its packets.
    SaidDown,
    /// The underlay has no route to it.
    NoRoute,
    /// We have no RLOC of its family.
    NoLocalRloc,
    /// The mapping says priority 255: never for unicast.
    NotForUnicast,
    /// The mapping says R=0: its own site can not reach it.
    NotReachable,
}

/// A locator of a map-cache entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocatorView {
    /// RLOC.
    pub rloc: IpAddr,
    /// Lower is better.
    pub priority: u8,
    /// Relative share.
    pub weight: u8,
    /// Whether it may carry traffic.
    pub status: LocatorStatus,
    /// Round-trip time of the last answered RLOC-probe, milliseconds.
    pub rtt_ms: Option<u32>,
    /// It is used in place of the locator before it, another hop of the same path, while that is down.
    pub stand_in: bool,
    /// The path that it is a hop of; empty: it is none.
    pub path: Vec<IpAddr>,
}

/// A map-cache entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapCacheView {
    /// Instance.
    pub iid: Iid,
    /// EID-prefix.
    pub prefix: IpNet,
    /// Where it came from.
    pub origin: Origin,
    /// What the mapping says.
    pub action: Act,
    /// The locators are those of the Proxy ETRs, because the mapping says to forward natively.
    pub via_petr: bool,
    /// Seconds until it expires; none: never.
    pub ttl_remaining_s: Option<u64>,
    /// Seconds since it was first learnt.
    pub uptime_s: u64,
    /// Seconds since it was last known to carry packets.
    pub idle_s: u64,
    /// Locators in wire order.
    pub locators: Vec<LocatorView>,
}

/// An RLOC that some mapping holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RlocView {
    /// RLOC.
    pub rloc: IpAddr,
    /// Whether it may carry traffic.
    pub status: LocatorStatus,
    /// Seconds since it came up or went down.
    pub since_s: u64,
    /// Round-trip time of the last answered RLOC-probe, milliseconds.
    pub rtt_ms: Option<u32>,
    /// Milliseconds since the last answered RLOC-probe.
    pub answered_ago_ms: Option<u64>,
    /// RLOC-probes lost in a row.
    pub probes_lost: u8,
    /// How far it is with its echoes; `None`: its router does not say that it echoes.
    pub echo: Option<EchoView>,
    /// Map-cache entries that hold it.
    pub entries: usize,
}

/// Echo-nonce with an RLOC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EchoView {
    /// A nonce was sent and its echo is awaited.
    pub asking: bool,
    /// Milliseconds since the last echo.
    pub answered_ago_ms: Option<u64>,
}

/// A lookup in progress, or one that just ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingView {
    /// Instance.
    pub iid: Iid,
    /// EID-prefix asked for.
    pub prefix: IpNet,
    /// `miss`, `refresh` or `smr`.
    pub cause: Cause,
    /// `asking`, `cooling` (ended, may not be asked again at once) or `held-down` (in vain).
    pub phase: PhaseView,
    /// Map-Requests sent.
    pub tries: u32,
    /// Seconds since the first of them.
    pub age_s: u64,
    /// Map-Resolver asked last.
    pub map_resolver: Option<IpAddr>,
}

/// How far a lookup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseView {
    /// Requests are being sent.
    Asking,
    /// Ended; the same question must wait a moment.
    Cooling,
    /// Ended in vain after all tries.
    HeldDown,
}

/// A Map-Resolver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapResolverView {
    /// Its address.
    pub address: IpAddr,
    /// Not asked first any more, because it stopped answering.
    pub suspect: bool,
    /// Requests without an answer since the last answer.
    pub unanswered: u32,
    /// Milliseconds that the last answer took.
    pub rtt_ms: Option<u64>,
}

/// A subscription of ours (RFC 9437).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionView {
    /// EID-prefix.
    pub eid: EidPrefix,
    /// The Map-Server that tells us.
    pub map_server: SocketAddr,
    /// Seconds since it was first confirmed.
    pub since_s: u64,
    /// Seconds until it ends unless it is renewed.
    pub expires_in_s: u64,
    /// Publications taken.
    pub publications: u64,
    /// It was given up and is about to end.
    pub leaving: bool,
}

/// How full the tables are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Map-cache entries.
    pub map_cache_entries: usize,
    /// Those of them learnt from the network.
    pub map_cache_learnt: usize,
    /// RLOCs.
    pub rlocs: usize,
    /// Different locator-sets.
    pub locator_sets: usize,
    /// Lookups, those that just ended included.
    pub lookups: usize,
    /// Subscriptions of ours.
    pub subscriptions: usize,
}

impl Engine {
    /// The map-cache, by instance and prefix.
    pub fn map_cache(&self) -> impl Iterator<Item = MapCacheView> + '_ {
        self.itr().cache.iter().map(|entry| entry_view(self.itr(), entry, self.now()))
    }

    /// The entry that packets for an EID use.
    #[must_use]
    pub fn map_cache_lookup(&self, iid: Iid, eid: IpAddr) -> Option<MapCacheView> {
        self.itr().cache.lookup(iid, eid).map(|entry| entry_view(self.itr(), entry, self.now()))
    }

    /// RLOCs that mappings hold, by address.
    #[must_use]
    pub fn rlocs(&self) -> Vec<RlocView> {
        let itr = self.itr();
        let mut views: Vec<_> = itr
            .rlocs
            .iter()
            .map(|rloc| RlocView {
                rloc: rloc.addr,
                status: status(rloc),
                since_s: self.now().since(rloc.since) / 1000,
                rtt_ms: rloc.probing.rtt_ms,
                answered_ago_ms: rloc.probing.answered_at.map(|at| self.now().since(at)),
                probes_lost: rloc.probing.lost,
                echo: rloc.echo.as_ref().filter(|echo| echo.is_able()).map(|echo| EchoView {
                    asking: echo.is_asked(),
                    answered_ago_ms: echo.answered().map(|at| self.now().since(at)),
                }),
                entries: itr.rlocs.entries_using(rloc),
            })
            .collect();
        views.sort_by_key(|view| view.rloc);
        views
    }

    /// Lookups in progress and just ended, by EID-prefix.
    #[must_use]
    pub fn pending(&self) -> Vec<PendingView> {
        let mut views: Vec<_> =
            self.itr().resolver.iter().map(|pending| pending_view(pending, self.now())).collect();
        views.sort_by_key(|view| (view.iid, view.prefix));
        views
    }

    /// Map-Resolvers in order of preference.
    pub fn map_resolvers(&self) -> impl Iterator<Item = MapResolverView> + '_ {
        self.itr().resolver.resolvers.all().iter().map(|r| MapResolverView {
            address: r.address,
            suspect: r.is_suspect(),
            unanswered: r.unanswered,
            rtt_ms: r.answered.map(|(_, took)| took),
        })
    }

    /// Subscriptions of ours, by instance and EID-prefix.
    pub fn subscriptions(&self) -> impl Iterator<Item = SubscriptionView> + '_ {
        self.itr().subscriptions.iter().map(|row| SubscriptionView {
            eid: row.eid,
            map_server: row.server,
            since_s: self.now().since(row.since) / 1000,
            expires_in_s: row.expires.since(self.now()) / 1000,
            publications: row.publications,
            leaving: row.leaving.is_some(),
        })
    }

    /// How full the tables are.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let itr = self.itr();
        let (map_cache_entries, map_cache_learnt) = itr.cache.sizes();
        let (rlocs, locator_sets) = itr.rlocs.sizes();
        Sizes {
            map_cache_entries,
            map_cache_learnt,
            rlocs,
            locator_sets,
            lookups: itr.resolver.len(),
            subscriptions: itr.subscriptions.len(),
        }
    }
}

fn entry_view(itr: &Itr, entry: &Entry, now: Time) -> MapCacheView {
    let locators = entry.set.map_or(&[][..], |set| itr.rlocs.locators(set));
    MapCacheView {
        iid: entry.eid.iid,
        prefix: entry.eid.prefix,
        origin: entry.origin,
        action: entry.act,
        via_petr: entry.act == Act::NativelyForward && entry.set.is_some(),
        ttl_remaining_s: (entry.expires != NEVER).then(|| entry.expires.since(now) / 1000),
        uptime_s: now.since(entry.created) / 1000,
        idle_s: now.since(entry.used) / 1000,
        locators: locators.iter().map(|l| locator_view(itr, l)).collect(),
    }
}

fn locator_view(itr: &Itr, mapped: &MappedLocator) -> LocatorView {
    let rloc = itr.rlocs.get(mapped.locator.rloc);
    let status = match (mapped.locator.priority, mapped.reachable) {
        (u8::MAX, _) => LocatorStatus::NotForUnicast,
        (_, false) => LocatorStatus::NotReachable,
        (_, true) => rloc.map_or(LocatorStatus::Up, status),
    };
    LocatorView {
        rloc: mapped.locator.rloc,
        priority: mapped.locator.priority,
        weight: mapped.locator.weight,
        status,
        rtt_ms: rloc.and_then(|rloc| rloc.probing.rtt_ms),
        stand_in: mapped.locator.stand_in,
        path: mapped.path.iter().flat_map(|path| path.iter().copied()).collect(),
    }
}

fn status(rloc: &Rloc) -> LocatorStatus {
    if !rloc.family {
        LocatorStatus::NoLocalRloc
    } else if !rloc.underlay {
        LocatorStatus::NoRoute
    } else if rloc.probing.down {
        LocatorStatus::NoProbeReply
    } else if rloc.echo.as_ref().is_some_and(|echo| echo.is_missing()) {
        LocatorStatus::NoEcho
    } else if rloc.said_down.is_so() {
        LocatorStatus::SaidDown
    } else {
        LocatorStatus::Up
    }
}

fn pending_view(pending: &Pending, now: Time) -> PendingView {
    PendingView {
        iid: pending.eid.iid,
        prefix: pending.eid.prefix,
        cause: pending.cause,
        phase: match pending.phase {
            Phase::Asking => PhaseView::Asking,
            Phase::Cooling => PhaseView::Cooling,
            Phase::HeldDown => PhaseView::HeldDown,
        },
        tries: pending.tries,
        age_s: now.since(pending.started) / 1000,
        map_resolver: pending.resolver,
    }
}
