//! Outer fragments: kept until they are a packet again, which then goes its way.

use super::core::Core;
use super::news::News;
use super::outcome::{Facts, carry_out, count_decapsulated};
use crate::buffer::PacketBuf;
use crate::io::Io;
use crate::path::petr::{self, Refusal};
use crate::path::police::police;
use crate::path::route::{self, Context, Origin};
use crate::reassembly::{Fragment, Taken};
use crate::types::{PortId, VrfId};
use crate::verdict::{DropReason, Notice, Verdict};
use crate::watch::Story;
use crate::wire::ethernet;

impl<I: Io> Core<I> {
    /// Takes a UDP fragment for one of our RLOCs.
    #[cold]
    pub(super) fn reassemble(&mut self, buf: I::Buf, facts: &Facts) {
        let cx = facts.cx;
        let Some(fragment) = Fragment::read(buf.data(), &facts.ip) else {
            return self.drop_one(cx.vrf, DropReason::OuterFragment);
        };
        let mut out = std::mem::take(&mut self.loose);
        while self.reassembly.make_room(&fragment, &mut out).is_some() {
            self.drop_kept(cx.vrf, &mut out, DropReason::ReassemblyFull);
        }
        match self.reassembly.add(fragment, buf, cx, self.now, &mut out) {
            Taken::Kept => self.waiting(Origin::Native, true),
            Taken::Whole(buf, others) => {
                (0..others).for_each(|_| self.waiting(Origin::Native, false));
                self.stats().reassembled.add(others);
                self.whole(buf, cx, None);
            }
            Taken::Kernel(buf) => {
                for kept in out.drain(..) {
                    self.waiting(Origin::Native, false);
                    self.give_to_kernel(cx.port, kept);
                }
                self.give_to_kernel(cx.port, buf);
            }
            Taken::Refused(buf, reason) => {
                drop(buf);
                self.drop_one(cx.vrf, reason);
                self.drop_kept(cx.vrf, &mut out, reason);
            }
        }
        self.loose = out;
    }

    /// Counts fragments that waited and are not wanted any more, with the VRF of what pushed them out.
    fn drop_kept(&self, vrf: VrfId, out: &mut Vec<I::Buf>, reason: DropReason) {
        for kept in out.drain(..) {
            drop(kept);
            self.waiting(Origin::Native, false);
            self.count_drop(vrf, reason);
        }
    }

    /// A packet to the kernel's face of a port.
    pub(super) fn give_to_kernel(&mut self, port: PortId, buf: I::Buf) {
        match self.hand_to_host(port, buf) {
            Ok(()) => self.stats().host.add(1),
            Err(reason) => self.drop_one(self.vrf_of(port), reason),
        }
    }

    /// A LISP packet that came in fragments, or waited `since` then for its inner source to be known, goes the
    /// way of one that did not.
    pub(super) fn whole(&mut self, mut buf: I::Buf, cx: Context, since: Option<u64>) -> Story {
        let cx = Context { origin: Origin::Native, ..cx };
        let mut facts = Facts { since, ..Facts::blank(cx) };
        let available = buf.total_len().saturating_sub(ethernet::LEN);
        let read = facts.ip.read(buf.data(), ethernet::LEN, available, &self.key);
        let outer = facts.ip.addrs.source();
        let stripped = match (read, self.replica.port(cx.port)) {
            (Err(_), _) => Err(DropReason::OuterFragment.into()),
            (_, None) => Err(DropReason::PortNotConfigured.into()),
            (Ok(()), Some(port)) => {
                let how = petr::How { verify_checksum: self.verify_udp_checksum, again: since.is_some() };
                petr::decapsulate(&mut buf, &mut facts.ip, &self.replica, &self.key, (port, how))
            }
        };
        let clock = self.clock();
        let stats = &self.links.stats;
        let mut news = News { punts: &mut self.links.punts, recent: &mut self.recent, stats, now: self.now };
        let verdict = match stripped {
            Ok(inner) => {
                stats.decapsulated.add(1);
                stats.ecn_strange.add(u64::from(inner.ecn_strange));
                facts.cx = Context { vrf: inner.vrf, origin: Origin::Decapsulated, ..cx };
                count_decapsulated(&self.replica, &facts);
                if self.replica.any_away() {
                    news.away(inner.vrf, &facts.ip, outer, &self.replica);
                }
                if let Some(outer) = inner.ask {
                    news.unknown(inner.vrf, &facts.ip, outer);
                }
                let header = (inner.lisp, inner.vrf);
                let trusting = self.replica.is_trusting();
                let heard = || news.hear(header, &facts.ip, outer, &self.replica);
                if let Some(reason) = trusting.then(heard).flatten() {
                    Verdict::Drop(reason, None)
                } else {
                    facts.step = route::decide(&facts.ip, facts.cx, &mut facts.mapping, &self.replica);
                    police(&mut facts.step, &facts.ip, facts.cx, &self.replica, clock);
                    carry_out(&mut buf, &facts, &self.vrf(facts.cx), &self.replica)
                }
            }
            Err(Refusal::Drop(reason)) => Verdict::Drop(reason, None),
            Err(Refusal::Control) => Verdict::Host,
            Err(Refusal::Unknown(vrf, rloc)) => news.unknown_source(&mut facts, (vrf, rloc), &self.replica),
        };
        self.count_sent(&buf, &facts, verdict);
        self.finish(buf, &facts, verdict);
        facts.story(verdict, true)
    }

    /// Drops datagrams that did not become whole in time, and tells the source of one whose first
    /// fragment came (RFC 792, RFC 8200 section 4.5).
    pub(super) fn expire_fragments(&mut self) {
        if self.reassembly.is_empty() {
            return;
        }
        let mut out = std::mem::take(&mut self.loose);
        while let Some(expired) = self.reassembly.expire(self.now, &mut out) {
            for (at, kept) in out.drain(..).enumerate() {
                self.waiting(Origin::Native, false);
                let mut facts = Facts::blank(expired.cx);
                let available = kept.total_len().saturating_sub(ethernet::LEN);
                let read = facts.ip.read(kept.data(), ethernet::LEN, available, &self.key);
                if at == 0 && expired.has_first && read.is_ok() {
                    self.refuse(kept, &facts, DropReason::ReassemblyTimeout, Notice::ReassemblyTime);
                } else {
                    self.count_drop(expired.cx.vrf, DropReason::ReassemblyTimeout);
                }
            }
        }
        self.loose = out;
    }
}
