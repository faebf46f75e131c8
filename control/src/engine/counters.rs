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
    #[doc = "Explicit locator paths ignored: they come twice to the same router (RFC 8060 section 4.6)."]
    PathsLooped => "locator_paths_looped",
    #[doc = "Explicit locator paths ignored: their next hop is to be looked up (L bit), which is not supported."]
    PathsWithLookup => "locator_paths_with_lookup",
    #[doc = "Explicit locator paths ignored: no next hop that can be encapsulated to."]
    PathsWithoutHop => "locator_paths_without_hop",
    #[doc = "Explicit locator paths ignored: this router is on another path of the mapping and follows that."]
    PathsElsewhere => "locator_paths_elsewhere",
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
    // NAT traversal.
    #[doc = "Info-Requests received (R-203)."]
    InfoRequestsReceived => "info_requests_received",
    #[doc = "Info-Requests about an EID of no configured site, or without EID and key; dropped."]
    InfoRequestsUnknown => "info_requests_unknown",
    #[doc = "Info-Requests with a wrong or missing MAC; dropped."]
    InfoRequestsBadAuth => "info_requests_bad_auth",
    #[doc = "Info-Requests dropped: their sender asks too often."]
    InfoRequestsLimited => "info_requests_limited",
    #[doc = "Info-Replies sent."]
    InfoRepliesSent => "info_replies_sent",
    #[doc = "Info-Requests sent to our Map-Servers."]
    InfoRequestsSent => "info_requests_sent",
    #[doc = "Info-Requests of ours that were not answered."]
    InfoRequestsLost => "info_requests_lost",
    #[doc = "Info-Replies of our Map-Servers received."]
    InfoRepliesReceived => "info_replies_received",
    #[doc = "Info-Replies with a wrong MAC, or that answer nothing; dropped."]
    InfoRepliesRefused => "info_replies_refused",
    #[doc = "Changes of what is between us and our Map-Servers: a NAT, none, or another address of it."]
    NatChanges => "nat_changes",
    #[doc = "We are behind a NAT, and the Map-Server names no RTR: nobody can reach our site."]
    NatWithoutRtr => "nat_without_rtr",
    #[doc = "RTRs in front of our NAT that no longer answer, or do again."]
    NatRtrChanges => "nat_rtr_changes",
    #[doc = "Map-Registers from behind NATs passed on to their Map-Servers (R-204)."]
    RtrRegistersRelayed => "rtr_registers_relayed",
    #[doc = "Map-Registers from behind NATs dropped: no xTR-ID, no IPv4, or a Map-Server that is not ours."]
    RtrRegistersRefused => "rtr_registers_refused",
    #[doc = "Map-Registers from behind NATs dropped by a rate limit, or too many on the way."]
    RtrRegistersLimited => "rtr_registers_limited",
    #[doc = "Map-Notifies passed on to routers behind NATs."]
    RtrNotifiesRelayed => "rtr_notifies_relayed",
    #[doc = "Map-Notifies for an RTR that answer no Map-Register it passed on; dropped."]
    RtrNotifiesUnexpected => "rtr_notifies_unexpected",
    #[doc = "Routers behind NATs that a Map-Server confirmed for the first time."]
    RtrRoutersNew => "rtr_routers_new",
    #[doc = "Routers behind NATs that have another address or port than before."]
    RtrRoutersMoved => "rtr_routers_moved",
    #[doc = "EID-prefixes behind NATs refused: as many as allowed are there (rtr.max_eid_prefixes)."]
    RtrEidsRefused => "rtr_eids_refused",
    #[doc = "EID-prefixes behind NATs forgotten: no Map-Register came for three minutes."]
    RtrEidsExpired => "rtr_eids_expired",
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
    // Map-Requests to us.
    #[doc = "Map-Requests for EIDs that a role of ours is responsible for."]
    MapRequestsReceived => "map_requests_received",
    #[doc = "Map-Requests and RLOC-probes dropped: their sender used up its rate (R-206)."]
    RequestsOverSenderRate => "map_requests_over_sender_rate",
    #[doc = "Map-Requests asking for something that is no IP EID; not answered."]
    RequestsUnknownEid => "map_requests_unknown_eid",
    #[doc = "Map-Requests without an ITR-RLOC that we can send to; dropped."]
    RequestsWithoutItrRloc => "map_requests_without_itr_rloc",
    #[doc = "Answers and forwardings left out: the same went to the same address just now (R-044)."]
    AnswersRepeated => "answers_repeated",
    #[doc = "Map-Replies sent that hold a mapping, answers to RLOC-probes apart."]
    MapRepliesSent => "map_replies_sent",
    #[doc = "Negative Map-Replies sent."]
    NegativeRepliesSent => "negative_map_replies_sent",
    #[doc = "Map-Requests forwarded to an ETR or to another Map-Server."]
    MapRequestsForwarded => "map_requests_forwarded",
    #[doc = "Map-Requests not forwarded: no address of the next one can be sent to."]
    ForwardsWithoutTarget => "map_requests_without_target",
    #[doc = "RLOC-probes received."]
    ProbesReceived => "rloc_probes_received",
    #[doc = "RLOC-probes sent to an address that is no RLOC of ours; dropped."]
    ProbesMisdirected => "rloc_probes_misdirected",
    #[doc = "RLOC-probes about an EID-prefix that is not ours; dropped."]
    ProbesUnknownEid => "rloc_probes_unknown_eid",
    #[doc = "RLOC-probes answered."]
    ProbeRepliesSent => "rloc_probe_replies_sent",
    #[doc = "Solicit-Map-Requests sent because a mapping of ours changed (R-100)."]
    SmrsSent => "smrs_sent",
    #[doc = "Solicit-Map-Requests not sent: too many ITRs are to be told."]
    SmrsNotSent => "smrs_not_sent",
    // Dynamic EIDs.
    #[doc = "Hosts of dynamic-EID prefixes found at our site (R-185)."]
    HostsAppeared => "dynamic_eids_appeared",
    #[doc = "Live hosts found at another port of ours."]
    HostsMovedPort => "dynamic_eids_moved_port",
    #[doc = "Hosts of ours that a Map-Server says are at another site now (R-188)."]
    HostsMovedAway => "dynamic_eids_moved_away",
    #[doc = "Live hosts that no longer answered and were deregistered (R-193)."]
    HostsLeft => "dynamic_eids_left",
    #[doc = "Live hosts asked whether they are still there."]
    HostsProbed => "dynamic_eids_probed",
    #[doc = "Times that another Ethernet address used the address of a live host, at most one a second each."]
    HostsClaimed => "dynamic_eids_claimed",
    #[doc = "Hosts seen where no dynamic-EID prefix is configured for them; ignored."]
    HostsOutsideRange => "dynamic_eids_outside_range",
    #[doc = "Hosts seen by traffic that does not count in their range; ignored."]
    HostsSeenOtherwise => "dynamic_eids_seen_otherwise",
    #[doc = "Hosts not taken up: too many are live, or too many came at once."]
    HostsOverLimit => "dynamic_eids_over_limit",
    #[doc = "Reports of encapsulated packets for hosts that moved away (R-190)."]
    AwayHits => "away_hits",
    // Hosts behind First-Hop Routers (RFC 9301 section 5.6, E bit).
    #[doc = "Map-Registers with the E bit received from First-Hop Routers (R-186)."]
    FirstHopRegisters => "first_hop_registers_received",
    #[doc = "Map-Registers of First-Hop Routers refused: key, algorithm or authentication data are wrong."]
    FirstHopBadAuth => "first_hop_registers_bad_auth",
    #[doc = "Map-Registers of First-Hop Routers refused: their nonce is not greater than the last one."]
    FirstHopReplayed => "first_hop_registers_replayed",
    #[doc = "Map-Registers of First-Hop Routers refused: too many in a second."]
    FirstHopOverRate => "first_hop_registers_over_rate",
    #[doc = "Records of First-Hop Routers refused: no host of a prefix that they may tell of, or not theirs."]
    FirstHopRecordsRefused => "first_hop_records_refused",
    #[doc = "EID-prefixes of ours that another router registers now, as a Map-Server says."]
    DatabaseTakenOver => "database_taken_over",
    // ETR: registering.
    #[doc = "Map-Registers sent, retransmissions included."]
    RegistersSent => "map_registers_sent",
    #[doc = "Map-Registers sent again because no Map-Notify came (RFC 9301 section 5.7)."]
    RegistersRetransmitted => "map_registers_retransmitted",
    #[doc = "Map-Registers that a Map-Server confirmed."]
    RegistersAcknowledged => "map_registers_acknowledged",
    #[doc = "Map-Notifies received."]
    NotifiesReceived => "map_notifies_received",
    #[doc = "Map-Notifies from somewhere we do not register; dropped."]
    NotifiesUnknownServer => "map_notifies_unknown_server",
    #[doc = "Map-Notifies whose MAC is not that of the Map-Server; dropped (R-180)."]
    NotifiesBadAuth => "map_notifies_bad_auth",
    #[doc = "Map-Notifies that answer no Map-Register of ours."]
    NotifiesUnsolicited => "map_notifies_unsolicited",
    #[doc = "Map-Notify-Acks sent."]
    NotifyAcksSent => "map_notify_acks_sent",
    // Map-Server.
    #[doc = "Map-Registers received."]
    RegistersReceived => "map_registers_received",
    #[doc = "Map-Registers without an EID-prefix of any site; dropped (R-163)."]
    RegistersUnknownEid => "map_registers_unknown_eid",
    #[doc = "Map-Registers with a wrong MAC, Key ID or algorithm; dropped (R-164)."]
    RegistersBadAuth => "map_registers_bad_auth",
    #[doc = "Map-Registers with EID-prefixes of sites that have another key; dropped (R-163)."]
    RegistersMixedSites => "map_registers_mixed_sites",
    #[doc = "Map-Registers whose nonce is not above the last one; dropped (R-164)."]
    RegistersReplayed => "map_registers_replayed",
    #[doc = "Map-Registers dropped: their site used up its rate (R-174)."]
    RegistersOverSiteRate => "map_registers_over_site_rate",
    #[doc = "Map-Registers dropped: their site has too many different registrants."]
    RegistersOverRegistrants => "map_registers_over_registrants",
    #[doc = "Records of Map-Registers for EID-prefixes that the site may not register; ignored (R-163)."]
    RegisterRecordsRefused => "map_register_records_refused",
    #[doc = "Records of Map-Registers ignored: the site has all the EID-prefixes it may have (R-174)."]
    RegisterRecordsOverLimit => "map_register_records_over_limit",
    #[doc = "EID-prefixes registered that were not before."]
    RegistrationsNew => "registrations_new",
    #[doc = "Registrations that changed the locator-set of their EID-prefix."]
    RegistrationsChanged => "registrations_changed",
    #[doc = "EID-prefixes that nobody registered again in time (R-165)."]
    RegistrationsExpired => "registrations_expired",
    #[doc = "Registrations taken back by their ETR with Record TTL 0."]
    RegistrationsWithdrawn => "registrations_withdrawn",
    #[doc = "Record TTL 0 from somebody who does not register the EID-prefix; ignored (R-165)."]
    WithdrawalsRefused => "registration_withdrawals_refused",
    #[doc = "Map-Notifies sent, retransmissions included."]
    NotifiesSent => "map_notifies_sent",
    #[doc = "Unsolicited Map-Notifies sent again because no Map-Notify-Ack came (R-167)."]
    NotifiesRetransmitted => "map_notifies_retransmitted",
    #[doc = "Unsolicited Map-Notifies given up on."]
    NotifiesUnanswered => "map_notifies_unanswered",
    #[doc = "Unsolicited Map-Notifies not sent: too many wait for their Map-Notify-Ack."]
    NotifiesOverLimit => "map_notifies_over_limit",
    #[doc = "Map-Notify-Acks that were waited for."]
    NotifyAcksReceived => "map_notify_acks_received",
    #[doc = "Map-Notify-Acks that nothing waits for; ignored."]
    NotifyAcksUnexpected => "map_notify_acks_unexpected",
    // DDT.
    #[doc = "DDT Map-Requests received by our DDT node or Map-Server (RFC 8111)."]
    DdtRequestsReceived => "ddt_requests_received",
    #[doc = "Map-Referrals sent."]
    ReferralsSent => "map_referrals_sent",
    #[doc = "DDT Map-Requests sent by our Map-Resolver, retransmissions included."]
    DdtRequestsSent => "ddt_requests_sent",
    #[doc = "Map-Referrals received."]
    ReferralsReceived => "map_referrals_received",
    #[doc = "Map-Referrals with a nonce or from an address that nothing was asked by or of; dropped."]
    ReferralsUnsolicited => "map_referrals_unsolicited",
    #[doc = "Map-Referrals that do not hold the EID asked for, or of an unknown kind; dropped."]
    ReferralsUnrelated => "map_referrals_unrelated",
    #[doc = "Map-Referrals that do not lead down the tree; the root is asked once more."]
    ReferralsCircular => "map_referrals_circular",
    #[doc = "Map-Requests that a Map-Server found by DDT has passed on."]
    DdtAcknowledged => "ddt_requests_acknowledged",
    #[doc = "Map-Requests given up: no DDT node or Map-Server of a step answered."]
    DdtUnanswered => "ddt_requests_unanswered",
    #[doc = "Map-Requests answered negatively because the tree led nowhere."]
    DdtLost => "ddt_requests_lost",
    #[doc = "Map-Requests dropped: too many are on their way down the tree."]
    DdtOverPendingLimit => "ddt_requests_over_limit",
    // LISP-SEC.
    #[doc = "Map-Replies whose LISP-SEC authentication data are right (RFC 9303)."]
    LispSecVerified => "lisp_sec_replies_verified",
    #[doc = "Map-Replies without the LISP-SEC data that are required; dropped (R-072)."]
    LispSecMissing => "lisp_sec_replies_unsigned",
    #[doc = "Map-Replies with wrong LISP-SEC data; dropped (R-201)."]
    LispSecForged => "lisp_sec_replies_forged",
    #[doc = "Authentic Map-Replies by another HMAC than asked for; dropped, and asked for again with that one (R-201)."]
    LispSecOtherHmac => "lisp_sec_other_hmac",
    #[doc = "Map-Reply records outside of what the Map-Server vouches for; ignored (R-201)."]
    LispSecOverclaims => "lisp_sec_overclaims",
    #[doc = "Map-Replies that say their ETR can not sign; not taken where LISP-SEC is required (R-202)."]
    LispSecCantSign => "lisp_sec_etr_cant_sign",
    #[doc = "Map-Requests whose one-time key does not unwrap; dropped (R-200)."]
    LispSecRequestsRefused => "lisp_sec_requests_refused",
    #[doc = "Map-Replies signed by LISP-SEC."]
    LispSecSigned => "lisp_sec_replies_signed",
    #[doc = "Map-Requests passed on without LISP-SEC because no secret for the next one is configured."]
    LispSecStripped => "lisp_sec_requests_stripped",
    // Pub/Sub: ITR.
    #[doc = "Map-Requests sent that subscribe to the mapping asked for (RFC 9437)."]
    SubscribesSent => "subscribes_sent",
    #[doc = "Subscriptions of ours that a Map-Server confirmed, renewals included."]
    SubscribesConfirmed => "subscribes_confirmed",
    #[doc = "Map-Requests that subscribe and were answered by a Map-Reply: the mapping is pulled."]
    SubscribesDeclined => "subscribes_declined",
    #[doc = "Subscriptions of ours given up because no packet uses their mappings."]
    UnsubscribesSent => "unsubscribes_sent",
    #[doc = "Map-Notifies that changed mappings we subscribe to."]
    PublicationsReceived => "publications_received",
    #[doc = "Map-Notifies of a subscription that came again; acknowledged again."]
    PublicationsRepeated => "publications_repeated",
    #[doc = "Map-Notifies of a subscription whose nonce is not the next; dropped (R-196)."]
    PublicationsReplayed => "publications_replayed",
    #[doc = "Map-Notifies of a subscription whose MAC is wrong; dropped (R-195)."]
    PublicationsBadAuth => "publications_bad_auth",
    #[doc = "Subscriptions of ours that a Map-Server ended, or did not confirm again."]
    SubscriptionsLost => "subscriptions_lost",
    #[doc = "Subscriptions not taken up: there are as many as are allowed."]
    SubscriptionsOverLimit => "subscriptions_over_limit",
    // Pub/Sub: Map-Server.
    #[doc = "Map-Requests that want to subscribe, or to end a subscription."]
    SubscribesReceived => "subscribes_received",
    #[doc = "Map-Requests that want to subscribe and may not, answered as if they did not want to."]
    SubscribesRefused => "subscribes_refused",
    #[doc = "Map-Requests that want to subscribe with a nonce not above the last one; dropped (R-197)."]
    SubscribesReplayed => "subscribes_replayed",
    #[doc = "Subscriptions that their subscriber acknowledged for the first time."]
    SubscriptionsNew => "subscriptions_new",
    #[doc = "Subscriptions that their subscriber ended."]
    SubscriptionsEnded => "subscriptions_ended",
    #[doc = "Subscriptions that were not renewed in time."]
    SubscriptionsExpired => "subscriptions_expired",
    #[doc = "Subscriptions ended because publications were not acknowledged, or too much changed at once."]
    SubscriptionsDropped => "subscriptions_dropped",
    #[doc = "LISP headers of trusted routers with a newer version of their mapping than the map-cache; it is asked for (RFC 9302 7.2)."]
    MapVersionsNewerSource => "map_versions_newer_source",
    #[doc = "Trusted routers that sent with an old version of our mapping and were told by SMR (RFC 9302 7.1)."]
    MapVersionsOutdated => "map_versions_outdated",
    #[doc = "Trusted routers that went on with an old version of our mapping after ten SMRs; what they send to it is dropped (RFC 9302 7.1)."]
    MapVersionsIgnored => "map_versions_ignored",
    #[doc = "LISP headers of trusted routers with a newer version of our mapping than ours, at most one a second for an EID; dropped (RFC 9302 7.1)."]
    MapVersionsUnknown => "map_versions_unknown",
    #[doc = "Locators of other sites that changed because a trusted router of theirs said so in Locator-Status-Bits (RFC 9300 10)."]
    StatusBitsHeeded => "status_bits_heeded",
    #[doc = "Locators said to be down that stay in use, since no other one of their site is up (R-210)."]
    StatusBitsLastLocator => "status_bits_last_locator",
    #[doc = "Changed Locator-Status-Bits of trusted routers that are no locator of the mapping they speak of; ignored."]
    StatusBitsForeign => "status_bits_foreign",
    #[doc = "Changed Locator-Status-Bits put off by a rate limit (R-210); they are heard again."]
    StatusBitsLimited => "status_bits_limited",
    #[doc = "Locators of our own site that came up or went down, as our Locator-Status-Bits say (RFC 9300 10)."]
    SiteLocatorsChanged => "site_locators_changed",
    #[doc = "Mappings of ours that changed without a newer map_version (RFC 9302 6)."]
    MapVersionsNotRaised => "map_versions_not_raised",
    #[doc = "Records of Map-Registers of trusted routers with an older Map-Version than what is registered; dropped (RFC 9302 5)."]
    RegisterRecordsOldVersion => "register_records_old_version",
    #[doc = "Rounds in which a trusted RLOC was asked to echo a nonce (RFC 9300 10.1)."]
    EchoesAsked => "echoes_asked",
    #[doc = "Echoes that came: packets get there."]
    EchoesReceived => "echoes_received",
    #[doc = "Echoes that were missing in what came back: the RLOC was declared down and probed."]
    EchoesMissing => "echoes_missing",
    #[doc = "Rounds without a conclusion: too little went to the RLOC or came from there."]
    EchoesUndecided => "echoes_undecided",
    #[doc = "Nonces of trusted routers that were echoed."]
    EchoesGiven => "echoes_given",
    #[doc = "Nonces of trusted routers not echoed because there were too many; they come again."]
    EchoesNotGiven => "echoes_not_given",
    #[doc = "Publications sent, retransmissions left out."]
    PublicationsSent => "publications_sent",
    #[doc = "Publications put off by a rate limit; they go out with the next ones."]
    PublicationsDelayed => "publications_delayed",
    // Encryption (RFC 8061).
    #[doc = "RLOC-probes sent with keys of ours: new ones, and to see whether the ETR still has the old ones."]
    KeyRequestsSent => "key_requests_sent",
    #[doc = "Keys agreed with ETRs."]
    KeysAgreed => "keys_agreed",
    #[doc = "Answers of ETRs without the key that was asked for."]
    KeysRefused => "keys_refused",
    #[doc = "RLOC-probes with keys that were not answered in time."]
    KeyExchangesVain => "key_exchanges_vain",
    #[doc = "Keys in use that the ETR did not have any more; new ones are agreed at once."]
    KeysLost => "keys_lost",
    #[doc = "RLOC-probes with keys of ITRs."]
    KeyOffersReceived => "key_offers_received",
    #[doc = "Keys computed for ITRs."]
    KeysComputed => "keys_computed",
    #[doc = "Keys of ITRs not taken: another suite, a key-id in use, no room, or no key at all."]
    KeyOffersRefused => "key_offers_refused",
    #[doc = "Keys of ITRs not taken because there were too many, of one or of all."]
    KeyOffersOverRate => "key_offers_over_rate",
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
