//! Who knows the answers.

use super::error::{ApiError, ErrorCode};
use super::request::{ListQuery, MapCacheQuery, Request};
use super::types::{
    AwayEids, Cleared, Database, Drops, DynamicEids, Health, Lisp, MapCache, Nat, Policers, Ports,
    Registrations, Reply, Rlocs, Statistics, Subscriptions, Vrfs, Workers,
};

/// The state of a daemon as clients see it. Implemented by the runtime (and by a fake in tests); runs
/// on the control thread between two events, so each answer is one consistent moment.
///
/// Lists must respect their query's limit and say `truncated`.
pub trait ApiSource {
    /// Map-cache entries that the query means.
    fn map_cache(&self, query: &MapCacheQuery) -> MapCache;
    /// The own site's EID-prefixes.
    fn database(&self, query: &ListQuery) -> Database;
    /// Registrations with this Map-Server.
    ///
    /// # Errors
    /// This daemon is no Map-Server.
    fn registrations(&self, query: &ListQuery) -> Result<Registrations, ApiError>;
    /// Hosts of dynamic-EID prefixes that are here.
    fn dynamic_eids(&self, query: &ListQuery) -> DynamicEids;
    /// Hosts of ours that are at other sites.
    fn away(&self, query: &ListQuery) -> AwayEids;
    /// NATs in front of us, and routers behind NATs.
    fn nat(&self, query: &ListQuery) -> Nat;
    /// Subscriptions to mappings.
    fn subscriptions(&self, query: &ListQuery) -> Subscriptions;
    /// Locators of other routers.
    fn rlocs(&self, query: &ListQuery) -> Rlocs;
    /// NIC ports and sub-interfaces.
    fn ports(&self) -> Ports;
    /// VRFs.
    fn vrfs(&self, query: &ListQuery) -> Vrfs;
    /// Policers.
    fn policers(&self, query: &ListQuery) -> Policers;
    /// Workers.
    fn workers(&self) -> Workers;
    /// Dropped packets.
    fn drops(&self) -> Drops;
    /// Counters.
    fn statistics(&self) -> Statistics;
    /// Whether all is well.
    fn health(&self) -> Health;
    /// Its place in the mapping system.
    fn lisp(&self) -> Lisp;
    /// Forgets learnt mappings.
    fn clear_map_cache(&mut self, query: &MapCacheQuery) -> Cleared;

    /// The answer to any request.
    ///
    /// # Errors
    /// See the single answers.
    fn answer(&mut self, request: &Request) -> Result<Reply, ApiError> {
        Ok(match request {
            Request::ShowMapCache(query) => Reply::MapCache(self.map_cache(query)),
            Request::ShowDatabase(query) => Reply::Database(self.database(query)),
            Request::ShowRegistrations(query) => Reply::Registrations(self.registrations(query)?),
            Request::ShowDynamicEid(query) => Reply::DynamicEid(self.dynamic_eids(query)),
            Request::ShowAway(query) => Reply::Away(self.away(query)),
            Request::ShowNat(query) => Reply::Nat(self.nat(query)),
            Request::ShowSubscriptions(query) => Reply::Subscriptions(self.subscriptions(query)),
            Request::ShowRlocs(query) => Reply::Rlocs(self.rlocs(query)),
            Request::ShowPorts => Reply::Ports(self.ports()),
            Request::ShowVrfs(query) => Reply::Vrfs(self.vrfs(query)),
            Request::ShowPolicers(query) => Reply::Policers(self.policers(query)),
            Request::ShowWorkers => Reply::Workers(self.workers()),
            Request::ShowDrops => Reply::Drops(self.drops()),
            Request::ShowStatistics => Reply::Statistics(self.statistics()),
            Request::ShowHealth => Reply::Health(self.health()),
            Request::ShowLisp => Reply::Lisp(self.lisp()),
            Request::DebugLisp(_) | Request::WatchPackets(_) => return Err(not_a_question()),
            Request::ClearMapCache(query) => Reply::Cleared(self.clear_map_cache(query)),
        })
    }
}

/// The server of the socket streams; whoever asks the control thread for it has lost its way.
fn not_a_question() -> ApiError {
    ApiError::new(ErrorCode::Unavailable, "this is a stream: use the API socket")
}
