//! What is answered. Units stand last in the names; what is not known is `null`.

mod daemon;
mod dataplane;
mod debug;
mod hosts;
mod lisp;
mod mappings;
mod nat;
mod reply;
mod subscriptions;
mod tenants;
mod watch;

pub use daemon::{Cleared, DaemonInfo, Health, HealthCheck, Statistics};
pub use dataplane::{
    DropReasonCount, Drops, Echo, HostPort, Port, PortCounters, Ports, Rloc, RlocLocalState, Rlocs, Worker,
    WorkerRates, Workers,
};
pub use debug::{DebugMessage, DecodedAuth, DecodedLocator, DecodedMessage, DecodedRecord};
pub use hosts::{AwayEid, AwayEids, DynamicEid, DynamicEids};
pub use lisp::{Lisp, LispInstance, MapResolverState};
pub use mappings::{
    Database, DatabaseEntry, EntryAction, EntryOrigin, Locator, LocatorState, MapCache, MapCacheEntry,
    RegisteredLocator, Registration, RegistrationState, Registrations,
};
pub use nat::{Nat, NatEid, NatRouter, NatSeen, NatState, OurNat};
pub use reply::{Answer, Reply};
pub use subscriptions::{Subscription, SubscriptionSide, SubscriptionState, Subscriptions};
pub use tenants::{PacketsBytes, PolicerState, Policers, VrfState, Vrfs};
pub use watch::{PacketEvent, PacketFate, PacketSeen, PacketStory, WatchDone};
