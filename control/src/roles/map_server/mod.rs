//! Map-Server (RFC 9301 section 8): takes registrations from the ETRs of configured sites, answers
//! Map-Requests for them or forwards these to the ETRs, and says of the rest that it is not LISP.

mod answer;
mod info;
mod machine;
mod nonces;
mod policies;
mod publisher;
mod refer;
mod register;
mod registrant;
mod sites;
mod store;
mod subscribe;
mod subscriptions;
mod view;

pub use machine::MapServer;
pub use nonces::KeptNonce;
pub use registrant::RegistrantId;
pub use subscribe::SubscriptionView;
pub use view::{LocatorView, RegistrationView};
