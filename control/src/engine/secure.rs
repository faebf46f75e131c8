//! LISP-SEC at the ITR (RFC 9303 sections 6.4, 6.9): which records of a Map-Reply are authentic.

use super::counters::Counter;
use super::cx::Cx;
use super::event::EidPrefix;
use super::itr::Itr;
use super::resolve::Secured;
use crate::codec::{EidRecord, MapReply, verify_reply};

impl Itr {
    /// The records of a Map-Reply to a lookup that may be looked at; `None`: it is dropped, and its
    /// nonce stays valid, so that who forges it can not spend it.
    pub(super) fn authentic(
        &mut self,
        cx: &mut Cx<'_>,
        raw: &[u8],
        reply: &MapReply,
    ) -> Option<Vec<EidRecord>> {
        let required = cx.config.lisp_sec.required;
        let Some(secured) = self.resolver.secured(reply.nonce) else {
            // Sent without: an operator who requires it has given the secret for it, too.
            return (!required).then(|| reply.records.clone());
        };
        if reply.security.is_none() && !required {
            return Some(reply.records.clone());
        }
        let prefixes = self.vouched(cx, raw, reply, &secured)?;
        let (kept, claimed): (Vec<EidRecord>, Vec<EidRecord>) =
            reply.records.iter().cloned().partition(|record| is_vouched(&prefixes, record));
        for record in &claimed {
            let eid = record.eid_prefix().map(|eid| eid.prefix.to_string()).unwrap_or_default();
            cx.notice(Counter::LispSecOverclaims, format_args!("{eid} in Map-Reply {:016x}", reply.nonce));
        }
        // What is over-claimed was said by the ETR that was asked: nothing better will come.
        (!kept.is_empty()).then_some(kept)
    }

    /// The EID-prefixes that the Map-Server vouches for.
    fn vouched(
        &mut self,
        cx: &mut Cx<'_>,
        raw: &[u8],
        reply: &MapReply,
        secured: &Secured,
    ) -> Option<Vec<EidPrefix>> {
        let Some(ad) = &reply.security else {
            cx.notice(Counter::LispSecMissing, format_args!("Map-Reply {:016x}", reply.nonce));
            return None;
        };
        let signed = match verify_reply(raw, &secured.otk) {
            Ok(signed) => signed,
            Err(error) => {
                cx.notice(Counter::LispSecForged, format_args!("Map-Reply {:016x}: {error}", reply.nonce));
                return None;
            }
        };
        // RFC 9303 section 6.9: not another algorithm than was asked for, but the next try asks for that.
        if signed.hmac_id != secured.hmac_id || ad.pkt_hmac_id != secured.hmac_id {
            let detail = format_args!("Map-Reply {:016x}: HMAC {}", reply.nonce, signed.hmac_id);
            cx.notice(Counter::LispSecOtherHmac, detail);
            self.resolver.ask_for_another_hmac(reply.nonce);
            return None;
        }
        if signed.etr_cant_sign && reply.records.iter().all(|r| r.locators.is_empty()) {
            cx.count(Counter::LispSecCantSign);
            if !cx.config.lisp_sec.required {
                self.resolver.do_without_security(reply.nonce);
                return None;
            }
        }
        cx.count(Counter::LispSecVerified);
        Some(signed.prefixes)
    }
}

/// Stricter than the intersection that RFC 9303 section 6.9 speaks of: a record equals a prefix that
/// the Map-Server vouches for or lies inside one, or it is an over-claim.
fn is_vouched(prefixes: &[EidPrefix], record: &EidRecord) -> bool {
    let inside = |eid: EidPrefix| prefixes.iter().any(|p| p.iid == eid.iid && p.prefix.contains(&eid.prefix));
    record.eid_prefix().is_some_and(inside)
}
