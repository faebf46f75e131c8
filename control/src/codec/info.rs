//! Info-Request and Info-Reply (draft-ermagan-lisp-nat-traversal-19, lispers.net flavour).

use super::read::Reader;
use super::write::Put;
use super::{Address, AuthData, DecodeError, EncodeError};

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

const TYPE: u32 = 0x7000_0000;
const R: u32 = 0x0800_0000;
const AFI_LCAF: [u8; 2] = 16387_u16.to_be_bytes();

impl Info {
    /// The message and whether it is a reply.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, bool), DecodeError> {
        let r = &mut Reader::new(bytes);
        let w0 = r.u32("Info header")?;
        let nonce = r.u64("nonce")?;
        let auth = AuthData::decode(r)?;
        let ttl_minutes = r.u32("TTL")?;
        let [_, mask_len] = r.array("EID mask-len")?;
        let eid = Address::decode_eid(r, mask_len)?;
        let body = decode_body(r)?;
        Ok((Self { nonce, auth, ttl_minutes, mask_len, eid, body }, w0 & R != 0))
    }

    pub(super) fn encode(&self, reply: bool, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.put_u32(TYPE | if reply { R } else { 0 });
        out.put_u64(self.nonce);
        self.auth.encode(out)?;
        out.put_u32(self.ttl_minutes);
        out.put(&[0, self.mask_len]);
        self.eid.encode_eid(self.mask_len, out)?;
        self.body.encode(out)
    }
}

/// The last slot; an LCAF there may be one of lispers.net with a wrong Length.
fn decode_body(r: &mut Reader<'_>) -> Result<Address, DecodeError> {
    match r.rest().strip_prefix(&AFI_LCAF) {
        Some(lcaf) => {
            let lcaf = super::Lcaf::decode_nat_to_end(&mut Reader::new(lcaf))?;
            Ok(Address::Lcaf(Box::new(lcaf)))
        }
        None => Address::decode(r),
    }
}
