//! `[trusted]`.

use super::super::error::Problems;
use super::admission::prefixes;
use super::all::Cx;

/// They are tried in turn for each packet.
const MAX_PREFIXES: usize = 16;

pub(super) fn check(cx: &Cx<'_>, problems: &mut Problems) {
    let table = cx.file.trusted.get();
    if let Some(table) = table {
        prefixes("trusted.rlocs", &table.rlocs, MAX_PREFIXES, problems);
    }
    let versioning = table.is_some_and(|table| table.map_versioning.get() == Some(&true));
    if versioning || problems.was_bad("trusted.map_versioning") {
        return;
    }
    let mappings = cx.file.lisp.get().map_or(&[][..], |lisp| lisp.database.items());
    for version in mappings.iter().filter_map(|mapping| mapping.map_version.at()) {
        if version.get::<u16>() > 0 {
            problems.at(
                version.span(),
                "lisp.database.map_version has no effect; set trusted.map_versioning = true or remove it",
            );
        }
    }
}
