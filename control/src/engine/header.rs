//! What LISP headers of trusted routers say of mappings in the map-cache: versions (RFC 9302 section 7.2;
//! R-098), which are only reasons to ask; the state of locators is `status.rs`'s.

use super::counters::Counter;
use super::cx::Cx;
use super::event::EidPrefix;
use super::itr::Itr;
use super::mapping::Origin;
use super::resolve::Cause;
use super::role_set::RoleSet;
use crate::roles::limit::Rate;
use pxtr_dataplane::trust::{Age, MapVersion, Said};
use std::net::IpAddr;

/// Headers of all trusted routers together that make us do something, per second.
pub(super) const RATE: Rate = Rate { per_second: 100, burst: 100 };

/// A worker tells what a header said.
pub fn heard(
    cx: &mut Cx<'_>,
    itr: &mut Itr,
    roles: &mut RoleSet,
    (eid, rloc): (EidPrefix, IpAddr),
    said: Said,
) {
    let trust = &cx.config.trust;
    // It may have been on its way while the configuration changed.
    let heeded = match said {
        Said::SourceStatus(_) => trust.status_bits,
        Said::SourceNewer(_) | Said::DestinationOlder(_) | Said::DestinationNewer(_) => trust.map_versions,
    };
    if !(heeded && trust.has(rloc)) {
        return;
    }
    match said {
        Said::SourceStatus(status) => itr.on_status(cx, &eid, rloc, status),
        Said::SourceNewer(version) => itr.on_newer(cx, &eid, version),
        Said::DestinationOlder(_) | Said::DestinationNewer(_) => {
            if let Some(etr) = roles.etr_mut() {
                etr.on_version(cx, &eid, rloc, said);
            }
        }
    }
}

impl Itr {
    /// A site's own packets say that its mapping is a newer one than ours: it is asked for, as after an SMR.
    fn on_newer(&mut self, cx: &mut Cx<'_>, eid: &EidPrefix, version: MapVersion) {
        let newer = |cached: MapVersion| !cached.is_none() && version.against(cached) == Age::Newer;
        let entry =
            self.cache.lookup_prefix(eid).filter(|e| e.origin == Origin::MapReply && newer(e.version));
        let Some(eid) = entry.map(|entry| entry.eid) else { return };
        if self.hints.take(cx.now, RATE) {
            cx.count(Counter::MapVersionsNewerSource);
            self.resolver.want(cx, eid, Cause::Smr, None);
        }
    }
}
