//! Whether a tenant, or a site of its, may send as much as it does.

use super::ip::Ip;
use super::route::{Context, Origin, Step};
use crate::policer::Packet;
use crate::replica::Replica;
use crate::verdict::DropReason;

/// Holds a packet to the policers of its VRF, when it is first decided about: what is for us, what is refused
/// anyway and what we make ourselves is not. `clock`: ticks now, and in a second.
#[inline]
pub fn police(step: &mut Step, ip: &Ip, cx: Context, tables: &Replica, clock: (u64, u64)) {
    let out_of_lisp = match cx.origin {
        Origin::Native => false,
        Origin::Decapsulated => true,
        Origin::Own | Origin::Encapsulated => return,
    };
    if matches!(step, Step::Host | Step::Refuse(..)) {
        return;
    }
    let Some(policers) = tables.policers(cx.vrf) else { return };
    let site = if out_of_lisp { ip.addrs.source() } else { ip.addrs.destination() };
    let packet = Packet { bytes: u64::from(ip.len), site, out_of_lisp };
    if !policers.allow(&packet, clock, tables.traffic()) {
        *step = Step::Refuse(DropReason::Policed, None);
    }
}
