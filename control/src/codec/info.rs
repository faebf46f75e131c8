//! Info-Request and Info-Reply (draft-ermagan-lisp-nat-traversal-19, lispers.net flavour).

use super::{Address, AuthData};

/// Type 7; R=0 request, R=1 reply (see [`super::Message`]).
///
/// ```text
/// |Type=7 |R|            Reserved                                 |
/// |                         Nonce (8 bytes)                       |
/// |    Key ID     | Algorithm ID  |  Authentication Data Length   |
/// |                  Authentication Data ...                      |
/// |                              TTL                              |
/// |   Reserved    | EID mask-len  |        EID-Prefix-AFI         |
/// |                       EID-Prefix ...                          |
/// |             AFI and address (the last slot)                   |
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Info {
    /// Random; the reply's is that of the request.
    pub nonce: u64,
    /// Authentication; algorithm 0 and no tag at lispers.net.
    pub auth: AuthData,
    /// Minutes.
    pub ttl_minutes: u32,
    /// Bits of the EID that count.
    pub mask_len: u8,
    /// EID; none at lispers.net.
    pub eid: Address,
    /// Last slot: request `Address::None` (lispers.net: the hostname), reply
    /// [`super::Lcaf::NatTraversal`].
    pub body: Address,
}
