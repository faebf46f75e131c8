//! The ETR side of a site router, and what a proxy ETR answers: registration with Map-Servers
//! (RFC 9301 section 8.2), Map-Replies for our own EID-prefixes (sections 5.4, 5.5), answers to
//! RLOC-probes (section 7.1).

mod answer;
mod batch;
mod machine;
mod registrar;
mod view;

pub use machine::Etr;
pub use view::{DatabaseView, PeerRegistration};
