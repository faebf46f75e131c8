//! LISP control messages: bytes to types and back (RFC 9301, 8060, 8111, 9303, 9304, 9306, 9437).
//!
//! No clock, no socket, no state. Rules that hold for every decoder here:
//!
//! * every read is checked; a message is decoded wholly or not at all, so nothing of a malformed
//!   one can be applied;
//! * reserved bits and trailing bytes are never a reason to refuse; they are sent as zero;
//! * hostile counts are capped: [`MAX_RECORDS`] records, [`MAX_LOCATORS`] locators each, LCAFs
//!   nested [`MAX_LCAF_DEPTH`] deep;
//! * nonces are the big-endian value of their 8 bytes, which is also their order.
//!
//!
//! Authentication is apart from decoding: [`auth`] works on the raw bytes.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod address;
pub mod auth;
mod ecm;
mod error;
mod in_data;
mod info;
mod inner;
mod lcaf;
mod lcaf_decode;
mod lcaf_encode;
pub mod lisp_sec;
pub mod lisp_sec_keys;
mod map_referral;
mod map_register;
mod map_reply;
mod map_request;
mod message;
mod read;
mod record;
mod rloc;
mod write;

pub use address::Address;
pub use ecm::Ecm;
pub use error::{DecodeError, EncodeError};
pub use in_data::{decode_in_data, encode_in_data};
pub use info::Info;
pub use inner::InnerHeader;
pub use lcaf::{ElpHop, Lcaf, RleEntry};
pub use lisp_sec::{EcmAd, EidAd, ReplyAd, SignedEids};
pub use lisp_sec_keys::{Otk, SecError, sign_reply, verify_reply};
pub use map_referral::{MapReferral, ReferralAction, ReferralRecord, ReferralSignature};
pub use map_register::{AuthData, MapNotify, MapRegister};
pub use map_reply::MapReply;
pub use map_request::{MapRequest, MapRequestRecord, XtrSiteId};
pub use message::Message;
pub use record::{EidRecord, LocatorRecord, MapAction};
pub use rloc::is_martian;

/// UDP port of LISP control messages (RFC 9301 section 12.1).
pub const CONTROL_PORT: u16 = 4342;
/// UDP port of LISP data packets (RFC 9300 section 19.1).
pub const DATA_PORT: u16 = 4341;
/// Most records accepted in a message.
pub const MAX_RECORDS: usize = 64;
/// Most locators accepted in a record.
pub const MAX_LOCATORS: usize = 32;
/// Most ITR-RLOCs in a Map-Request: the field counts 0..=31 for 1..=32 (TRAP 14).
pub const MAX_ITR_RLOCS: usize = 32;
/// How deep LCAFs may nest.
pub const MAX_LCAF_DEPTH: usize = 4;
/// Most entries accepted in an LCAF that lists addresses, hops or keys.
pub const MAX_LCAF_ENTRIES: usize = 64;
