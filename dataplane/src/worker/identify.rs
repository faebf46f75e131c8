//! Outer packets that must be fragmented because the inner source may not be told to send less, or that
//! routers may fragment.

use super::core::Core;
use super::egress::From;
use super::outcome::Facts;
use crate::buffer::PacketBuf;
use crate::io::{Io, PacketBurst};
use crate::path::ip::Ip;
use crate::path::mtu;
use crate::types::PortId;
use crate::verdict::DropReason;
use crate::wire::ethernet;

impl<I: Io> Core<I> {
    /// Sends an encapsulated packet with an identification in its outer header, in pieces if it is larger
    /// than `mtu`. `additional`: its fate is another packet's.
    #[cold]
    pub(super) fn identify(
        &mut self,
        mut buf: I::Buf,
        facts: &Facts,
        (port, mtu): (PortId, u16),
        additional: bool,
    ) {
        let mut outer = Ip::blank();
        let available = buf.total_len().saturating_sub(ethernet::LEN);
        if outer.read(buf.data(), ethernet::LEN, available, &self.key).is_err() {
            return self.lost(facts, DropReason::NotFragmentable, additional);
        }
        let fits = outer.len <= u32::from(mtu);
        let id = if outer.is_v6() { None } else { self.outer_ids.v4(&outer.addrs, self.now) };
        match id {
            Some(id) => mtu::let_fragment(buf.data_mut(), id),
            None if outer.is_v6() => {}
            None if fits => self.stats().dont_fragment_kept.add(1),
            None => return self.lost(facts, DropReason::OuterIdsExhausted, additional),
        }
        if fits {
            return self.send_outer(port, buf, facts, additional);
        }
        let Some(mut pieces) = self.pieces.take() else {
            return self.lost(facts, DropReason::NotFragmentable, additional);
        };
        let io = &mut self.io;
        let split = if outer.is_v6() {
            let id = self.outer_ids.v6(&outer.addrs);
            id.is_some_and(|id| mtu::split_v6(&mut buf, (mtu, id), || io.alloc(), &mut pieces))
        } else {
            mtu::split(&mut buf, &outer, mtu, || io.alloc(), &mut pieces)
        };
        if split {
            let link = buf.data().first_chunk::<{ ethernet::LEN }>().copied();
            self.send_outer(port, buf, facts, additional);
            for mut piece in pieces.drain() {
                if let (Some(link), Some(front)) = (link, piece.data_mut().first_chunk_mut()) {
                    *front = link;
                }
                self.send_outer(port, piece, facts, true);
            }
        } else {
            self.lost(facts, DropReason::NotFragmentable, additional);
        }
        self.pieces = Some(pieces);
    }

    fn send_outer(&mut self, port: PortId, buf: I::Buf, facts: &Facts, additional: bool) {
        if additional {
            self.stats().fragments.add(1);
            self.put_out(port, buf, From::Worker);
        } else {
            self.send(port, buf, facts);
        }
    }

    fn lost(&mut self, facts: &Facts, reason: DropReason, additional: bool) {
        if additional {
            self.stats().originated_lost.add(1);
        } else {
            self.dropped(facts, reason);
        }
    }
}
