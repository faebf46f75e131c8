//! Explicit locator paths (RFC 8060 section 4.6; ): which hop packets go to from here.
//!
//! A path names the routers that re-encapsulate, the last of them the ETR. From the hop that we are, or from
//! the beginning, the next one is the target; a hop without the S bit may be skipped while it is down.
//!
//! A router on a path of a mapping follows no path that it is not on: two routers could send packets to and
//! fro between their paths otherwise. It may use locators that are no paths: there the way ends.

use super::config::{ConfiguredLocator, EngineConfig};
use super::counters::Counter;
use super::cx::Cx;
use super::event::Locator;
use super::mapping::MappedLocator;
use crate::codec::{Address, ElpHop, LocatorRecord, is_martian};
use std::fmt::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

/// Hops of a path that are tried at most: what one locator costs in the tables is bounded.
const MAX_TRIED: usize = 8;

/// A path from here on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// What to try, in this order: RLOC, and whether it may be probed (P bit). Not empty.
    next: Vec<(IpAddr, bool)>,
    etr: IpAddr,
    /// We are one of its hops.
    pub(super) ours: bool,
    path: Arc<[IpAddr]>,
}

impl Way {
    /// The locators that a locator-set has in the place of the path.
    pub(super) fn locators(
        self,
        priority: u8,
        weight: u8,
        reachable: bool,
    ) -> impl Iterator<Item = MappedLocator> {
        let Self { next, etr, path, .. } = self;
        next.into_iter().enumerate().map(move |(skipped, (rloc, probe))| MappedLocator {
            locator: Locator { rloc, priority, weight, stand_in: skipped > 0, etr: Some(etr) },
            reachable,
            probe,
            path: Some(path.clone()),
            ordinal: 0,
        })
    }
}

/// Why a path leads nowhere from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unfit {
    /// It comes twice to the same router.
    Loop,
    /// The next hop is an EID that would have to be looked up (L bit).
    Lookup,
    /// There is no next hop that could be encapsulated to.
    NoHop,
}

impl Unfit {
    const fn counter(self) -> Counter {
        match self {
            Self::Loop => Counter::PathsLooped,
            Self::Lookup => Counter::PathsWithLookup,
            Self::NoHop => Counter::PathsWithoutHop,
        }
    }
}

/// The way along these hops; one that leads nowhere is counted, and told.
///
/// `is_usable`: an address that we may encapsulate to.
pub(super) fn way(cx: &mut Cx<'_>, hops: &[ElpHop], is_usable: &dyn Fn(IpAddr) -> bool) -> Option<Way> {
    match follow(cx.config, hops, is_usable) {
        Ok(way) => Some(way),
        Err(unfit) => {
            cx.notice(unfit.counter(), Told(hops));
            None
        }
    }
}

/// The locators that a configured one stands for.
pub(super) fn configured(cx: &mut Cx<'_>, locator: &ConfiguredLocator) -> Vec<MappedLocator> {
    if locator.via.is_empty() {
        return vec![MappedLocator::from(locator)];
    }
    let address = locator.address();
    let way = address.path().and_then(|hops| way(cx, hops, &|ip| !is_martian(ip)));
    let locators = way.map(|way| way.locators(locator.priority, locator.weight, true));
    locators.into_iter().flatten().collect()
}

/// The paths of a record, by locator: those that are to be followed from here.
pub(super) fn ways(
    cx: &mut Cx<'_>,
    locators: &[LocatorRecord],
    is_usable: &dyn Fn(IpAddr) -> bool,
) -> Vec<Option<Way>> {
    let mut ways: Vec<_> =
        locators.iter().map(|l| l.address.path().and_then(|hops| way(cx, hops, is_usable))).collect();
    if ways.iter().flatten().any(|way| way.ours) {
        for way in &mut ways {
            if way.take_if(|way| !way.ours).is_some() {
                cx.count(Counter::PathsElsewhere);
            }
        }
    }
    ways
}

fn follow(config: &EngineConfig, hops: &[ElpHop], is_usable: &dyn Fn(IpAddr) -> bool) -> Result<Way, Unfit> {
    let address = |hop: &ElpHop| hop.address.rloc();
    let path: Arc<[IpAddr]> = hops.iter().filter_map(address).collect();
    let etr = hops.last().and_then(address).ok_or(Unfit::NoHop)?;
    let twice = path.iter().enumerate().any(|(n, hop)| path.iter().skip(n + 1).any(|other| other == hop));
    let is_ours = |hop: &ElpHop| !hop.lookup && address(hop).is_some_and(|ip| config.is_own_rloc(ip));
    let mut ours = hops.iter().enumerate().filter(|(_, hop)| is_ours(hop)).map(|(n, _)| n);
    let us = ours.next();
    if twice || ours.next().is_some() {
        return Err(Unfit::Loop);
    }
    let mut next = Vec::new();
    let mut unfit = Unfit::NoHop;
    for hop in hops.iter().skip(us.map_or(0, |us| us + 1)) {
        if hop.lookup {
            unfit = Unfit::Lookup;
        } else if let Some(rloc) = address(hop).filter(|&rloc| is_usable(rloc)) {
            next.push((rloc, hop.probe));
        }
        if hop.strict || next.len() == MAX_TRIED {
            break;
        }
    }
    if next.is_empty() {
        return Err(unfit);
    }
    Ok(Way { next, etr, ours: us.is_some(), path })
}

impl ConfiguredLocator {
    /// As it is registered: a path if there are hops in front of the RLOC.
    #[must_use]
    pub fn address(&self) -> Address {
        if self.via.is_empty() {
            return Address::Ip(self.rloc);
        }
        let hop = |rloc, strict| ElpHop { lookup: false, probe: true, strict, address: Address::Ip(rloc) };
        let via = self.via.iter().map(|rloc| hop(*rloc, self.strict));
        // Nobody else can take the last step.
        Address::Lcaf(Box::new(crate::codec::Lcaf::Elp(via.chain([hop(self.rloc, true)]).collect())))
    }
}

/// A path in a sentence.
struct Told<'a>(&'a [ElpHop]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, hop) in self.0.iter().enumerate() {
            f.write_str(if n > 0 { " > " } else { "" })?;
            match hop.address.rloc() {
                Some(rloc) => write!(f, "{rloc}")?,
                None => f.write_char('?')?,
            }
            f.write_str(if hop.lookup { " (lookup)" } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "a b! c? d-": `!` strict, `?` lookup, `-` not to be probed.
    fn hops(text: &str) -> Vec<ElpHop> {
        let hop = |word: &str| ElpHop {
            lookup: word.ends_with('?'),
            probe: !word.ends_with('-'),
            strict: word.ends_with('!'),
            address: Address::Ip(ip(word.trim_end_matches(['!', '?', '-']))),
        };
        text.split(' ').map(hop).collect()
    }

    fn ip(last: &str) -> IpAddr {
        format!("192.0.2.{last}").parse().unwrap()
    }

    #[test]
    fn r113_the_next_hop_of_a_path_is_the_one_behind_us() {
        let config = EngineConfig {
            rlocs: vec![ip("1"), "2001:db8::1".parse().unwrap()],
            shared_rlocs: vec![ip("100")],
            ..EngineConfig::default()
        };
        // (what, path, expected: hops to try and whether we are on the path)
        type Case = (&'static str, &'static str, Result<(&'static str, bool), Unfit>);
        let cases: &[Case] = &[
            ("not on it: the first hop", "5! 6! 7!", Ok(("5", false))),
            ("on it: the hop behind us", "5! 1! 7!", Ok(("7", true))),
            ("the first of it", "1! 6! 7!", Ok(("6", true))),
            ("on it by an RLOC that we share with others", "5! 100! 7!", Ok(("7", true))),
            ("one hop: the ETR", "7!", Ok(("7", false))),
            ("hops without S may be skipped, up to one with it", "5 6 7! 8!", Ok(("5 6 7", false))),
            ("what is behind us only", "5 1 6 7!", Ok(("6 7", true))),
            ("P clear: not to be probed", "5- 7!", Ok(("5- 7", false))),
            ("it names us twice", "1! 5! 1! 7!", Err(Unfit::Loop)),
            ("it names us by two of our RLOCs", "1! 5! 100! 7!", Err(Unfit::Loop)),
            ("it names another one twice: that one ignores it", "5! 6! 5! 7!", Err(Unfit::Loop)),
            ("it ends at us", "5! 1!", Err(Unfit::NoHop)),
            ("L: nobody looks hops up here", "5? 1! 7!", Ok(("7", true))),
            ("L without S: skipped", "5? 7!", Ok(("7", false))),
            ("L at the end", "5? 7?", Err(Unfit::Lookup)),
            ("a hop nobody can encapsulate to is skipped", "200 7!", Ok(("7", false))),
            ("it can not be skipped with S", "200! 7!", Err(Unfit::NoHop)),
        ];
        let usable = |rloc: IpAddr| rloc != ip("200");
        for (what, path, expected) in cases {
            let got = follow(&config, &hops(path), &usable).map(|way| {
                let words = way.next.iter().map(|(rloc, probe)| {
                    let last = rloc.to_string().replace("192.0.2.", "");
                    last + if *probe { "" } else { "-" }
                });
                (words.collect::<Vec<_>>().join(" "), way.ours)
            });
            assert_eq!(got, expected.map(|(next, ours)| (next.to_owned(), ours)), "{what}");
        }
        let long: Vec<String> = (2..60).map(|n| n.to_string()).collect();
        let way = follow(&config, &hops(&long.join(" ")), &usable).unwrap();
        assert_eq!(way.next.len(), MAX_TRIED, "bounded");
        assert_eq!(follow(&config, &[], &usable), Err(Unfit::NoHop));
        let strict_lookup = ElpHop { strict: true, ..hops("5?").remove(0) };
        assert_eq!(follow(&config, &[strict_lookup, hops("7!").remove(0)], &usable), Err(Unfit::Lookup));
        assert_eq!(Told(&hops("5 6?")).to_string(), "192.0.2.5 > 192.0.2.6 (lookup)");
    }
}
