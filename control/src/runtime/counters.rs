//! What the runtime counts. Written by the control thread, read by the API.

/// Declares the counters once: field, and sentence for the operator.
macro_rules! counters {
    ($($field:ident: $help:literal,)+) => {
        /// The runtime's counters.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct RuntimeCounters {
            $(#[doc = $help] pub $field: u64,)+
        }

        impl RuntimeCounters {
            /// Name, sentence and value of each.
            pub fn fields(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($field), $help, self.$field),)+].into_iter()
            }
        }
    };
}

counters! {
    control_sent: "Control datagrams sent.",
    control_send_failed: "Control datagrams that the kernel refused to send.",
    control_not_underlay: "Control datagrams dropped because they came in by a port that is not underlay (R-217).",
    control_over_sender_rate: "Control datagrams dropped unread because their sender used up its rate (R-161).",
    control_malformed: "Control datagrams dropped because of their length or a missing destination address.",
    punts: "Events received from workers.",
    path_mtus_learnt: "Path MTUs of RLOCs lowered because the core said so (R-120).",
    core_hints_unknown: "ICMP errors from the core about RLOCs that are not in use, not believed (R-128).",
    punts_unknown: "Events of workers about a VRF or port that control does not know.",
    actions_refused: "Actions of the engine that the data plane had no room for.",
    config_reloads: "Times the configuration file was read again and put in force.",
    config_reloads_refused: "Times it was read again and refused; the old configuration stays.",
    engine_restarts: "Times the protocol engine panicked and was replaced.",
    netlink_overruns: "Times the kernel had more to say than the netlink socket held; everything was read anew.",
    netlink_undecodable: "Messages of the kernel passed over because they could not be decoded.",
    netlink_send_failed: "Neighbours that the kernel could not be asked to resolve.",
    neighbours_asked: "Neighbours that the kernel was asked to resolve or confirm.",
    retired: "Pieces of memory that workers gave back.",
    feeder_deltas: "Changes sent to the workers, each counted once.",
    feeder_entries_refused: "Map-cache entries that found no slot in the data plane.",
    feeder_rlocs_refused: "RLOCs that found no slot in the data plane.",
    feeder_locator_sets_refused: "Locator-sets that found no slot in the data plane.",
    feeder_adjacencies_refused: "Next hops that found no slot in the data plane.",
    feeder_neighbour_misses_refused: "Neighbours not asked for because too many questions were open (R-155).",
    kernel_routes_refused: "Kernel routes beyond the limit.",
    kernel_neighbours_refused: "Kernel neighbours beyond the limit.",
}
