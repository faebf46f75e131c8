//! `[limits]`: the engine's limits and intervals, with the ranges in which they make sense.
//! The defaults are those of [`crate::engine::config::Limits`].

use crate::config::leaf::{Bounded, Key};
use crate::engine::config::Limits;
use schemars::JsonSchema;
use serde::Deserialize;

/// `[limits]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsTable {
    /// The number of map-cache entries learnt from the network, at most.
    ///
    /// Default: `1000000`. Change: process restart.
    pub map_cache_entries: Key<Bounded<16, 16_000_000>>,
    /// The number of map-cache entries of one VRF learnt from the network, at most; 0: no bound but that of all.
    ///
    /// A VRF at its bound gives up entries of its own. Where all VRFs together are at theirs, the one with
    /// the most entries gives up some.
    /// Default: `0`. Change: live.
    pub map_cache_entries_per_instance: Key<Bounded<0, 16_000_000>>,
    /// The number of EIDs being looked up at a time, at most.
    ///
    /// Default: `10000`. Change: live.
    pub pending_requests: Key<Bounded<1, 1_000_000>>,
    /// The number of Map-Requests sent per second, at most.
    ///
    /// Default: `5000`. Change: live.
    pub map_requests_per_second: Key<Bounded<1, 1_000_000>>,
    /// The number of new lookups per second that one source of packets may cause.
    ///
    /// Default: `200`. Change: live.
    pub lookups_per_source_per_second: Key<Bounded<1, 1_000_000>>,
    /// The number of Map-Requests per second that are answered to one sender.
    ///
    /// Default: `1000`. Change: live.
    pub map_requests_received_per_source_per_second: Key<Bounded<1, 10_000_000>>,
    /// The number of control messages per second that are taken from one sender.
    ///
    /// What comes beyond that is dropped unread, so that one sender does not keep the control thread
    /// from all others. A sender is an IPv4 address or an IPv6 /64.
    /// Default: `10000`. Change: live.
    pub control_messages_per_source_per_second: Key<Bounded<10, 10_000_000>>,
    /// The interval of RLOC-probes to a locator in use, in milliseconds; 0 switches probing off.
    ///
    /// At least 50 otherwise.
    /// Default: `60000`. Change: live.
    pub probe_interval_ms: Key<Bounded<0, 3_600_000>>,
    /// The time until an unanswered RLOC-probe is repeated, in milliseconds.
    ///
    /// Default: `2000`. Change: live.
    pub probe_retry_ms: Key<Bounded<10, 60_000>>,
    /// The number of lost RLOC-probes after which a locator counts as down.
    ///
    /// Default: `3`. Change: live.
    pub probe_lost_max: Key<Bounded<1, 20>>,
    /// The number of answers in a row after which a locator that was down counts as up.
    ///
    /// Default: `1`. Change: live.
    pub probe_up_count: Key<Bounded<1, 20>>,
    /// The interval of Map-Registers in milliseconds.
    ///
    /// A Map-Server forgets a registration after three minutes.
    /// Default: `60000`. Change: live.
    pub register_interval_ms: Key<Bounded<1_000, 150_000>>,
    /// The interval behind a NAT of Map-Registers and Info-Requests, in milliseconds.
    ///
    /// NATs forget what was silent for half a minute.
    /// Default: `15000`. Change: live.
    pub nat_keepalive_ms: Key<Bounded<500, 60_000>>,
    /// The life of a mapping whose TTL leaves it to the receiver, in minutes.
    ///
    /// Default: `1440`. Change: live.
    pub default_ttl_minutes: Key<Bounded<1, 525_600>>,
    /// The time without a packet after which a map-cache entry is given up, in seconds.
    ///
    /// Default: `3600`. Change: live.
    pub idle_timeout_s: Key<Bounded<10, 604_800>>,
    /// The smallest prefix length that is believed in a positive Map-Reply.
    ///
    /// Default: `1`. Change: live.
    pub min_prefix_len: Key<Bounded<0, 32>>,
    /// The number of live dynamic EIDs, at most.
    ///
    /// Default: `10000`. Change: live.
    pub dynamic_eids: Key<Bounded<1, 1_000_000>>,
    /// The time after which a dynamic EID that was not heard of is asked whether it is there, in seconds.
    ///
    /// One that does not answer is deregistered.
    /// Default: `3600`. Change: live.
    pub dynamic_eid_timeout_s: Key<Bounded<5, 604_800>>,
    /// The time for which packets for a host that moved away are sent on to its new site, in minutes.
    ///
    /// Default: `1440`. Change: live.
    pub away_timeout_minutes: Key<Bounded<1, 525_600>>,
    /// The interval at which a trusted locator is asked to echo a nonce, in milliseconds.
    ///
    /// With `trusted.echo_nonce`. At least twice `echo_wait_ms`.
    /// Default: `10000`. Change: live.
    pub echo_interval_ms: Key<Bounded<200, 3_600_000>>,
    /// The time that an echo may take, in milliseconds.
    ///
    /// A locator that sends without the echo for longer counts as down until it answers an RLOC-probe.
    /// Default: `1000`. Change: live.
    pub echo_wait_ms: Key<Bounded<100, 60_000>>,
    /// The number of subscriptions (RFC 9437), at most: of ours, and of others with this Map-Server.
    ///
    /// Default: `100000`. Change: live.
    pub subscriptions: Key<Bounded<1, 1_000_000>>,
}

impl LimitsTable {
    /// The limits of the file over the defaults.
    #[must_use]
    pub fn limits(&self) -> Limits {
        fn set<T: TryFrom<i64> + Default, const MIN: i64, const MAX: i64>(
            to: &mut T,
            key: &Key<Bounded<MIN, MAX>>,
        ) {
            if let Some(value) = key.get() {
                *to = value.get();
            }
        }
        let mut l = Limits::default();
        set(&mut l.map_cache_entries, &self.map_cache_entries);
        set(&mut l.map_cache_entries_per_instance, &self.map_cache_entries_per_instance);
        set(&mut l.pending_requests, &self.pending_requests);
        set(&mut l.map_requests_per_second, &self.map_requests_per_second);
        set(&mut l.lookups_per_source_per_second, &self.lookups_per_source_per_second);
        set(
            &mut l.map_requests_received_per_source_per_second,
            &self.map_requests_received_per_source_per_second,
        );
        set(&mut l.control_messages_per_source_per_second, &self.control_messages_per_source_per_second);
        set(&mut l.probe_interval_ms, &self.probe_interval_ms);
        set(&mut l.probe_retry_ms, &self.probe_retry_ms);
        set(&mut l.probe_lost_max, &self.probe_lost_max);
        set(&mut l.probe_up_count, &self.probe_up_count);
        set(&mut l.register_interval_ms, &self.register_interval_ms);
        set(&mut l.nat_keepalive_ms, &self.nat_keepalive_ms);
        set(&mut l.default_ttl_minutes, &self.default_ttl_minutes);
        set(&mut l.idle_timeout_s, &self.idle_timeout_s);
        set(&mut l.min_prefix_len, &self.min_prefix_len);
        set(&mut l.dynamic_eids, &self.dynamic_eids);
        set(&mut l.dynamic_eid_timeout_s, &self.dynamic_eid_timeout_s);
        set(&mut l.away_timeout_minutes, &self.away_timeout_minutes);
        set(&mut l.echo_interval_ms, &self.echo_interval_ms);
        set(&mut l.echo_wait_ms, &self.echo_wait_ms);
        set(&mut l.subscriptions, &self.subscriptions);
        l
    }
}
