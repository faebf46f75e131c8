//! `lig`: the LISP Internet Groper (RFC 6835). Asks a Map-Resolver over a socket of its own, and
//! takes from the daemon only what the operator did not give.

mod ask;
mod report;
mod run;

pub(super) use report::{LigReply, Report};
pub(super) use run::run;

#[cfg(test)]
mod tests;
