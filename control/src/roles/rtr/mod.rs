//! RTR for routers behind NATs (draft-ermagan-lisp-nat-traversal-19 section 5.3; R-204): passes their
//! Map-Registers on to the Map-Servers, and learns by which address and port the NAT lets packets through
//! to them. The mapping system knows their EID-prefixes by the RTR's RLOC; the RTR knows the rest.

mod behind;
mod machine;
mod pending;
mod view;

pub use machine::Rtr;
pub use view::BehindView;
