//! The hooks by which the roles of the mapping system take part in the engine.
//!
//! ETR, Map-Server and Map-Resolver are structs in `crate::roles` that implement [`Role`]; the
//! engine asks them in the order of [`super::RoleSet::each`] until one answers [`Handled::Yes`].

use super::cx::{Cx, Handled, Meta};
use super::event::Time;
use super::nat::NatChange;
use crate::codec::{Ecm, Info, MapNotify, MapReferral, MapRegister, MapRequest};

/// A role of the mapping system. Every hook may be left out.
pub trait Role {
    /// Once, at the first step; and again after each reload, with the new configuration in `cx`.
    fn configure(&mut self, cx: &mut Cx<'_>) {
        let _ = cx;
    }

    /// A plain Map-Request that is no SMR: an RLOC-probe (P=1) or a request sent straight to us.
    fn on_map_request(&mut self, cx: &mut Cx<'_>, meta: &Meta, request: &MapRequest) -> Handled {
        let _ = (cx, meta, request);
        Handled::No
    }

    /// A Map-Request that came in an ECM; `meta.inner` is present, and `request` is what
    /// `ecm.payload` decodes to. Neither probe nor SMR.
    fn on_encapsulated_map_request(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: &Ecm,
        request: &MapRequest,
    ) -> Handled {
        let _ = (cx, meta, ecm, request);
        Handled::No
    }

    /// A Map-Register; `raw` is the whole UDP payload, over which the MAC goes.
    fn on_map_register(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        raw: &[u8],
        register: &MapRegister,
    ) -> Handled {
        let _ = (cx, meta, raw, register);
        Handled::No
    }

    /// A Map-Notify; `raw` as above.
    fn on_map_notify(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], notify: &MapNotify) -> Handled {
        let _ = (cx, meta, raw, notify);
        Handled::No
    }

    /// A Map-Notify-Ack; `raw` as above.
    fn on_map_notify_ack(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], ack: &MapNotify) -> Handled {
        let _ = (cx, meta, raw, ack);
        Handled::No
    }

    /// A Map-Referral (RFC 8111).
    fn on_map_referral(&mut self, cx: &mut Cx<'_>, meta: &Meta, referral: &MapReferral) -> Handled {
        let _ = (cx, meta, referral);
        Handled::No
    }

    /// A Map-Register that came in an ECM, of a router behind a NAT; `meta.inner` is present.
    fn on_encapsulated_map_register(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: &Ecm,
        register: &MapRegister,
    ) -> Handled {
        let _ = (cx, meta, ecm, register);
        Handled::No
    }

    /// A Map-Notify that came in an ECM, for an RTR; `meta.inner` is present.
    fn on_encapsulated_map_notify(
        &mut self,
        cx: &mut Cx<'_>,
        meta: &Meta,
        ecm: &Ecm,
        notify: &MapNotify,
    ) -> Handled {
        let _ = (cx, meta, ecm, notify);
        Handled::No
    }

    /// An Info-Request; `raw` is the whole UDP payload, over which the MAC goes.
    fn on_info_request(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], info: &Info) -> Handled {
        let _ = (cx, meta, raw, info);
        Handled::No
    }

    /// An Info-Reply; `raw` as above.
    fn on_info_reply(&mut self, cx: &mut Cx<'_>, meta: &Meta, raw: &[u8], info: &Info) -> Handled {
        let _ = (cx, meta, raw, info);
        Handled::No
    }

    /// What this role learnt of NATs since it was asked last.
    fn nat_changes(&mut self) -> Vec<NatChange> {
        Vec::new()
    }

    /// The deadline of this role has come.
    fn on_tick(&mut self, cx: &mut Cx<'_>) {
        let _ = cx;
    }

    /// When `on_tick` is wanted next.
    fn next_deadline(&self) -> Option<Time> {
        None
    }
}
