//! The one type for whatever arrives on UDP port 4342.

use super::{Ecm, Info, MapNotify, MapReferral, MapRegister, MapReply, MapRequest};

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
