//! ICMP errors from the core about our encapsulated packets: believed or not, told to control, and
//! passed on to who sent the inner packet.

use super::core::Core;
use super::news::News;
use super::outcome::Facts;
use crate::buffer::PacketBuf;
use crate::hold::Held;
use crate::io::Io;
use crate::path::core_error::{self, Complaint, CoreError, Quoted, Verdict};
use crate::path::icmp;
use crate::path::limit::IcmpLimits;
use crate::path::route::{Context, Origin};
use crate::punt::Punt;
use crate::verdict::{DropReason, Notice};
use crate::wire::ethernet;
use std::net::IpAddr;

/// Errors from the core that a worker looks at: each costs a lookup, and may become a packet.
pub(super) const LIMITS: IcmpLimits = IcmpLimits {
    interface_per_second: 1000,
    interface_burst: 200,
    source_per_second: 100,
    source_burst: 100,
};

impl<I: Io> Core<I> {
    /// Takes an ICMP error to one of our RLOCs.
    #[cold]
    pub(super) fn core_error(&mut self, buf: I::Buf, facts: &Facts) {
        let port = facts.cx.port;
        // A chain can not be checked, and no error is that long.
        let verdict = match buf.segments() {
            1 => core_error::read(buf.data(), &facts.ip, &self.replica, &self.key),
            _ => Verdict::Foreign,
        };
        let error = match verdict {
            Verdict::Foreign => return self.give_to_kernel(port, buf),
            Verdict::Forged => return self.drop_one(facts.cx.vrf, DropReason::CoreErrorForged),
            Verdict::Ours(error) => error,
        };
        if !self.core_limiter.allow(port, &facts.ip.addrs, self.now) {
            return self.drop_one(facts.cx.vrf, DropReason::CoreErrorLimited);
        }
        self.stats().core_errors.add(1);
        let spec = self.replica.port(port);
        let learn = spec.is_some_and(|spec| spec.policy.learn_path_mtu);
        let relay = spec.is_some_and(|spec| spec.policy.relay_time_exceeded);
        match error.complaint {
            Complaint::TooBig(mtu) if learn => {
                self.tell(Punt::PathMtu { rloc: error.rloc, mtu });
                let overhead = if error.rloc.is_ipv6() { 56 } else { 36 };
                self.relay(buf, &error, port, Notice::TooBig(mtu.saturating_sub(overhead)), None);
            }
            Complaint::Unreachable => self.tell(Punt::RlocUnreachable { rloc: error.rloc }),
            // The core router shows itself to whoever traces the route: only in its own family.
            Complaint::TimeExceeded if relay => {
                let router = facts.ip.addrs.source();
                self.relay(buf, &error, port, Notice::TimeExceeded, Some(router));
            }
            Complaint::TooBig(_) | Complaint::TimeExceeded | Complaint::Other => {}
        }
    }

    fn tell(&mut self, punt: Punt) {
        let stats = &self.links.stats;
        News { punts: &mut self.links.punts, recent: &mut self.recent, stats, now: self.now }.tell(punt);
    }

    /// Makes an error about the quoted inner packet for its source, `from` the core router or from
    /// us.
    fn relay(
        &mut self,
        mut buf: I::Buf,
        error: &CoreError,
        port: crate::types::PortId,
        notice: Notice,
        from: Option<IpAddr>,
    ) {
        let Some(Quoted { at, vrf, ip }) = error.inner else { return };
        let cx = Context { vrf, port, origin: Origin::Own };
        let split = matches!(notice, Notice::TooBig(_)) && !ip.dont_fragment;
        let source = from.filter(|from| from.is_ipv6() == ip.is_v6()).or_else(|| match from {
            Some(_) => None,
            None => self.icmp_source(cx, ip.is_v6()),
        });
        // A packet that may be fragmented is split from now on: its source need not know.
        let (Some(source), false) = (source, split) else { return };
        if !buf.trim_front(at - ethernet::LEN)
            || !buf.truncate(ethernet::LEN + ip.len as usize)
            || !icmp::may_notify(buf.data(), &ip)
        {
            return self.stats().icmp_unsendable.add(1);
        }
        if !self.limiter.allow(port, &ip.addrs, self.now) {
            return self.stats().icmp_limited.add(1);
        }
        if !icmp::build(&mut buf, &ip, notice, source) {
            return self.stats().icmp_unsendable.add(1);
        }
        self.stats().icmp_relayed.add(1);
        self.again(Held { buf, cx, since: self.now });
    }
}
