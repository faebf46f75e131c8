//! What a worker tells control about hosts that move, and of what trusted routers say, at a limited rate
//!

use super::outcome::Facts;
use crate::admission::UnknownSources;
use crate::counters::WorkerStats;
use crate::echo::EchoSaid;
use crate::feed::SourceRules;
use crate::path::classify::Class;
use crate::path::ip::Ip;
use crate::path::route::{Context, Origin};
use crate::path::source::{self, Judgement};
use crate::path::trust;
use crate::punt::Punt;
use crate::replica::Replica;
use crate::ring::Producer;
use crate::types::VrfId;
use crate::verdict::{DropReason, Verdict, Wait};
use crate::wire::lisp::Lisp;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

/// Places for events told lately. Events that share a place push each other out: told again early,
/// never lost.
const PLACES: usize = 1024;

/// The events that control was told within the last second, or the tenth of it. Memory is fixed.
#[derive(Debug)]
pub(super) struct Recent {
    told: Box<[Option<(Punt, u64)>]>,
    /// Keyed, so that nobody outside can choose whom he pushes out.
    hasher: RandomState,
    second: u64,
}

impl Recent {
    pub(super) fn new(ticks_per_second: u64) -> Self {
        let told = vec![None; PLACES].into_boxed_slice();
        Self { told, hasher: RandomState::new(), second: ticks_per_second }
    }

    /// Whether to tell it now; if so it is taken for told.
    fn admit(&mut self, punt: &Punt, now: u64) -> bool {
        let place = self.hasher.hash_one(punt) as usize % PLACES;
        let Some(place) = self.told.get_mut(place) else { return false };
        let pause = if matches!(punt, Punt::Echo { .. }) { self.second / 10 } else { self.second };
        let lately = |(told, at): &(Punt, u64)| told == punt && now.saturating_sub(*at) < pause;
        let fresh = !place.as_ref().is_some_and(lately);
        if fresh {
            *place = Some((*punt, now));
        }
        fresh
    }
}

/// The way of events to control, for the stages of a burst.
#[derive(Debug)]
pub(super) struct News<'a> {
    pub(super) punts: &'a mut Producer<Punt>,
    pub(super) recent: &'a mut Recent,
    pub(super) stats: &'a WorkerStats,
    pub(super) now: u64,
}

impl News<'_> {
    /// Holds the source of a frame to the rules of its port. Returns why it is dropped, if it is.
    pub(super) fn source(
        &mut self,
        frame: &[u8],
        (class, ip): (Class, &Ip),
        cx: Context,
        rules: &SourceRules,
        tables: &Replica,
    ) -> Option<DropReason> {
        let Context { vrf, port, .. } = cx;
        let speaker = source::speaker(frame, class, ip)?;
        let tell = |claim| Punt::DynamicEid {
            vrf,
            eid: speaker.addr,
            port,
            mac: speaker.mac,
            seen: speaker.seen,
            claim,
        };
        match source::judge(&speaker, (port, vrf), rules, tables) {
            Judgement::Fine => None,
            Judgement::Foreign => Some(DropReason::SourceForeign),
            Judgement::Appeared => {
                self.tell(tell(false));
                None
            }
            Judgement::Claimed => {
                self.tell(tell(true));
                rules.refuse_claims.then_some(DropReason::EidClaimed)
            }
        }
    }

    /// The mapping of the inner source is wanted, on behalf of who sent it.
    #[cold]
    pub(super) fn unknown(&mut self, vrf: VrfId, inner: &Ip, rloc: IpAddr) {
        self.tell(Punt::Miss { vrf, eid: inner.addrs.source(), source: rloc });
    }

    /// What becomes of a LISP packet whose inner source has no mapping yet.
    #[cold]
    pub(super) fn unknown_source(
        &mut self,
        facts: &mut Facts,
        (vrf, rloc): (VrfId, IpAddr),
        tables: &Replica,
    ) -> Verdict {
        if tables.guard().unknown() == UnknownSources::Drop {
            self.unknown(vrf, &facts.ip, rloc);
            return Verdict::Drop(DropReason::InnerSourceUnknown, None);
        }
        (facts.cx.vrf, facts.cx.origin) = (vrf, Origin::Encapsulated);
        Verdict::Hold(Wait::Source)
    }

    /// Tells of an encapsulated packet for a host that is away.
    pub(super) fn away(&mut self, vrf: VrfId, inner: &Ip, rloc: IpAddr, tables: &Replica) {
        let eid = inner.addrs.destination();
        if tables.local_eid(vrf, eid).is_some_and(|what| what.is_away()) {
            self.tell(Punt::AwayHit { vrf, eid, rloc });
        }
    }

    /// Takes what the LISP header said that a packet came out of, if its sender is trusted. Returns why the
    /// packet is dropped, if it is.
    #[cold]
    pub(super) fn hear(
        &mut self,
        (lisp, vrf): (Lisp, VrfId),
        inner: &Ip,
        rloc: IpAddr,
        tables: &Replica,
    ) -> Option<DropReason> {
        if let Some(said) = trust::echo(lisp, rloc, tables) {
            self.echo(rloc, said);
        }
        let tell = |eid, said| self.hint(Punt::Header { vrf, eid, rloc, said });
        trust::hear(lisp, (vrf, inner), rloc, tables, tell).err()
    }

    /// Tells of an echo, and no more often if somebody makes up nonces.
    fn echo(&mut self, rloc: IpAddr, said: EchoSaid) {
        if self.has_room() && self.recent.admit(&Punt::Echo { rloc, said: said.kind() }, self.now) {
            self.push(Punt::Echo { rloc, said });
        }
    }

    /// Tells what can be told again at any time.
    fn hint(&mut self, punt: Punt) {
        if self.has_room() {
            self.tell(punt);
        }
    }

    /// A quarter of the ring must do for what can be told again. Counts it when it does not.
    fn has_room(&self) -> bool {
        let room = self.punts.len() < self.punts.capacity() / 4;
        self.stats.punts_lost.add(u64::from(!room));
        room
    }

    pub(super) fn tell(&mut self, punt: Punt) {
        if self.recent.admit(&punt, self.now) {
            self.push(punt);
        }
    }

    fn push(&mut self, punt: Punt) {
        let counter = if self.punts.push(punt).is_ok() { &self.stats.punts } else { &self.stats.punts_lost };
        counter.add(1);
    }
}
