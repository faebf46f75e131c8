//! The shape of the configuration file as written. Each key's documentation is what an operator
//! reads: in `configs/reference.toml`, in the JSON Schema, and as the remedy in an error.
//!
//! Conventions of the documentation, held by a test: the first sentence is a noun phrase that can
//! follow "give"; then `Required.` or `Default: ...`; then `Change:` with `live` or `process restart`: what must happen until a changed value counts.
//!
//! Every key is a [`Key`](super::Key), absent or given: what is missing is found by `x-required` together with
//! all other problems, instead of one at a time by serde.

mod admission;
mod daemon;
mod ddt;
mod encryption;
mod limits;
mod lisp;
mod lisp_sec;
mod map_server;
mod path;
mod policer;
mod port;
mod root;
mod trusted;

pub use admission::{AdmissionTable, AdmittedSiteTable, PeerNonceTable};
pub use daemon::{DaemonTable, DpdkTable, HoldTable, WorkersTable};
pub use ddt::{DdtNodeTable, DelegationTable, EidTable};
pub use encryption::EncryptionTable;
pub use limits::LimitsTable;
pub use lisp::{
    DatabaseTable, DynamicEidTable, FirstHopRouterTable, LispTable, LocatorTable, MapServerPeerTable,
    PubSubTable, StaticMappingTable,
};
pub use lisp_sec::LispSecTable;
pub use map_server::{
    KeyTable, MapResolverTable, MapServerTable, PolicyTable, RtrTable, SitePrefixTable, SiteTable,
    SubscriberTable,
};
pub use path::PathTable;
pub use policer::PolicerTable;
pub use port::{PortTable, VrfTable};
pub use root::File;
pub use trusted::TrustedTable;
