//! Whose LISP headers are heeded, and what is said in them.

use super::bed::*;
use pxtr_dataplane::trust::Status;

fn trust(rlocs: &[&str]) -> Trust {
    Trust { rlocs: rlocs.iter().map(|p| net(p)).collect(), map_versions: true, ..Trust::default() }
}

impl Bed {
    fn trust(&mut self, trust: Trust) {
        let spec = FeederSpec { trust, ..self.feeder.spec.clone() };
        self.reconfigure(spec);
    }

    fn mark(&mut self, prefix: &str, version: u16) {
        let marks = Marks { version: MapVersion::new(version), ..Marks::default() };
        self.action(Action::Marks { eid: eid(0, prefix), marks }).unwrap();
    }

    fn version_of(&self, address: &str) -> u16 {
        let entry = self.replica.map_lookup(VrfId(0), ip(address)).expect("entry");
        self.replica.marks(entry).version.get()
    }

    /// Packets to this RLOC get versions.
    fn is_versioned(&self, rloc: &str) -> bool {
        let slot = self.feeder.rlocs.get(ip(rloc)).expect("RLOC").slot;
        match self.replica.rloc(slot) {
            Rloc::Ready(template) => template.options().is_some_and(|options| options.map_versions),
            other => panic!("not ready: {other:?}"),
        }
    }
}

#[test]
fn only_trusted_rlocs_get_versions_r099_r006() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.install(0, "10.5.0.0/24", &[("203.0.114.5", 1, 1)]).unwrap();
    bed.install(0, "10.6.0.0/24", &[("203.0.115.6", 1, 1)]).unwrap();
    assert!(!bed.replica.is_trusting());
    assert!(!bed.is_versioned("203.0.114.5"));
    bed.trust(trust(&["203.0.114.0/24"]));
    assert!(bed.replica.is_trusting());
    assert!(bed.is_versioned("203.0.114.5") && !bed.is_versioned("203.0.115.6"));
    bed.trust(Trust::default());
    assert!(!bed.replica.is_trusting() && !bed.is_versioned("203.0.114.5"));
}

#[test]
fn a_slot_that_gets_another_prefix_begins_without_a_version_r099() {
    let mut bed = Bed::new();
    bed.trust(trust(&["203.0.114.0/24"]));
    bed.install(0, "10.5.0.0/24", &[("203.0.114.5", 1, 1)]).unwrap();
    bed.mark("10.5.0.0/24", 7);
    assert_eq!(bed.version_of("10.5.0.1"), 7);
    bed.mark("10.4.0.0/24", 9);
    assert_eq!(bed.version_of("10.4.0.1"), 9, "our own site");
    bed.action(Action::Withdraw(eid(0, "10.5.0.0/24"))).unwrap();
    bed.install(0, "10.7.0.0/24", &[("203.0.114.5", 1, 1)]).unwrap();
    assert_eq!(bed.version_of("10.7.0.1"), 0);
    // What was said before trust ended does not come back with it.
    bed.mark("10.7.0.0/24", 3);
    bed.trust(Trust::default());
    bed.trust(trust(&["203.0.114.0/24"]));
    assert_eq!(bed.version_of("10.7.0.1"), 0, "until the engine says it again");
}

#[test]
fn those_with_old_versions_are_known_by_rloc_and_prefix_r097() {
    let mut bed = Bed::new();
    let outdated = (ip("203.0.114.5"), eid(0, "10.4.0.0/24"));
    let is = |bed: &Bed, vrf| bed.replica.guard().is_outdated(outdated.0, VrfId(vrf), ip("10.4.0.9"));
    bed.action(Action::Outdated(vec![outdated])).unwrap();
    assert!(is(&bed, 0) && !is(&bed, 1));
    bed.action(Action::Outdated(Vec::new())).unwrap();
    assert!(!is(&bed, 0));
    // A new engine knows of none.
    bed.trust(trust(&["203.0.114.0/24"]));
    bed.action(Action::Outdated(vec![outdated])).unwrap();
    assert!(is(&bed, 0));
    bed.feeder.on_engine_restart(bed.now, &bed.view);
    bed.pump();
    assert!(!is(&bed, 0));
}

/// Nonces for echoes go into what is sent there and come back from the workers; a new engine knows of none.
#[test]
fn r094_echoes_are_asked_for_and_awaited() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.install(0, "10.5.0.0/24", &[("203.0.114.5", 1, 1)]).unwrap();
    let rloc = ip("203.0.114.5");
    let nonce = EchoNonce::new(7);
    let say = |bed: &mut Bed, mark, awaited| bed.action(Action::Echo { rloc, mark, awaited }).unwrap();
    let header = |bed: &Bed| match bed.replica.rloc(bed.feeder.rlocs.get(rloc).expect("RLOC").slot) {
        Rloc::Ready(template) => template.lisp(),
        other => panic!("not ready: {other:?}"),
    };
    say(&mut bed, Some(EchoMark::Ask(nonce)), Some(nonce));
    assert_eq!(header(&bed), [0xA0, 0, 0, 7, 0, 0, 0, 0]);
    assert_eq!(bed.replica.guard().awaited(rloc), Some(nonce));
    assert_eq!(bed.replica.guard().awaited(ip("203.0.114.6")), None);
    // The way there changes meanwhile.
    bed.known(CORE, GW, MAC_B);
    assert_eq!(header(&bed), [0xA0, 0, 0, 7, 0, 0, 0, 0]);
    say(&mut bed, Some(EchoMark::Give(EchoNonce::new(9))), Some(nonce));
    assert_eq!(header(&bed), [0x80, 0, 0, 9, 0, 0, 0, 0]);
    say(&mut bed, None, None);
    assert_eq!((header(&bed), bed.replica.guard().awaited(rloc)), ([0; 8], None));
    say(&mut bed, Some(EchoMark::Ask(nonce)), Some(nonce));
    bed.feeder.on_engine_restart(bed.now, &bed.view);
    bed.pump();
    assert_eq!((header(&bed), bed.replica.guard().awaited(rloc)), ([0; 8], None));
}

/// Two locators of our own, one of another router of the site.
const OWN: &str = "198.51.100.2";
const OWN_V6: &str = "2001:db8:c0:1::2";
const OTHER: &str = "198.51.100.77";

impl Bed {
    /// What the engine was told since this was asked last.
    fn site(&mut self) -> Vec<(String, bool)> {
        let one = |event: Event| match event {
            Event::SiteLocator { rloc, up } => Some((rloc.to_string(), up)),
            _ => None,
        };
        self.events.drain(..).filter_map(one).collect()
    }

    fn watch(&mut self, locators: &[&str]) {
        let site_locators = locators.iter().map(|rloc| ip(rloc)).collect();
        self.reconfigure(FeederSpec { site_locators, ..self.feeder.spec.clone() });
    }
}

fn down(rlocs: &[&str]) -> Vec<(String, bool)> {
    rlocs.iter().map(|rloc| ((*rloc).to_owned(), false)).collect()
}

fn up(rlocs: &[&str]) -> Vec<(String, bool)> {
    rlocs.iter().map(|rloc| ((*rloc).to_owned(), true)).collect()
}

#[test]
fn our_locators_are_up_while_their_port_has_its_link_r095() {
    let mut bed = Bed::new();
    bed.address(CORE, OWN_V6);
    bed.watch(&[OWN, OWN_V6]);
    assert_eq!(bed.site(), []);
    let cable = |bed: &mut Bed, cable| {
        bed.feeder.on_cable(bed.now, &bed.view, PortId(1), cable);
        bed.pump();
        bed.site()
    };
    assert_eq!(cable(&mut bed, false), down(&[OWN, OWN_V6]));
    assert_eq!(cable(&mut bed, false), [], "once");
    bed.feeder.on_engine_restart(bed.now, &bed.view);
    bed.pump();
    assert_eq!(bed.site(), down(&[OWN, OWN_V6]), "a new engine is told again");
    assert_eq!(cable(&mut bed, true), up(&[OWN, OWN_V6]));
    let link = Link { index: CORE, name: "core".into(), mac: None, mtu: 1500, up: false, running: true };
    bed.kernel(Update::LinkSet(link));
    assert_eq!(bed.site(), down(&[OWN, OWN_V6]), "the operator took its interface down");
    bed.watch(&[OWN]);
    assert_eq!(bed.site(), up(&[OWN_V6]), "no longer a locator of ours: forgotten");
}

#[test]
fn those_of_other_routers_are_up_while_there_is_a_way_to_them_r095() {
    let mut bed = Bed::new();
    bed.watch(&[OTHER]);
    assert_eq!(bed.site(), [], "the default route");
    let none = bed.route(TABLE_MAIN, "198.51.100.77/32", RouteKind::Unreachable, false);
    assert_eq!(bed.site(), down(&[OTHER]));
    bed.kernel(Update::RouteDel(none));
    assert_eq!(bed.site(), up(&[OTHER]));
    bed.neighbour(CORE, GW, NeighbourState::Failed);
    assert_eq!(bed.site(), down(&[OTHER]));
    bed.known(CORE, GW, MAC_A);
    assert_eq!(bed.site(), up(&[OTHER]));
}

#[test]
fn bits_are_said_to_trusted_rlocs_and_begin_anew_with_a_slot_r095_r006() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.install(0, "10.5.0.0/24", &[("203.0.114.5", 1, 1)]).unwrap();
    bed.install(0, "10.6.0.0/24", &[("203.0.115.6", 1, 1)]).unwrap();
    let is_told = |bed: &Bed, rloc: &str| {
        let slot = bed.feeder.rlocs.get(ip(rloc)).expect("RLOC").slot;
        match bed.replica.rloc(slot) {
            Rloc::Ready(template) => template.options().is_some_and(|options| options.status_bits),
            other => panic!("not ready: {other:?}"),
        }
    };
    assert!(!is_told(&bed, "203.0.114.5"));
    bed.trust(Trust { status_bits: true, map_versions: false, ..trust(&["203.0.114.0/24"]) });
    assert!(bed.replica.is_trusting());
    assert!(is_told(&bed, "203.0.114.5") && !is_told(&bed, "203.0.115.6"));
    let status = Some(Status { bits: 0b10, known: 0b11 });
    let of =
        |bed: &Bed, eid: &str| bed.replica.marks(bed.replica.map_lookup(VrfId(0), ip(eid)).unwrap()).status;
    bed.action(Action::Marks { eid: eid(0, "10.5.0.0/24"), marks: Marks { status, ..Marks::default() } })
        .unwrap();
    assert_eq!(of(&bed, "10.5.0.1"), status);
    bed.action(Action::Withdraw(eid(0, "10.5.0.0/24"))).unwrap();
    bed.install(0, "10.7.0.0/24", &[("203.0.114.5", 1, 1)]).unwrap();
    assert_eq!(of(&bed, "10.7.0.1"), None);
}
