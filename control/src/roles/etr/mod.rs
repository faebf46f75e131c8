//! The ETR side of a site router, and what a proxy ETR answers: registration with Map-Servers
//! (RFC 9301 section 8.2), Map-Replies for our own EID-prefixes (sections 5.4, 5.5), answers to
//! RLOC-probes (section 7.1), SMRs when a mapping of ours changes (section 6.1).

mod answer;
mod audience;
mod batch;
mod dynamic;
mod first_hop;
mod keys;
mod machine;
mod nat;
mod registrar;
mod solicitor;
mod status;
mod versions;
mod view;
mod withheld;

pub use dynamic::{Found, HostChange};
pub use machine::Etr;
pub use view::{AwayView, DatabaseView, DynamicEidView, NatView, PeerRegistration, SeenView};
