//! What holds tenants and sites to a rate, as the rest of the daemon sees it.

use super::build::{find_vrf, words};
use super::file::{File, PolicerTable};
use super::model::Vrf;
use super::words::UnitWord;
use ipnet::IpNet;
use pxtr_dataplane::policer::{Rate, Unit};
use pxtr_dataplane::types::VrfId;

/// `[[policer]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policer {
    /// Name.
    pub name: String,
    /// VRF.
    pub vrf: VrfId,
    /// EID-prefixes of the sites whose packets it holds; `None`: all of the VRF.
    pub eid_prefixes: Option<Vec<IpNet>>,
    /// How much it lets through.
    pub rate: Rate,
}

/// Builds them.
pub(super) fn policers(file: &File, vrfs: &[Vrf]) -> Option<Vec<Policer>> {
    file.policer.items().iter().map(|table| policer(table, file, vrfs)).collect()
}

fn policer(table: &PolicerTable, file: &File, vrfs: &[Vrf]) -> Option<Policer> {
    let unit = match table.unit.get().map(|word| word.0) {
        Some(UnitWord::Packets) => Unit::Packets,
        Some(UnitWord::Bits) | None => Unit::Bits,
    };
    let per_second: u64 = table.rate.get()?.get();
    let least = if unit == Unit::Bits { 2 * 9216 * 8 } else { 32 };
    let burst = table.burst.get().map_or((per_second / 10).clamp(least, 8_000_000_000), |burst| burst.get());
    let prefixes = || words(&table.eid_prefixes).into_iter().map(|prefix| prefix.0).collect();
    Some(Policer {
        name: table.name.get()?.0.0.clone(),
        vrf: find_vrf(&table.vrf, file, vrfs)?.id,
        eid_prefixes: table.eid_prefixes.is_given().then(prefixes),
        rate: Rate { per_second, burst, unit },
    })
}
