//! What single keys can not show: contradictions between them, and what the roles need.
//!
//! Every check works on what is there: a key that is absent or was bad has been noted before, and
//! must not cause a second, misleading line here.

mod admission;
mod all;
mod ddt;
mod dynamic;
mod limits;
mod lisp;
mod nat;
mod paths;
mod policers;
mod ports;
mod roles;
mod secrets;
mod sites;
mod subinterfaces;
mod trusted;
mod via;
mod vrfs;

pub(super) use all::check;
pub(super) use secrets::secret;
