//! LISP-GPE (RFC 9305): a header that names what follows, by agreement with the other end.

use crate::replica::Replica;
use crate::verdict::DropReason;
use crate::wire::lisp::{self, Lisp};
use crate::wire::{bytes, ethernet, ipv4, ipv6, udp};
use std::net::IpAddr;

/// The header of a packet that came with P set, as one without: what P takes the place of is not there.
/// `payload`: what follows the header.
///
/// Who agreed upon it with nobody does not know the bit, and ignores it (RFC 9300 section 5.3).
///
/// # Errors
/// It was agreed upon, but not with this outer source; or what is named is not IP, or not what follows.
#[cold]
pub fn read(lisp: Lisp, source: IpAddr, payload: &[u8], tables: &Replica) -> Result<Lisp, DropReason> {
    let guard = tables.guard();
    if !guard.knows_gpe() {
        return Ok(lisp);
    }
    if !guard.is_gpe_peer(source) {
        return Err(DropReason::GpeNotAgreed);
    }
    let version = lisp.named_version().ok_or(DropReason::GpeNextProtocol)?;
    match payload.first() {
        Some(first) if first >> 4 != version => Err(DropReason::InnerVersion),
        _ => Ok(lisp.without_nonce()),
    }
}

/// Makes the header behind the outer ones one of LISP-GPE. `v6`: the outer family.
#[cold]
pub fn write(data: &mut [u8], v6: bool) {
    let outer = if v6 { ipv6::LEN } else { ipv4::MIN_LEN };
    let at = ethernet::LEN + outer + udp::LEN;
    let (Some(&flags), Some(first)) = (data.get(at), data.get(at + lisp::LEN)) else { return };
    let header = Lisp::gpe(flags, first >> 4 == 6);
    bytes::put(data, at, header);
}
