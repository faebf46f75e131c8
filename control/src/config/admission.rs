//! Who may send us LISP data, as the rest of the daemon sees it.

use super::build::{find_vrf, flag, words};
use super::file::{AdmittedSiteTable, File};
use super::model::Vrf;
use super::words::Prefix;
use ipnet::IpNet;
use pxtr_dataplane::admission::{Nonce, UnknownSources};
use pxtr_dataplane::trust::Trust;
use pxtr_dataplane::types::VrfId;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// `[admission]`. The default: everybody may send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Outer sources; `None`: all.
    pub outer_sources: Option<Vec<IpNet>>,
    /// Nonces of which one is asked for, if there are any.
    pub nonces: Vec<Nonce>,
    /// Of packets whose inner source has no mapping yet.
    pub unknown: UnknownSources,
    /// Sites; in VRFs that have any, others may not send.
    pub sites: Vec<AdmittedSite>,
}

/// `[[admission.site]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmittedSite {
    /// Name.
    pub name: String,
    /// VRF.
    pub vrf: VrfId,
    /// Its EID-prefixes.
    pub eid_prefixes: Vec<IpNet>,
    /// Outer sources it is bound to, if any.
    pub outer_sources: Vec<IpNet>,
    /// Or else to the RLOCs of its mappings.
    pub strict: bool,
}

/// Builds it.
pub(super) fn admission(file: &File, vrfs: &[Vrf]) -> Option<Admission> {
    let Some(table) = file.admission.get() else { return Some(Admission::default()) };
    Some(Admission {
        outer_sources: table.outer_sources.is_given().then(|| prefixes(&table.outer_sources)),
        nonces: words(&table.nonces).into_iter().map(|nonce| nonce.0).collect(),
        unknown: table.unknown_sources.get().map_or(UnknownSources::default(), |word| word.0.into()),
        sites: table.site.items().iter().map(|table| site(table, file, vrfs)).collect::<Option<_>>()?,
    })
}

/// The nonces that other routers ask for.
pub(super) fn peer_nonces(file: &File) -> Option<BTreeMap<IpAddr, Nonce>> {
    let tables = file.lisp.get()?.peer_nonces.items();
    tables.iter().map(|table| Some((table.rloc.get()?.0, table.nonce.get()?.0.0))).collect()
}

/// Whose LISP headers are heeded.
pub(super) fn trust(file: &File) -> Trust {
    let Some(table) = file.trusted.get() else { return Trust::default() };
    Trust {
        rlocs: prefixes(&table.rlocs).into(),
        map_versions: flag(&table.map_versioning, false),
        echo_nonce: flag(&table.echo_nonce, false),
        status_bits: flag(&table.locator_status_bits, false),
    }
}

fn site(table: &AdmittedSiteTable, file: &File, vrfs: &[Vrf]) -> Option<AdmittedSite> {
    Some(AdmittedSite {
        name: table.name.get()?.0.0.clone(),
        vrf: find_vrf(&table.vrf, file, vrfs)?.id,
        eid_prefixes: prefixes(&table.eid_prefixes),
        outer_sources: prefixes(&table.outer_sources),
        strict: flag(&table.strict, false),
    })
}

fn prefixes(key: &super::leaf::Key<Vec<super::leaf::At<super::leaf::Word<Prefix>>>>) -> Vec<IpNet> {
    words(key).into_iter().map(|prefix| prefix.0).collect()
}
