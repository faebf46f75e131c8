//! A control message for a router behind a NAT, in a LISP data packet
//! (draft-ermagan-lisp-nat-traversal-19 section 5.4: Data-Map-Notify).
//!
//! ```text
//! |N|L|E|V|I=1|R|KK|      Nonce (3 bytes), 0                      |
//! |       Instance-ID 0xFFFFFF                    |      0        |
//! |       IPv4 or IPv6 header, UDP header, control message        |
//! ```

use super::read::Reader;
use super::write::Put;
use super::{DecodeError, EncodeError, InnerHeader};

const I: u8 = 0x08;
/// Reserved for this: no VRF has it.
const INSTANCE: u32 = 0xFF_FFFF;

/// The UDP payload of a data packet that carries a control message.
///
/// # Errors
/// The inner addresses are of two families, or the message is too long.
pub fn encode_in_data(inner: &InnerHeader, message: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(64 + message.len());
    out.put_u32(u32::from(I) << 24);
    out.put_u32(INSTANCE << 8);
    inner.encode(message, &mut out)?;
    Ok(out)
}

/// The inner headers and the control message of such a packet.
///
/// # Errors
/// It is data, or malformed.
pub fn decode_in_data(bytes: &[u8]) -> Result<(InnerHeader, &[u8]), DecodeError> {
    let r = &mut Reader::new(bytes);
    let [flags, _, _, _] = r.array("LISP data header")?;
    let instance = r.u32("LISP data header")? >> 8;
    if flags & I == 0 || instance != INSTANCE {
        return Err(DecodeError::InnerHeader("an Instance-ID of data"));
    }
    InnerHeader::decode(r.rest())
}
