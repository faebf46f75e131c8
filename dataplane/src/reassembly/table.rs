//! Who waits for whom, within bounds.

use super::fragment::{Fragment, Key};
use super::limits::ReassemblyLimits;
use super::merge::merge;
use crate::buffer::PacketBuf;
use crate::clock;
use crate::path::ecn;
use crate::path::flow::FlowKey;
use crate::path::route::Context;
use crate::types::PortId;
use crate::verdict::DropReason;
use std::net::IpAddr;

/// Most fragments of a datagram: 64 KiB over the smallest IPv6 link need 54.
const MAX_PARTS: usize = 56;

/// One fragment that waits.
#[derive(Debug)]
pub(super) struct Part<B> {
    pub(super) buf: B,
    pub(super) offset: u32,
    pub(super) len: u32,
    pub(super) at: usize,
}

/// What a datagram has turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// LISP data, or not known before the first fragment is here.
    Collecting,
    /// Other UDP: the kernel puts it together.
    Kernel,
    /// Two of its fragments contradict each other: nothing of it is taken any more (RFC 8200
    /// section 4.5).
    Spoilt,
}

#[derive(Debug)]
struct Datagram<B> {
    key: Key,
    kind: Kind,
    parts: Vec<Part<B>>,
    /// Payload bytes seen.
    bytes: u32,
    /// Payload bytes of the whole, known from the last fragment.
    total: Option<u32>,
    /// A bit for every ECN codepoint seen.
    ecn: u8,
    cx: Context,
}

/// What became of a fragment.
#[derive(Debug)]
pub enum Taken<B> {
    /// It waits for the others.
    Kept,
    /// It was the last one missing: the packet, and how many other fragments are in it.
    Whole(B, u64),
    /// It is not LISP data: it and what was given out go to the kernel as they came.
    Kernel(B),
    /// It and what was given out are dropped.
    Refused(B, DropReason),
}

/// A datagram that did not become whole in time.
#[derive(Debug)]
pub struct Expired {
    /// Where it came in.
    pub cx: Context,
    /// Its first fragment is among those given out, as the first: its source may be told.
    pub has_first: bool,
}

/// The table. What is looked at for every fragment lies in arrays of its own, one element for each
/// datagram, so that even a full table is searched in a few cache lines.
#[derive(Debug)]
pub struct Reassembly<B> {
    /// Hash of the datagram's key, 0: the place is free.
    hashes: Box<[u32]>,
    /// Hash of its source.
    sources: Box<[u32]>,
    /// Tick of its first fragment to arrive.
    since: Box<[u64]>,
    /// Fragments of it that wait, and their bytes.
    waiting: Box<[(u16, u32)]>,
    datagrams: Box<[Datagram<B>]>,
    /// Datagrams, fragments, bytes that wait.
    used: (usize, usize, usize),
    limits: ReassemblyLimits,
    timeout: u64,
    key: FlowKey,
}

impl<B: PacketBuf> Reassembly<B> {
    /// An empty table; takes all the memory it will ever need. `key`: so that nobody outside can
    /// choose which datagrams are taken for one.
    pub fn new(limits: ReassemblyLimits, hz: u64, key: FlowKey) -> Self {
        let count = usize::from(limits.datagrams.min(ReassemblyLimits::MAX_DATAGRAMS));
        let cx =
            Context { vrf: Default::default(), port: PortId(0), origin: crate::path::route::Origin::Native };
        let nobody = Key { source: IpAddr::from([0; 4]), destination: IpAddr::from([0; 4]), id: 0 };
        let blank = || Datagram {
            key: nobody,
            kind: Kind::Collecting,
            parts: Vec::with_capacity(MAX_PARTS),
            bytes: 0,
            total: None,
            ecn: 0,
            cx,
        };
        Self {
            hashes: vec![0; count].into_boxed_slice(),
            sources: vec![0; count].into_boxed_slice(),
            since: vec![u64::MAX; count].into_boxed_slice(),
            waiting: vec![(0, 0); count].into_boxed_slice(),
            datagrams: std::iter::repeat_with(blank).take(count).collect(),
            used: (0, 0, 0),
            limits,
            timeout: clock::ticks(hz, limits.timeout_ms),
            key,
        }
    }

    /// Room for what [`Self::add`] and [`Self::expire`] give out in one call.
    pub const GIVEN_OUT: usize = MAX_PARTS;

    /// Nothing waits.
    pub const fn is_empty(&self) -> bool {
        self.used.0 == 0
    }

    /// Removes the datagram that has to go so that `fragment` can be taken, if one has to, and gives
    /// its fragments out: to be called until it gives none. `None`: there is room.
    pub fn make_room(&mut self, fragment: &Fragment, out: &mut Vec<B>) -> Option<()> {
        let source = self.hash_source(&fragment.key);
        let known = self.find(&fragment.key);
        let kind = known.and_then(|at| self.datagrams.get(at)).map(|datagram| datagram.kind);
        if kind.is_some_and(|kind| kind != Kind::Collecting) {
            return None;
        }
        let share = usize::from(self.limits.source_share.max(1));
        let (own, own_parts) = self.of_source(source);
        let new = usize::from(known.is_none());
        let fragments = usize::from(self.limits.fragments);
        let over_share =
            own + new > (self.datagrams.len() / share).max(1) || own_parts + 1 > (fragments / share).max(1);
        let full = self.used.0 + new > self.datagrams.len()
            || self.used.1 + 1 > fragments
            || self.used.2 + fragment.len as usize > self.limits.bytes as usize;
        let victim = match (over_share, full) {
            (true, _) => self.oldest(known, |at| self.sources.get(at) == Some(&source)),
            (false, true) => self.oldest(known, |_| true),
            (false, false) => None,
        }?;
        self.give_out(victim, out);
        self.vacate(victim);
        Some(())
    }

    /// Takes a fragment. What else leaves the table with it is given out.
    pub fn add(&mut self, fragment: Fragment, buf: B, cx: Context, now: u64, out: &mut Vec<B>) -> Taken<B> {
        let at = match self.find(&fragment.key) {
            Some(at) => at,
            None => match self.occupy(&fragment, cx, now) {
                Some(at) => at,
                None => return Taken::Refused(buf, DropReason::ReassemblyFull),
            },
        };
        let Some(datagram) = self.datagrams.get_mut(at) else {
            return Taken::Refused(buf, DropReason::ReassemblyFull);
        };
        if fragment.lisp == Some(false) && datagram.kind == Kind::Collecting {
            datagram.kind = Kind::Kernel;
            self.give_out(at, out);
        }
        match self.datagrams.get(at).map(|datagram| datagram.kind) {
            Some(Kind::Collecting) => self.collect(at, &fragment, buf, out),
            Some(Kind::Kernel) => {
                self.pass(at, &fragment);
                Taken::Kernel(buf)
            }
            Some(Kind::Spoilt) | None => Taken::Refused(buf, DropReason::FragmentOverlap),
        }
    }

    /// Puts a fragment in its place among the others.
    fn collect(&mut self, at: usize, fragment: &Fragment, buf: B, out: &mut Vec<B>) -> Taken<B> {
        let over = self.used.1 >= usize::from(self.limits.fragments);
        let Some(datagram) = self.datagrams.get_mut(at) else {
            return Taken::Refused(buf, DropReason::ReassemblyFull);
        };
        let place = datagram.parts.partition_point(|part| part.offset < fragment.offset);
        if let Some(same) = datagram.parts.get(place)
            && (same.offset, same.len) == (fragment.offset, fragment.len)
            && payload(&same.buf, same.at, same.len) == payload(&buf, fragment.at, fragment.len)
        {
            return Taken::Refused(buf, DropReason::FragmentDuplicate);
        }
        if !datagram.has_room_for(place, fragment) {
            datagram.kind = Kind::Spoilt;
            self.give_out(at, out);
            return Taken::Refused(buf, DropReason::FragmentOverlap);
        }
        if over || datagram.parts.len() >= MAX_PARTS {
            return Taken::Refused(buf, DropReason::ReassemblyFull);
        }
        let part = Part { buf, offset: fragment.offset, len: fragment.len, at: fragment.at };
        datagram.parts.insert(place, part);
        datagram.bytes += fragment.len;
        datagram.ecn |= 1 << fragment.ecn;
        if !fragment.more {
            datagram.total = Some(fragment.end());
        }
        if datagram.total == Some(datagram.bytes) {
            return self.complete(at, out);
        }
        self.used.1 += 1;
        self.used.2 += fragment.len as usize;
        if let Some((waiting, bytes)) = self.waiting.get_mut(at) {
            *waiting += 1;
            *bytes += fragment.len;
        }
        Taken::Kept
    }

    /// All parts are there. The last to come was not counted as waiting.
    fn complete(&mut self, at: usize, out: &mut Vec<B>) -> Taken<B> {
        let others = u64::from(self.waiting.get(at).copied().unwrap_or_default().0);
        let Some(datagram) = self.datagrams.get_mut(at) else { return Taken::Kept };
        // RFC 3168 section 5.3: congestion that was marked on a part that could not have been marked.
        let invalid = datagram.ecn & 1 << ecn::CE != 0 && datagram.ecn & 1 << ecn::NOT_ECT != 0;
        let reason = if invalid { DropReason::EcnInvalid } else { DropReason::OuterFragment };
        let whole = if invalid { None } else { merge(&mut datagram.parts, datagram.ecn) };
        let taken = match whole {
            Some(whole) => Taken::Whole(whole, others),
            None => {
                out.extend(datagram.parts.drain(..).map(|part| part.buf));
                match out.pop() {
                    Some(last) => Taken::Refused(last, reason),
                    None => Taken::Kept,
                }
            }
        };
        self.forget_waiting(at);
        self.vacate(at);
        taken
    }

    /// A fragment goes to the kernel: when the last has gone, so does the datagram's place.
    fn pass(&mut self, at: usize, fragment: &Fragment) {
        let Some(datagram) = self.datagrams.get_mut(at) else { return };
        datagram.bytes = datagram.bytes.saturating_add(fragment.len);
        if !fragment.more {
            datagram.total = Some(fragment.end());
        }
        if datagram.total.is_some_and(|total| datagram.bytes >= total) {
            self.vacate(at);
        }
    }

    /// Removes one datagram whose time is over, and gives its fragments out. `None`: there is none.
    pub fn expire(&mut self, now: u64, out: &mut Vec<B>) -> Option<Expired> {
        let over = |since: &u64| *since != u64::MAX && now.saturating_sub(*since) >= self.timeout;
        let at = self.since.iter().position(over)?;
        let datagram = self.datagrams.get(at)?;
        let expired = Expired {
            cx: datagram.cx,
            has_first: datagram.parts.first().is_some_and(|part| part.offset == 0),
        };
        self.give_out(at, out);
        self.vacate(at);
        Some(expired)
    }

    fn hash_source(&self, key: &Key) -> u32 {
        match key.source {
            IpAddr::V4(source) => self.key.ipv4(source.to_bits(), 0, 0),
            IpAddr::V6(source) => self.key.ipv6(source.into(), Default::default(), 0),
        }
    }

    fn hash(&self, key: &Key) -> u32 {
        let id = u64::from(key.id) | 1 << 32;
        let hash = match (key.source, key.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.key.ipv4(source.to_bits(), destination.to_bits(), id)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.key.ipv6(source.into(), destination.into(), id)
            }
            _ => 0,
        };
        hash.max(1)
    }

    fn find(&self, key: &Key) -> Option<usize> {
        let hash = self.hash(key);
        let same = |at: &usize| self.datagrams.get(*at).is_some_and(|datagram| datagram.key == *key);
        let hits = self.hashes.iter().enumerate().filter(|(_, known)| **known == hash);
        hits.map(|(at, _)| at).find(same)
    }

    /// Datagrams and waiting fragments of a source.
    fn of_source(&self, source: u32) -> (usize, usize) {
        let places = self.hashes.iter().zip(&self.sources).zip(&self.waiting);
        let own = places.filter(|((hash, of), _)| **hash != 0 && **of == source);
        own.fold((0, 0), |(count, parts), (_, waiting)| (count + 1, parts + usize::from(waiting.0)))
    }

    /// The oldest datagram of some, but not the one at `not`.
    fn oldest(&self, not: Option<usize>, of: impl Fn(usize) -> bool) -> Option<usize> {
        let used = self.since.iter().enumerate().filter(|(_, since)| **since != u64::MAX);
        used.filter(|(at, _)| Some(*at) != not && of(*at)).min_by_key(|(_, since)| **since).map(|(at, _)| at)
    }

    fn occupy(&mut self, fragment: &Fragment, cx: Context, now: u64) -> Option<usize> {
        let at = self.hashes.iter().position(|hash| *hash == 0)?;
        let datagram = self.datagrams.get_mut(at)?;
        datagram.key = fragment.key;
        (datagram.kind, datagram.bytes, datagram.total) = (Kind::Collecting, 0, None);
        (datagram.ecn, datagram.cx) = (0, cx);
        let (hash, source) = (self.hash(&fragment.key), self.hash_source(&fragment.key));
        *self.hashes.get_mut(at)? = hash;
        *self.sources.get_mut(at)? = source;
        *self.since.get_mut(at)? = now;
        self.used.0 += 1;
        Some(at)
    }

    /// Takes the waiting fragments of a datagram out, in their order.
    fn give_out(&mut self, at: usize, out: &mut Vec<B>) {
        self.forget_waiting(at);
        if let Some(datagram) = self.datagrams.get_mut(at) {
            out.extend(datagram.parts.drain(..).map(|part| part.buf));
        }
    }

    /// Nothing of the datagram waits any more, as far as the sums go.
    fn forget_waiting(&mut self, at: usize) {
        let (waiting, bytes) = self.waiting.get_mut(at).map(std::mem::take).unwrap_or_default();
        self.used.1 -= usize::from(waiting);
        self.used.2 -= bytes as usize;
    }

    fn vacate(&mut self, at: usize) {
        if let (Some(hash), Some(since)) = (self.hashes.get_mut(at), self.since.get_mut(at)) {
            (*hash, *since) = (0, u64::MAX);
            self.used.0 -= 1;
        }
    }
}

impl<B> Datagram<B> {
    /// Whether a fragment overlaps no other and does not contradict what the end is known to be.
    fn has_room_for(&self, place: usize, fragment: &Fragment) -> bool {
        let before = place.checked_sub(1).and_then(|at| self.parts.get(at));
        let after = self.parts.get(place);
        let apart = before.is_none_or(|part| part.offset + part.len <= fragment.offset)
            && after.is_none_or(|part| fragment.end() <= part.offset);
        let in_the_end = match self.total {
            Some(total) => fragment.more && fragment.end() <= total,
            None => fragment.more || after.is_none(),
        };
        apart && in_the_end
    }
}

fn payload<B: PacketBuf>(buf: &B, at: usize, len: u32) -> Option<&[u8]> {
    buf.data().get(at..at + len as usize)
}
