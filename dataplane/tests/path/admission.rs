//! Who may send us LISP data, and in whose name.

use crate::lab::*;
use crate::packets::*;
use pxtr_dataplane::admission::{Admission, Nonce, SiteRules, UnknownSources, VrfAdmission};
use pxtr_dataplane::feed::{Delta, MapAction, Target};
use pxtr_dataplane::punt::Punt;
use pxtr_dataplane::types::{Eid, EntryId, SiteId, VrfId};
use pxtr_dataplane::verdict::DropReason::{self, *};

const RLOC: &str = "203.0.113.4";
const RLOC6: &str = "2001:db8:f::6";
const OURS: &str = "198.51.100.2";
const OURS6: &str = "2001:db8:c0::2";
const FOUR: &str = "10.4.0.7";
const FOUR6: &str = "2001:db8:e004::7";
const HOST: &str = "192.0.2.9";
const HOST6: &str = "2001:db8:1::9";

/// Both ways through the worker must come to the same: for plain packets and for all stages.
fn labs() -> [Lab; 2] {
    [true, false].map(|express| Lab::with(|config| config.express = express))
}

/// From `outer`, in the default instance, inside it a packet from `source`.
fn from(outer: &str, source: &str) -> Packet {
    with_header([0; 8], outer, source)
}

fn with_header(header: [u8; 8], outer: &str, source: &str) -> Packet {
    let ours = if outer.contains(':') { OURS6 } else { OURS };
    let host = if source.contains(':') { HOST6 } else { HOST };
    lisp(outer, ours, header, &udp(source, host, 9).ip())
}

fn admission(lab: &mut Lab, prefixes: &[&str], nonces: &[u32]) {
    for prefix in prefixes {
        lab.apply(Delta::OuterSourceSet(prefix.parse().unwrap()));
    }
    let nonces = nonces.iter().map(|nonce| Nonce::new(*nonce)).collect();
    let outer_sources = !prefixes.is_empty();
    lab.apply(Delta::Admission(Box::new(Admission { outer_sources, nonces, ..Admission::default() })));
}

fn site(lab: &mut Lab, vrf: u16, id: u32, prefixes: &[&str], outer: &[&str]) {
    let outer_sources = outer.iter().map(|prefix| prefix.parse().unwrap()).collect();
    lab.apply(Delta::SiteRulesSet(SiteId(id), Box::new(SiteRules { outer_sources, strict: false })));
    for prefix in prefixes {
        let prefix = prefix.parse().unwrap();
        lab.apply(Delta::SiteSet { vrf: VrfId(vrf), prefix, site: SiteId(id) });
    }
    lab.apply(Delta::VrfAdmission(VrfId(vrf), VrfAdmission { sites: true, strict: false }));
}

/// What becomes of each packet; `None`: it gets through as it would without any rules.
fn table(mut lab: Lab, cases: &[(&str, Packet, Option<DropReason>)]) {
    for (name, packet, wanted) in cases {
        match (lab.core(packet), wanted) {
            (Fate::Tx(NATIVE | TENANT, _), None) => {}
            (Fate::Dropped(reason), Some(wanted)) if reason == *wanted => {}
            (fate, _) => panic!("{name}: {fate:?}"),
        }
    }
}

#[test]
fn outer_sources_are_those_of_the_list_r029() {
    for mut lab in labs() {
        admission(&mut lab, &["203.0.113.0/28", "2001:db8:f::/64"], &[]);
        table(
            lab,
            &[
                ("in the list", from(RLOC, FOUR), None),
                ("IPv6 inside", from(RLOC, FOUR6), None),
                ("IPv6 outside", from(RLOC6, FOUR), None),
                ("the last of the prefix", from("203.0.113.15", FOUR), None),
                ("the first behind it", from("203.0.113.16", FOUR), Some(OuterSourceNotAdmitted)),
                ("another one", from("192.0.2.200", FOUR), Some(OuterSourceNotAdmitted)),
                ("another IPv6 one", from("2001:db8:f:1::6", FOUR), Some(OuterSourceNotAdmitted)),
            ],
        );
    }
}

#[test]
fn an_empty_list_in_force_admits_nobody_and_none_everybody_r029() {
    for mut lab in labs() {
        let all =
            |outer_sources| Delta::Admission(Box::new(Admission { outer_sources, ..Admission::default() }));
        lab.apply(all(true));
        assert_eq!(lab.core(&from(RLOC, FOUR)), Fate::Dropped(OuterSourceNotAdmitted));
        lab.apply(all(false));
        assert!(matches!(lab.core(&from(RLOC, FOUR)), Fate::Tx(NATIVE, _)));
        // A list that changes while packets come.
        admission(&mut lab, &["203.0.113.4/32"], &[]);
        lab.apply(Delta::OuterSourceSet("203.0.113.5/32".parse().unwrap()));
        lab.apply(Delta::OuterSourceDel("203.0.113.4/32".parse().unwrap()));
        assert_eq!(lab.core(&from(RLOC, FOUR)), Fate::Dropped(OuterSourceNotAdmitted));
        assert!(matches!(lab.core(&from("203.0.113.5", FOUR)), Fate::Tx(NATIVE, _)));
    }
}

#[test]
fn inner_sources_are_eids_of_known_sites_r025() {
    for mut lab in labs() {
        site(&mut lab, 0, 1, &["10.4.0.0/24", "2001:db8:e004::/48"], &[]);
        site(&mut lab, 0, 2, &["10.6.0.0/24"], &["203.0.113.4/32", "2001:db8:f::/64"]);
        let tenant = |source| lisp(RLOC, OURS, instance(101), &udp(source, HOST, 9).ip());
        table(
            lab,
            &[
                ("a site", from(RLOC, FOUR), None),
                ("its IPv6 EID", from(RLOC, FOUR6), None),
                ("no site", from(RLOC, "10.5.0.7"), Some(InnerSourceNotSite)),
                ("no site, IPv6", from(RLOC, "2001:db8:e005::7"), Some(InnerSourceNotSite)),
                ("no EID at all", from(RLOC, "8.8.8.8"), Some(InnerSourceNotSite)),
                ("bound to this RLOC", from(RLOC, "10.6.0.7"), None),
                ("bound to this prefix", from(RLOC6, "10.6.0.7"), None),
                ("bound to others", from("203.0.113.6", "10.6.0.7"), Some(InnerSourceNotBound)),
                ("a site that is bound to none", from("203.0.113.6", FOUR), None),
                ("a VRF without sites", tenant("10.99.0.1"), None),
            ],
        );
    }
}

#[test]
fn the_longest_prefix_says_whose_an_eid_is_r025() {
    for mut lab in labs() {
        site(&mut lab, 0, 1, &["10.0.0.0/8"], &["203.0.113.1/32"]);
        site(&mut lab, 0, 2, &["10.4.0.0/24"], &["203.0.113.4/32"]);
        assert!(matches!(lab.core(&from(RLOC, FOUR)), Fate::Tx(NATIVE, _)));
        assert_eq!(lab.core(&from("203.0.113.1", FOUR)), Fate::Dropped(InnerSourceNotBound));
        lab.apply(Delta::SiteDel { vrf: VrfId(0), prefix: "10.4.0.0/24".parse().unwrap() });
        assert!(matches!(lab.core(&from("203.0.113.1", FOUR)), Fate::Tx(NATIVE, _)));
        lab.apply(Delta::VrfAdmission(VrfId(0), VrfAdmission::default()));
        assert!(matches!(lab.core(&from(RLOC, "8.8.8.8")), Fate::Tx(NATIVE, _)));
    }
}

#[test]
fn data_without_the_agreed_nonce_is_dropped_r032_r036() {
    for mut lab in labs() {
        admission(&mut lab, &[], &[0xAB_CDEF, 0x12_3456]);
        let header =
            |first: [u8; 4]| with_header([first[0], first[1], first[2], first[3], 0, 0, 0, 0], RLOC, FOUR);
        let with_instance = [0x88, 0xAB, 0xCD, 0xEF, 0, 0, 0, 0];
        table(
            lab,
            &[
                ("the nonce", header([0x80, 0xAB, 0xCD, 0xEF]), None),
                ("the next one", header([0x80, 0x12, 0x34, 0x56]), None),
                ("with I", with_header(with_instance, RLOC, FOUR), None),
                ("with E: an echo is asked for", header([0xA0, 0xAB, 0xCD, 0xEF]), None),
                ("N and V: it is a nonce", header([0x90, 0xAB, 0xCD, 0xEF]), None),
                ("over IPv6", with_header([0x80, 0xAB, 0xCD, 0xEF, 0, 0, 0, 0], RLOC6, FOUR6), None),
                ("another one", header([0x80, 0xAB, 0xCD, 0xEE]), Some(NonceNotAgreed)),
                ("none", header([0; 4]), Some(NonceNotAgreed)),
                ("the bits without N", header([0, 0xAB, 0xCD, 0xEF]), Some(NonceNotAgreed)),
                ("map-versions", header([0x10, 0xAB, 0xCD, 0xEF]), Some(NonceNotAgreed)),
            ],
        );
    }
}

#[test]
fn we_send_the_nonce_that_a_locator_wants_r032_r140() {
    for mut lab in labs() {
        lab.nonce(Some(Nonce::new(0xAB_CDEF)));
        lab.map(1, "10.7.0.0/24", MapAction::Encapsulate(Target::Rloc(RLOC_V4)));
        let send = |lab: &mut Lab, port, to: &str| {
            let frame = udp(HOST, to, 9).frame(OUR_MAC[usize::from(u16::from(port == TENANT) * 2)], HOST_MAC);
            lab.receive(port, &frame).sent().1.lisp().header
        };
        assert_eq!(send(&mut lab, NATIVE, "10.4.0.9"), [0x80, 0xAB, 0xCD, 0xEF, 0, 0, 0, 0]);
        assert_eq!(send(&mut lab, NATIVE, "10.6.0.9"), [0; 8], "other locators get none");
        assert_eq!(send(&mut lab, TENANT, "10.7.0.9"), [0x88, 0xAB, 0xCD, 0xEF, 0, 0, 101, 0]);
        lab.nonce(None);
        assert_eq!(send(&mut lab, NATIVE, "10.4.0.9"), [0; 8]);
    }
}

#[test]
fn an_instance_comes_from_the_underlays_that_carry_it_r142() {
    for mut lab in labs() {
        lab.port(CORE, |port| port.instances = Some(Box::new([VrfId(1)])));
        let tenant = lisp(RLOC, OURS, instance(101), &udp(FOUR, HOST, 9).ip());
        assert!(matches!(lab.core(&tenant), Fate::Tx(TENANT, _)));
        assert_eq!(lab.core(&from(RLOC, FOUR)), Fate::Dropped(InstanceNotAdmitted));
        let foreign = lisp(RLOC, OURS, instance(9), &udp(FOUR, HOST, 9).ip());
        assert_eq!(lab.core(&foreign), Fate::Dropped(InstanceUnknown), "nobody's instance has its own name");
        lab.port(CORE, |port| port.instances = Some(Box::new([VrfId(0), VrfId(1)])));
        assert!(matches!(lab.core(&from(RLOC, FOUR)), Fate::Tx(NATIVE, _)));
        lab.port(CORE, |port| port.instances = Some(Box::new([])));
        assert_eq!(lab.core(&tenant), Fate::Dropped(InstanceNotAdmitted));
        lab.port(CORE, |port| port.instances = None);
        assert!(matches!(lab.core(&tenant), Fate::Tx(TENANT, _)));
    }
}

/// The checks come in the order of R-039: a packet that fails several is counted under the first.
#[test]
fn the_order_of_the_checks_r039() {
    for mut lab in labs() {
        admission(&mut lab, &["203.0.113.0/24"], &[0xAB_CDEF]);
        site(&mut lab, 0, 1, &["10.4.0.0/24"], &["203.0.113.4/32"]);
        lab.port(CORE, |port| port.instances = Some(Box::new([VrfId(0)])));
        let inner = |source: &str| udp(source, HOST, 9).ip();
        let right = [0x80, 0xAB, 0xCD, 0xEF, 0, 0, 0, 0];
        let tenant = [0x88, 0xAB, 0xCD, 0xEF, 0, 0, 101, 0];
        table(
            lab,
            &[
                ("all is well", with_header(right, RLOC, FOUR), None),
                (
                    "outer source before all",
                    lisp("192.0.2.77", OURS, [3, 0, 0, 0, 0, 0, 0, 0], &[]),
                    Some(OuterSourceNotAdmitted),
                ),
                ("martian before that", lisp("127.0.0.1", OURS, [0; 8], &[]), Some(MartianSource)),
                ("encrypted before the nonce", lisp(RLOC, OURS, [3; 8], &inner(FOUR)), Some(LispEncrypted)),
                (
                    "nonce before the instance",
                    lisp(RLOC, OURS, instance(9), &inner(FOUR)),
                    Some(NonceNotAgreed),
                ),
                (
                    "instance before the inner packet",
                    lisp(RLOC, OURS, tenant, &[]),
                    Some(InstanceNotAdmitted),
                ),
                (
                    "inner header before its source",
                    lisp(RLOC, OURS, right, &inner("8.8.8.8")[..19]),
                    Some(InnerHeader),
                ),
                ("martian before the site", with_header(right, RLOC, "127.0.0.1"), Some(InnerMartianSource)),
                (
                    "site before its RLOCs",
                    with_header(right, "203.0.113.9", "8.8.8.8"),
                    Some(InnerSourceNotSite),
                ),
                ("RLOCs at the end", with_header(right, "203.0.113.9", FOUR), Some(InnerSourceNotBound)),
            ],
        );
    }
}

/// A lab in which VRF 0 holds inner sources to their mappings.
fn strict(express: bool, unknown: UnknownSources) -> Lab {
    let mut lab = Lab::with(|config| config.express = express);
    lab.apply(Delta::Admission(Box::new(Admission { unknown, ..Admission::default() })));
    mapped(&mut lab, "10.4.0.0/24", &[RLOC, RLOC6]);
    lab.apply(Delta::VrfAdmission(VrfId(0), VrfAdmission { sites: false, strict: true }));
    lab
}

/// A mapping of these RLOCs.
fn mapped(lab: &mut Lab, prefix: &str, rlocs: &[&str]) -> EntryId {
    let rlocs = rlocs.iter().map(|rloc| rloc.parse().unwrap()).collect();
    let entry = lab.next_entry();
    lab.apply(Delta::EntryRlocs(entry, rlocs));
    lab.map(0, prefix, MapAction::Encapsulate(Target::Rloc(RLOC_V4)))
}

#[test]
fn strict_inner_sources_are_mapped_to_the_outer_source_r040() {
    for express in [true, false] {
        let mut lab = strict(express, UnknownSources::Wait);
        lab.map(0, "10.8.0.0/24", MapAction::NativelyForward);
        lab.map(0, "10.4.0.128/25", MapAction::DropNoReason);
        // All locators are down: what comes from one of them is honest all the same.
        let entry = mapped(&mut lab, "10.9.0.0/24", &["203.0.113.9"]);
        let action = MapAction::NoLocator { unreachable: true };
        lab.apply(Delta::MapSet { vrf: VrfId(0), prefix: "10.9.0.0/24".parse().unwrap(), entry, action });
        let tenant = lisp("203.0.113.7", OURS, instance(101), &udp("10.77.0.1", HOST, 9).ip());
        table(
            lab,
            &[
                ("mapped to it", from(RLOC, FOUR), None),
                ("mapped to its other RLOC", from(RLOC6, FOUR), None),
                ("mapped to others", from("203.0.113.5", FOUR), Some(InnerSourceNotMapped)),
                ("a locator that is down", from("203.0.113.9", "10.9.0.1"), None),
                ("no EID", from(RLOC, "8.8.8.8"), Some(InnerSourceNotMapped)),
                ("no EID by the mapping system", from(RLOC, "10.8.0.1"), Some(InnerSourceNotMapped)),
                ("a negative mapping", from(RLOC, "10.4.0.200"), Some(InnerSourceNotMapped)),
                ("a VRF that is not strict", tenant, None),
            ],
        );
    }
}

#[test]
fn a_strict_site_is_bound_by_configuration_or_by_its_mapping_r040() {
    for express in [true, false] {
        let mut lab = Lab::with(|config| config.express = express);
        mapped(&mut lab, "10.4.0.0/24", &[RLOC]);
        mapped(&mut lab, "10.6.0.0/24", &[RLOC6]);
        site(&mut lab, 0, 1, &["10.4.0.0/24"], &["203.0.113.8/32"]);
        site(&mut lab, 0, 2, &["10.6.0.0/24"], &[]);
        let outer_sources = Box::new(["203.0.113.8/32".parse().unwrap()]);
        lab.apply(Delta::SiteRulesSet(SiteId(1), Box::new(SiteRules { outer_sources, strict: true })));
        table(
            lab,
            &[
                ("mapped", from(RLOC, FOUR), None),
                ("configured", from("203.0.113.8", FOUR), None),
                ("neither", from("203.0.113.9", FOUR), Some(InnerSourceNotMapped)),
                ("another site is not strict", from(RLOC, "10.6.0.7"), None),
            ],
        );
    }
}

/// Nothing of an honest site is lost: its packets wait with their outer headers, and are looked at again
/// when the mapping is there.
#[test]
fn packets_of_unknown_sources_wait_for_the_mapping_r040() {
    for express in [true, false] {
        let mut lab = strict(express, UnknownSources::Wait);
        let eid = Eid { vrf: VrfId(0), addr: "10.77.0.1".parse().unwrap() };
        for outer in ["203.0.113.7", RLOC6, "203.0.113.66"] {
            assert_eq!(lab.core(&from(outer, "10.77.0.1")), Fate::Held);
        }
        let miss = Punt::Miss { vrf: eid.vrf, eid: eid.addr, source: "203.0.113.7".parse().unwrap() };
        assert_eq!(lab.punts(), [miss], "asked once, on behalf of the outer source");
        mapped(&mut lab, "10.77.0.0/24", &["203.0.113.7", RLOC6]);
        let sent: Vec<_> = lab.sent(NATIVE).iter().map(|frame| dissect(frame).ip).collect();
        assert_eq!(sent, [udp("10.77.0.1", HOST, 9).hop().ip(), udp("10.77.0.1", HOST, 9).hop().ip()]);
        let now = lab.snapshot();
        assert_eq!((now.held, now.decapsulated, now.dropped(InnerSourceNotMapped)), (0, 2, 1));
        assert!(matches!(lab.core(&from("203.0.113.7", "10.77.0.1")), Fate::Tx(NATIVE, _)));
        // Nobody answers, or control gives up.
        assert_eq!(lab.core(&from(RLOC, "10.78.0.1")), Fate::Held);
        lab.apply(Delta::Abandon { vrf: VrfId(0), eid: "10.78.0.1".parse().unwrap() });
        assert_eq!(lab.core(&from(RLOC, "10.79.0.1")), Fate::Held);
        lab.advance_ms(4000);
        lab.poll();
        assert_eq!((lab.snapshot().held, lab.snapshot().dropped(InnerSourceUnknown)), (0, 2));
        // A negative answer.
        assert_eq!(lab.core(&from(RLOC, "10.80.0.1")), Fate::Held);
        lab.map(0, "10.80.0.0/24", MapAction::NativelyForward);
        assert_eq!(lab.snapshot().dropped(InnerSourceNotMapped), 2);
    }
}

#[test]
fn unknown_sources_may_be_dropped_or_admitted_instead_r040() {
    for express in [true, false] {
        for unknown in [UnknownSources::Drop, UnknownSources::Admit] {
            let mut lab = strict(express, unknown);
            for _ in 0..3 {
                match (lab.core(&from(RLOC, "10.77.0.1")), unknown) {
                    (Fate::Tx(NATIVE, _), UnknownSources::Admit) => {}
                    (Fate::Dropped(InnerSourceUnknown), UnknownSources::Drop) => {}
                    (fate, _) => panic!("{unknown:?}: {fate:?}"),
                }
            }
            let miss = Punt::Miss {
                vrf: VrfId(0),
                eid: "10.77.0.1".parse().unwrap(),
                source: RLOC.parse().unwrap(),
            };
            assert_eq!(lab.punts(), [miss], "once a second");
        }
    }
}
