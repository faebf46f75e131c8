//! The one type for whatever arrives on UDP port 4342.

use super::{DecodeError, Ecm, EncodeError, Info, MapNotify, MapReferral, MapRegister, MapReply, MapRequest};

/// A LISP control message; the number is the high nibble of the first byte (RFC 9301 section 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// 1: Map-Request, RLOC-probe, SMR.
    MapRequest(MapRequest),
    /// 2: Map-Reply.
    MapReply(MapReply),
    /// 3: Map-Register.
    MapRegister(MapRegister),
    /// 4: Map-Notify.
    MapNotify(MapNotify),
    /// 5: Map-Notify-Ack.
    MapNotifyAck(MapNotify),
    /// 6: Map-Referral (RFC 8111).
    MapReferral(MapReferral),
    /// 7 with R=0: Info-Request (NAT drafts).
    InfoRequest(Info),
    /// 7 with R=1: Info-Reply.
    InfoReply(Info),
    /// 8: Encapsulated Control Message.
    Ecm(Ecm),
}

impl Message {
    /// Decodes the payload of a UDP datagram wholly, or not at all.
    ///
    /// # Errors
    /// Says what is malformed or unknown; nothing of the message may be applied then.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let first = *bytes.first().ok_or(DecodeError::Truncated("message type"))?;
        match first >> 4 {
            1 => MapRequest::decode(bytes).map(Self::MapRequest),
            2 => MapReply::decode(bytes).map(Self::MapReply),
            3 => MapRegister::decode(bytes).map(Self::MapRegister),
            4 => MapNotify::decode(bytes).map(Self::MapNotify),
            5 => MapNotify::decode(bytes).map(Self::MapNotifyAck),
            6 => MapReferral::decode(bytes).map(Self::MapReferral),
            7 => Info::decode(bytes)
                .map(|(info, reply)| if reply { Self::InfoReply(info) } else { Self::InfoRequest(info) }),
            8 => Ecm::decode(bytes).map(Self::Ecm),
            // RFC 9304: the next 12 bits are the sub-type.
            15 => {
                let second = *bytes.get(1).ok_or(DecodeError::Truncated("sub-type"))?;
                Err(DecodeError::UnknownSubType(u16::from_be_bytes([first & 0x0F, second])))
            }
            other => Err(DecodeError::UnknownType(other)),
        }
    }

    /// Appends the message to `out`. On error `out` is as it was.
    ///
    /// # Errors
    /// A field holds what does not fit its place on the wire.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let result = match self {
            Self::MapRequest(m) => m.encode(out),
            Self::MapReply(m) => m.encode(out),
            Self::MapRegister(m) => m.encode(out),
            Self::MapNotify(m) => m.encode(false, out),
            Self::MapNotifyAck(m) => m.encode(true, out),
            Self::MapReferral(m) => m.encode(out),
            Self::InfoRequest(m) => m.encode(false, out),
            Self::InfoReply(m) => m.encode(true, out),
            Self::Ecm(m) => m.encode(out),
        };
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// [`Message::encode`] into a vector of its own.
    ///
    /// # Errors
    /// As [`Message::encode`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::with_capacity(128);
        self.encode(&mut out)?;
        Ok(out)
    }

    /// Name of the message type in RFC 9301's words, in the form counters use.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MapRequest(_) => "map_request",
            Self::MapReply(_) => "map_reply",
            Self::MapRegister(_) => "map_register",
            Self::MapNotify(_) => "map_notify",
            Self::MapNotifyAck(_) => "map_notify_ack",
            Self::MapReferral(_) => "map_referral",
            Self::InfoRequest(_) => "info_request",
            Self::InfoReply(_) => "info_reply",
            Self::Ecm(_) => "ecm",
        }
    }
}
