//! The engine's exact counters: a fixed list, one sentence each, no allocation to count.

/// Declares the list once: the enum, the names and the sentences can not drift apart.
macro_rules! counters {
    ($(#[doc = $help:literal] $variant:ident => $name:literal,)+) => {
        /// What the engine counts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum Counter {
            $(#[doc = $help] $variant,)+
        }

        impl Counter {
            /// All of them, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Name as in metrics (`pxtr_NAME_total`) and in notices.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One sentence for the operator.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)+ }
            }
        }
    };
}

counters! {
    // Datagrams in.
    #[doc = "Control datagrams received."]
    DatagramsReceived => "control_datagrams_received",
    #[doc = "Control datagrams that could not be decoded (RFC 9301 section 5); dropped."]
    DecodeErrors => "control_decode_errors",
    #[doc = "Control messages of a type that no configured role takes; dropped."]
    MessagesNotForUs => "control_messages_not_for_us",
    #[doc = "Messages of our own that could not be encoded; a defect, please report."]
    EncodeErrors => "control_encode_errors",
    // ITR: resolving.
    #[doc = "Misses reported by workers."]
    Misses => "misses",
    #[doc = "Misses outside every configured EID space; ignored."]
    MissesOutsideEidSpace => "misses_outside_eid_space",
    #[doc = "Misses for an EID that has a mapping by now; ignored."]
    MissesAlreadyMapped => "misses_already_mapped",
    #[doc = "Misses for an EID that is being resolved already."]
    MissesPending => "misses_pending",
    #[doc = "Misses refused because the EID was asked for in vain a moment ago (RFC 9301 section 5.3)."]
    MissesHeldDown => "misses_held_down",
    #[doc = "New lookups refused: the packet source used up its budget (R-021)."]
    LookupsOverSourceBudget => "lookups_over_source_budget",
    #[doc = "New lookups refused: too many EIDs are being resolved (R-057)."]
    LookupsOverPendingLimit => "lookups_over_pending_limit",
    #[doc = "Map-Requests put off or refused: the total rate is used up (R-057)."]
    MapRequestsOverRate => "map_requests_over_rate",
    #[doc = "Map-Requests sent through the mapping system, retransmissions included."]
    MapRequestsSent => "map_requests_sent",
    #[doc = "Map-Requests sent again because no reply came."]
    MapRequestsRetransmitted => "map_requests_retransmitted",
    #[doc = "Map-Requests not sent because no Map-Resolver is configured."]
    NoMapResolver => "no_map_resolver",
    #[doc = "Lookups that ended without a reply."]
    ResolutionsFailed => "resolutions_failed",
    #[doc = "Lookups that ended with a mapping, positive or negative."]
    ResolutionsDone => "resolutions_done",
    // ITR: replies.
    #[doc = "Map-Replies received."]
    MapRepliesReceived => "map_replies_received",
    #[doc = "Map-Replies whose nonce answers no Map-Request of the last 30 s; dropped (R-062)."]
    MapRepliesUnsolicited => "map_replies_unsolicited",
    #[doc = "Map-Replies of probe kind to a lookup or the other way round; dropped (R-063)."]
    MapRepliesWrongKind => "map_replies_wrong_kind",
    #[doc = "Replies to RLOC-probes with a record that is not authoritative; dropped (R-063)."]
    ProbeRepliesNotAuthoritative => "probe_replies_not_authoritative",
    #[doc = "Map-Reply records that have nothing to do with the EID asked for; ignored."]
    RecordsUnrelated => "map_reply_records_unrelated",
    #[doc = "Positive Map-Reply records for a prefix shorter than allowed; ignored (R-069)."]
    RecordsOverclaim => "map_reply_overclaim",
    #[doc = "Map-Reply records cut down to the configured EID space (R-069)."]
    RecordsClipped => "map_reply_clipped",
    #[doc = "Negative Map-Replies whose prefix misses the EID asked for; installed for that EID only."]
    NegativeBadPrefix => "negative_bad_prefix",
    #[doc = "Locators ignored: not a usable address, our own, or inside an EID-prefix."]
    LocatorsIgnored => "locators_ignored",
    // Map-cache.
    #[doc = "Map-cache entries learnt."]
    EntriesLearnt => "map_cache_learnt",
    #[doc = "Map-cache entries removed at the end of their TTL (R-074)."]
    EntriesExpired => "map_cache_expired",
    #[doc = "Map-cache entries removed because no packet used them (R-075)."]
    EntriesIdle => "map_cache_idle",
    #[doc = "Map-cache entries removed to make room (R-076)."]
    EntriesEvicted => "map_cache_evicted",
    #[doc = "Map-cache entries removed by a Map-Reply with TTL 0 (R-065)."]
    EntriesWithdrawn => "map_cache_withdrawn",
    #[doc = "Refreshes of entries in use started before their TTL ends (R-074)."]
    RefreshesStarted => "map_cache_refreshes",
    // SMR.
    #[doc = "Solicit-Map-Requests received."]
    SmrsReceived => "smrs_received",
    #[doc = "Solicit-Map-Requests for an EID without map-cache entry; ignored (R-102)."]
    SmrsWithoutEntry => "smrs_without_entry",
    #[doc = "Solicit-Map-Requests ignored by a rate limit (R-101, R-104)."]
    SmrsLimited => "smrs_limited",
    #[doc = "SMR-invoked Map-Requests sent (R-101)."]
    SmrInvokedSent => "smr_invoked_sent",
    // RLOCs.
    #[doc = "RLOC-probes sent."]
    ProbesSent => "rloc_probes_sent",
    #[doc = "Replies to our RLOC-probes."]
    ProbeReplies => "rloc_probe_replies",
    #[doc = "RLOC-probes that were not answered in time."]
    ProbesLost => "rloc_probes_lost",
    #[doc = "Times an RLOC went down."]
    RlocsDown => "rlocs_down",
    #[doc = "Times an RLOC came back."]
    RlocsUp => "rlocs_up",
}

/// The values. One writer: the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters([u64; Counter::ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; Counter::ALL.len()])
    }
}

impl Counters {
    /// Adds `n`.
    pub fn add(&mut self, counter: Counter, n: u64) {
        let value = &mut self.0[counter as usize];
        *value = value.wrapping_add(n);
    }

    /// The value of one counter.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    /// All counters with their values, in the order of declaration.
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        Counter::ALL.iter().map(|&counter| (counter, self.get(counter)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Counter, Counters};
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_made_for_metrics() {
        let names: BTreeSet<_> = Counter::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), Counter::ALL.len());
        for name in names {
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        }
    }

    #[test]
    fn counting_touches_one_value_only() {
        let mut counters = Counters::default();
        counters.add(Counter::Misses, 3);
        assert_eq!(counters.get(Counter::Misses), 3);
        assert_eq!(counters.iter().map(|(_, v)| v).sum::<u64>(), 3);
    }
}
