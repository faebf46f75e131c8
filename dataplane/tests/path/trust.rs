//! What LISP headers of trusted routers say: Map-Versions (R-097 to R-099; RFC 9302 sections 6 and 7) and
//! Locator-Status-Bits (R-095; RFC 9300 section 10).

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::feed::{Delta, MapAction, RlocOptions, Target};
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::trust::{MapVersion, Marks, Outdated, Said, Status, Trust};
use pxtr_dataplane::types::{EntryId, InstanceId, VrfId};
use pxtr_dataplane::verdict::DropReason::{self, *};

const RLOC: &str = "203.0.113.4";
const STRANGER: &str = "203.0.114.4";
const OURS: &str = "198.51.100.2";
const REMOTE: &str = "10.4.0.7";
const HOST: &str = "192.0.2.9";

/// A site of 192.0.2.0/24 whose mapping has version 10, which trusts 203.0.113.0/24, and knows version 20 of
/// the mapping of 10.4.0.0/24.
struct Site {
    lab: Lab,
    own: EntryId,
    remote: EntryId,
}

fn version(version: u16) -> Marks {
    Marks { version: MapVersion::new(version), ..Marks::default() }
}

impl Site {
    fn new() -> Self {
        Self::within(Lab::new())
    }

    fn within(mut lab: Lab) -> Self {
        lab.vrf(0, |vrf| (vrf.pitr, vrf.petr, vrf.xtr) = (false, false, true));
        lab.apply(Delta::LocalEidSet { vrf: VrfId(0), prefix: "192.0.2.0/24".parse().unwrap() });
        let own = lab.map(0, "192.0.2.0/24", MapAction::LocalSite);
        let remote = lab.map(0, "10.4.0.0/24", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
        lab.apply(Delta::EntryMarks(own, version(10)));
        lab.apply(Delta::EntryMarks(remote, version(20)));
        let mut site = Self { lab, own, remote };
        site.trust(true);
        site
    }

    fn trust(&mut self, map_versions: bool) {
        let rlocs = Box::new(["203.0.113.0/24".parse().unwrap()]);
        self.lab.apply(Delta::Trust(Box::new(Trust { rlocs, map_versions, ..Trust::default() })));
        let options = RlocOptions { map_versions, ..RlocOptions::default() };
        self.lab.rloc_with(RLOC_V4, OURS, RLOC, 1500, options);
    }

    /// A packet with these versions of source and destination.
    fn hear(&mut self, outer: &str, source: u16, destination: u16) -> Fate {
        let [_, a, b, c] = (u32::from(source) << 12 | u32::from(destination)).to_be_bytes();
        self.hear_with(outer, [0x10, a, b, c, 0, 0, 0, 0])
    }

    fn hear_with(&mut self, outer: &str, header: [u8; 8]) -> Fate {
        self.lab.core(&lisp(outer, OURS, header, &udp(REMOTE, HOST, 9).ip()))
    }

    /// What control was told since this was asked last.
    fn told(&mut self) -> Vec<(String, Said)> {
        let said = |punt| match punt {
            Punt::Header { eid, said, .. } => (eid.to_string(), said),
            other => panic!("{other:?}"),
        };
        self.lab.punts().into_iter().map(said).collect()
    }
}

#[test]
fn versions_of_the_destination_r097() {
    let older = |v| Some((HOST, Said::DestinationOlder(MapVersion::new(v))));
    let newer = |v| Some((HOST, Said::DestinationNewer(MapVersion::new(v))));
    // (sentence, version, dropped as, told)
    type Case = (&'static str, u16, Option<DropReason>, Option<(&'static str, Said)>);
    let cases: [Case; 5] = [
        ("the same", 10, None, None),
        ("an older one", 9, None, older(9)),
        ("an older one, round the circle", 4000, None, older(4000)),
        ("a newer one", 11, Some(MapVersionNewer), newer(11)),
        ("none, against the rules", 0, Some(MapVersionNone), None),
    ];
    for (name, destination, dropped, told) in cases {
        let mut site = Site::new();
        match (site.hear(RLOC, 20, destination), dropped) {
            (Fate::Tx(NATIVE, _), None) => {}
            (Fate::Dropped(reason), Some(wanted)) => assert_eq!(reason, wanted, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        let told: Vec<_> = told.into_iter().map(|(eid, said)| (eid.to_owned(), said)).collect();
        assert_eq!(site.told(), told, "{name}");
        site.hear(RLOC, 20, destination);
        assert_eq!(site.told(), [], "{name}: once a second");
    }
    let mut site = Site::new();
    let own = site.own;
    site.lab.apply(Delta::EntryMarks(own, Marks::default()));
    assert_eq!(site.hear(RLOC, 20, 10), Fate::Dropped(MapVersionNone), "our mapping has none");
    site.lab.apply(Delta::EntryMarks(own, Marks { expired: true, ..version(10) }));
    assert_eq!(site.hear(RLOC, 20, 9), Fate::Dropped(MapVersionOlder), "its TTL is over");
    assert!(matches!(site.hear(RLOC, 20, 10), Fate::Tx(..)), "that is not about the one in force");
    assert_eq!(site.told(), [], "nobody is told");
}

#[test]
fn who_was_told_in_vain_is_dropped_r097() {
    let mut site = Site::new();
    let outdated = |prefix: &str| Outdated {
        rloc: RLOC.parse().unwrap(),
        vrf: VrfId(0),
        prefix: prefix.parse().unwrap(),
    };
    site.lab.apply(Delta::Outdated(Box::new([outdated("192.0.2.0/24")])));
    assert_eq!(site.hear(RLOC, 20, 9), Fate::Dropped(MapVersionOlder));
    assert!(matches!(site.hear("203.0.113.5", 20, 9), Fate::Tx(..)), "others are not");
    assert!(matches!(site.hear(RLOC, 20, 10), Fate::Tx(..)), "nor what is up to date");
    site.lab.apply(Delta::Outdated(Box::new([outdated("192.0.3.0/24")])));
    assert!(matches!(site.hear(RLOC, 20, 9), Fate::Tx(..)));
}

#[test]
fn versions_of_the_source_r098() {
    let mut site = Site::new();
    assert!(matches!(site.hear(RLOC, 20, 10), Fate::Tx(..)));
    assert!(matches!(site.hear(RLOC, 0, 10), Fate::Tx(..)), "none");
    assert_eq!(site.told(), []);
    assert!(matches!(site.hear(RLOC, 21, 10), Fate::Tx(..)), "a newer one is forwarded");
    assert_eq!(site.told(), [(REMOTE.to_owned(), Said::SourceNewer(MapVersion::new(21)))]);
    assert_eq!(site.hear(RLOC, 19, 10), Fate::Dropped(MapVersionSourceOlder));
    let remote = site.remote;
    site.lab.apply(Delta::EntryMarks(remote, Marks::default()));
    assert!(matches!(site.hear(RLOC, 19, 10), Fate::Tx(..)), "the cached mapping has none");
    site.lab.apply(Delta::EntryMarks(remote, version(20)));
    site.lab.apply(Delta::MapDel { vrf: VrfId(0), prefix: "10.4.0.0/24".parse().unwrap() });
    assert!(matches!(site.hear(RLOC, 19, 10), Fate::Tx(..)), "it is not cached");
    assert_eq!(site.told(), []);
}

/// A nonce takes the place of versions, whatever V says.
#[test]
fn who_is_not_trusted_and_what_is_no_version_is_ignored_r006_r036() {
    let mut site = Site::new();
    assert!(matches!(site.hear(STRANGER, 1, 4095), Fate::Tx(..)));
    assert!(matches!(site.hear_with(RLOC, [0x90, 0, 0x10, 0xFF, 0, 0, 0, 0]), Fate::Tx(..)), "N and V");
    assert!(matches!(site.hear_with(RLOC, [0, 0, 0x10, 0xFF, 0, 0, 0, 0]), Fate::Tx(..)), "no V");
    site.trust(false);
    assert!(matches!(site.hear(RLOC, 1, 4095), Fate::Tx(..)), "versions are off");
    assert_eq!(site.told(), []);
}

#[test]
fn versions_are_said_to_trusted_routers_r099() {
    let mut site = Site::new();
    let header = |site: &mut Site, from: &str| {
        let (_, seen) = site.lab.native(&udp(from, REMOTE, 9)).sent();
        seen.lisp().header
    };
    assert_eq!(header(&mut site, HOST), [0x10, 0x00, 0xA0, 0x14, 0, 0, 0, 0], "10 and 20");
    let (own, remote) = (site.own, site.remote);
    site.lab.apply(Delta::EntryMarks(own, Marks::default()));
    assert_eq!(header(&mut site, HOST), [0x10, 0x00, 0x00, 0x14, 0, 0, 0, 0], "our mapping has none");
    site.lab.apply(Delta::EntryMarks(own, version(10)));
    site.lab.apply(Delta::EntryMarks(remote, Marks::default()));
    assert_eq!(header(&mut site, HOST), [0; 8], "that of the destination has none: no V");
    site.lab.apply(Delta::EntryMarks(remote, version(20)));
    site.trust(false);
    assert_eq!(header(&mut site, HOST), [0; 8]);
}

/// Both ways through the worker come to the same: to a trusted RLOC nothing is plain.
#[test]
fn a_proxy_says_the_version_of_the_destination_alone_r099() {
    for express in [true, false] {
        let mut lab = Lab::with(|config| config.express = express);
        let entry = lab.map(0, "10.4.0.0/24", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
        lab.apply(Delta::EntryMarks(entry, version(0xABC)));
        let header = |lab: &mut Lab| lab.native(&udp(HOST, REMOTE, 9)).sent().1.lisp().header;
        assert_eq!(header(&mut lab), [0; 8], "nobody is trusted by default (R-006)");
        let options = RlocOptions { map_versions: true, ..RlocOptions::default() };
        lab.rloc_with(RLOC_V4, OURS, RLOC, 1500, options);
        assert_eq!(header(&mut lab), [0x10, 0x00, 0x0A, 0xBC, 0, 0, 0, 0]);
        // What comes out at a PETR is for nobody of ours: its destination version says nothing to us.
        let rlocs = Box::new(["203.0.113.0/24".parse().unwrap()]);
        lab.apply(Delta::Trust(Box::new(Trust { rlocs, map_versions: true, ..Trust::default() })));
        let from = |header| lisp(RLOC, OURS, header, &udp(REMOTE, HOST, 9).ip());
        assert!(matches!(lab.core(&from([0x10, 0xAB, 0xC0, 0x01, 0, 0, 0, 0])), Fate::Tx(..)));
        let older = lab.core(&from([0x10, 0xAB, 0xB0, 0x01, 0, 0, 0, 0]));
        assert_eq!(older, Fate::Dropped(MapVersionSourceOlder), "of the source it does");
    }
}

/// The state of so many locators.
fn status(bits: u32, locators: u32) -> Status {
    Status { bits, known: u32::MAX >> (32 - locators) }
}

impl Site {
    /// Trusts as before and says the state of three locators of its own, and knows two of the others'.
    fn with_status(lab: Lab) -> Self {
        let mut site = Self::within(lab);
        let rlocs = Box::new(["203.0.113.0/24".parse().unwrap()]);
        let trust = Trust { rlocs, map_versions: true, status_bits: true, ..Trust::default() };
        site.lab.apply(Delta::Trust(Box::new(trust)));
        site.say(true);
        site.mark(Some(status(0b101, 3)), Some(status(0b11, 2)));
        site
    }

    fn mark(&mut self, own: Option<Status>, remote: Option<Status>) {
        self.lab.apply(Delta::EntryMarks(self.own, Marks { status: own, ..Marks::default() }));
        self.lab.apply(Delta::EntryMarks(self.remote, Marks { status: remote, ..Marks::default() }));
    }

    /// Whether [`RLOC`] is told of our locators.
    fn say(&mut self, status_bits: bool) {
        let options = RlocOptions { status_bits, ..RlocOptions::default() };
        self.lab.rloc_with(RLOC_V4, OURS, RLOC, 1500, options);
    }

    /// The LISP header of a packet from this host to the other site.
    fn said(&mut self, from: &str) -> [u8; 8] {
        self.lab.native(&udp(from, REMOTE, 9)).sent().1.lisp().header
    }
}

#[test]
fn the_state_of_our_locators_is_said_to_trusted_routers_r095() {
    for express in [true, false] {
        let mut site = Site::with_status(Lab::with(|config| config.express = express));
        assert_eq!(site.said(HOST), [0x40, 0, 0, 0, 0, 0, 0, 0b101]);
        // A change is in the next packet.
        site.mark(Some(status(0x8000_0001, 32)), None);
        assert_eq!(site.said(HOST), [0x40, 0, 0, 0, 0x80, 0, 0, 1]);
        site.lab.vrf(0, |vrf| {
            (vrf.pitr, vrf.petr, vrf.xtr) = (false, false, true);
            vrf.instance_id = InstanceId(0x77);
        });
        assert_eq!(site.said(HOST), [0x48, 0, 0, 0, 0, 0, 0x77, 1], "eight of them beside an Instance-ID");
        site.mark(None, None);
        assert_eq!(site.said(HOST), [0x08, 0, 0, 0, 0, 0, 0x77, 0], "they are not used just now");
        site.mark(Some(status(0b101, 3)), None);
        site.say(false);
        assert_eq!(
            site.said(HOST),
            [0x08, 0, 0, 0, 0, 0, 0x77, 0],
            "who is not trusted hears nothing (R-006)"
        );
    }
}

#[test]
fn both_versions_and_bits_are_said_and_nonces_go_with_bits_r095_r036() {
    let mut site = Site::with_status(Lab::new());
    let options = RlocOptions { map_versions: true, status_bits: true, ..RlocOptions::default() };
    site.lab.rloc_with(RLOC_V4, OURS, RLOC, 1500, options);
    let marks = |version_of: u16, status| Marks { status: Some(status), ..version(version_of) };
    site.lab.apply(Delta::EntryMarks(site.own, marks(10, status(0b01, 2))));
    site.lab.apply(Delta::EntryMarks(site.remote, marks(20, status(0b11, 2))));
    assert_eq!(site.said(HOST), [0x50, 0x00, 0xA0, 0x14, 0, 0, 0, 0b01]);
    // Bits beside another version may be about other locators.
    let heard = |source: u8| [0x50, 0x01, source << 4, 0x0A, 0, 0, 0, 0b01];
    assert!(matches!(site.hear_with(RLOC, heard(5)), Fate::Tx(..)));
    assert_eq!(site.told(), [(REMOTE.to_owned(), Said::SourceNewer(MapVersion::new(21)))]);
    assert!(matches!(site.hear_with(RLOC, heard(4)), Fate::Tx(..)));
    assert_eq!(site.told(), [(REMOTE.to_owned(), Said::SourceStatus(status(0b01, 2)))]);
    // N does not touch the second word.
    assert!(matches!(site.hear_with(RLOC, [0xC0, 1, 2, 3, 0, 0, 0, 0b10]), Fate::Tx(..)));
    assert_eq!(site.told(), [(REMOTE.to_owned(), Said::SourceStatus(status(0b10, 2)))]);
}

#[test]
fn a_change_of_the_sources_locators_is_told_once_r095() {
    let mut site = Site::with_status(Lab::new());
    let changed = |bits| vec![(REMOTE.to_owned(), Said::SourceStatus(status(bits, 2)))];
    let bits = |bits: u8| [0x40, 0, 0, 0, 0, 0, 0, bits];
    site.hear_with(RLOC, bits(0b11));
    site.hear_with(RLOC, [0x40, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0b11]);
    assert_eq!(site.told(), [], "as it was; there are no more than two locators");
    assert!(matches!(site.hear_with(RLOC, bits(0b01)), Fate::Tx(..)), "and goes on");
    site.hear_with(RLOC, [0x40, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0b01]);
    assert_eq!(site.told(), changed(0b01), "once a second, whatever the other bits are");
    site.mark(None, Some(status(0b01, 2)));
    site.hear_with(RLOC, bits(0b01));
    assert_eq!(site.told(), []);
    site.hear_with(RLOC, bits(0b11));
    assert_eq!(site.told(), changed(0b11), "back");
    site.mark(None, Some(status(0x1FF, 9)));
    site.lab.vrf(0, |vrf| {
        (vrf.pitr, vrf.petr, vrf.xtr) = (false, false, true);
        vrf.instance_id = InstanceId(0x77);
    });
    site.hear_with(RLOC, [0x48, 0, 0, 0, 0, 0, 0x77, 0xFE]);
    let eight = Said::SourceStatus(status(0xFE, 8));
    assert_eq!(site.told(), [(REMOTE.to_owned(), eight)], "the ninth has no bit beside an Instance-ID");
}

#[test]
fn bits_of_strangers_and_where_they_are_off_are_ignored_r095_r006() {
    let mut site = Site::with_status(Lab::new());
    let down = [0x40, 0, 0, 0, 0, 0, 0, 0];
    assert!(matches!(site.hear_with(STRANGER, down), Fate::Tx(..)));
    assert!(matches!(site.hear_with(RLOC, [0; 8]), Fate::Tx(..)), "L=0");
    site.mark(None, None);
    assert!(matches!(site.hear_with(RLOC, down), Fate::Tx(..)), "nothing was learnt of the locators");
    site.mark(None, Some(status(0b11, 2)));
    site.trust(true);
    assert!(matches!(site.hear_with(RLOC, down), Fate::Tx(..)), "only versions are heeded");
    assert_eq!(site.told(), []);
}
