//! All checks in one pass, and what they share.

use super::{
    admission, ddt, limits, lisp, nat, paths, policers, ports, roles, secrets, sites, subinterfaces, trusted,
    vrfs,
};
use crate::config::build;
use crate::config::error::Problems;
use crate::config::file::File;
use crate::config::load::Machine;
use crate::engine::config::Roles;
use ipnet::IpNet;
use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;
use std::ops::Range;

/// What the checks read.
pub(super) struct Cx<'f> {
    pub(super) file: &'f File,
    pub(super) roles: Roles,
    pub(super) machine: &'f Machine,
}

impl Cx<'_> {
    /// Whether inner sources are held to their mappings somewhere.
    pub(super) fn is_strict(&self) -> bool {
        let vrfs = self.file.vrf.items().iter();
        let sites = self.file.admission.get().map_or(&[][..], |table| table.site.items()).iter();
        vrfs.map(|vrf| &vrf.strict_inner_source)
            .chain(sites.map(|site| &site.strict))
            .any(|key| key.get() == Some(&true))
    }

    /// Whether packets are to be forwarded.
    pub(super) fn forwards(&self) -> bool {
        self.roles.pitr || self.roles.petr || self.roles.xtr || self.roles.fhr
    }
}

/// Notes every contradiction.
pub(in crate::config) fn check(file: &File, machine: &Machine, problems: &mut Problems) {
    let cx = Cx { file, roles: build::roles(file), machine };
    ports::check(&cx, problems);
    subinterfaces::check(&cx, problems);
    vrfs::check(&cx, problems);
    roles::check(&cx, problems);
    lisp::check(&cx, problems);
    paths::check(&cx, problems);
    admission::check(&cx, problems);
    policers::check(&cx, problems);
    trusted::check(&cx, problems);
    sites::check(&cx, problems);
    ddt::check(&cx, problems);
    nat::check(&cx, problems);
    secrets::check(&cx, problems);
    limits::check(&cx, problems);
}

/// A text as it stands in the file.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// There are addresses in both.
pub(super) fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

/// Notes what occurs twice in a list that must not repeat: `what` is the path of the list.
pub(super) fn unique<T: Eq + Hash + Display>(
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
