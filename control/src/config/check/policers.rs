//! `[[policer]]`.

use super::super::error::Problems;
use super::super::words::UnitWord;
use super::admission::prefixes;
use super::all::{Cx, quoted, unique};
use super::lisp::eid_at;
use pxtr_dataplane::traffic::MAX_POLICERS;

/// EID-prefixes of all policers together.
const MAX_PREFIXES: usize = 1 << 16;
/// The largest packet of a port, in bits.
const PACKET_BITS: u64 = 9216 * 8;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    let tables = cx.file.policer.items();
    let names =
        tables.iter().filter_map(|table| table.name.at()).map(|name| (quoted(&name.0.0), name.span()));
    unique("policer.name", names, "give each policer its own name", problems);
    let eids = tables
        .iter()
        .flat_map(|table| table.eid_prefixes.items().iter().map(|prefix| eid_at(&table.vrf, prefix)));
    unique("policer.eid_prefixes", eids, "give each prefix to one policer", problems);
    let first = cx.file.vrf.items().first().and_then(|vrf| vrf.name.get());
    let whole = tables.iter().filter(|table| !table.eid_prefixes.is_given()).filter_map(|table| {
        let vrf = table.vrf.get().or(first).map_or("default", |name| &name.0.0);
        Some((quoted(vrf), table.name.span()?))
    });
    unique("policer without eid_prefixes for VRF", whole, "give each VRF one", problems);
    let count = tables.iter().map(|table| table.eid_prefixes.items().len()).sum::<usize>();
    let span = || cx.file.policer.span().unwrap_or_default();
    if tables.len() > MAX_POLICERS as usize {
        problems.at(span(), format!("{} policers are too many; give at most {MAX_POLICERS}", tables.len()));
    }
    if count > MAX_PREFIXES {
        problems.at(
            span(),
            format!(
                "policer.eid_prefixes: {count} prefixes in all are too many; give at most {MAX_PREFIXES}"
            ),
        );
    }
    for table in tables {
        prefixes("policer.eid_prefixes", &table.eid_prefixes, usize::MAX, problems);
        let bits = table.unit.get().is_none_or(|unit| unit.0 == UnitWord::Bits);
        if let Some(burst) = table.burst.at().filter(|burst| bits && burst.get::<u64>() < PACKET_BITS) {
            let given = burst.get::<u64>();
            problems.at(
                burst.span(),
                format!(
                    "policer.burst = {given} lets no packet of 9216 bytes through; give {PACKET_BITS} at least"
                ),
            );
        }
    }
}
