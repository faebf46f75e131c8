//! What single keys can not show: contradictions between them, and what the roles need.
//!
//! Every check works on what is there: a key that is absent or was bad has been noted before, and
//! must not cause a second, misleading line here.

mod lisp;
mod ports;
mod roles;
mod secrets;
mod sites;
mod vrfs;

pub(super) use secrets::secret;

use super::build::roles;
use super::error::Problems;
use super::file::File;
use super::load::Machine;
use crate::engine::config::Roles;
use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;
use std::ops::Range;

/// What the checks read.
struct Cx<'f> {
    file: &'f File,
    roles: Roles,
    machine: &'f Machine,
}

impl Cx<'_> {
    /// Whether packets are to be forwarded.
    fn forwards(&self) -> bool {
        self.roles.pitr || self.roles.petr || self.roles.xtr
    }
}

/// Notes every contradiction.
pub(super) fn check(file: &File, machine: &Machine, problems: &mut Problems) {
    let cx = Cx { file, roles: roles(file), machine };
    ports::check(&cx, problems);
    vrfs::check(&cx, problems);
    roles::check(&cx, problems);
    lisp::check(&cx, problems);
    sites::check(&cx, problems);
    secrets::check(&cx, problems);
}

/// A text as it stands in the file.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// Notes what occurs twice in a list that must not repeat: `what` is the path of the list.
fn unique<T: Eq + Hash + Display>(
    what: &str,
    items: impl Iterator<Item = (T, Range<usize>)>,
    remedy: &str,
    problems: &mut Problems,
) {
    let mut seen = HashSet::new();
    for (item, span) in items {
        if let Some(item) = seen.replace(item) {
            problems.at(span, format!("{what} = {item} is given twice; {remedy}"));
        }
    }
}
