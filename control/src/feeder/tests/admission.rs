//! Who may send us LISP data: at the start, and while a new configuration takes the place of an old one
//!

use super::bed::*;
use pxtr_dataplane::admission::{Nonce, SiteRules};
use pxtr_dataplane::path::admission::{self, Known};
use pxtr_dataplane::verdict::DropReason::{self, *};

fn site(vrf: u16, eids: &[&str], outer: &[&str]) -> SiteFeed {
    let rules = SiteRules { outer_sources: outer.iter().map(|p| net(p)).collect(), strict: false };
    SiteFeed { vrf: VrfId(vrf), eid_prefixes: eids.iter().map(|p| net(p)).collect(), rules }
}

fn sites(of: &[(&str, SiteFeed)]) -> AdmissionSpec {
    let sites = of.iter().map(|(name, site)| ((*name).to_owned(), site.clone())).collect();
    AdmissionSpec { sites, ..AdmissionSpec::default() }
}

impl Bed {
    fn admit(&mut self, spec: AdmissionSpec) {
        let spec = FeederSpec { admission: spec, ..self.feeder.spec.clone() };
        self.reconfigure(spec);
    }

    fn judge(&self, vrf: u16, source: &str, outer: &str) -> Result<Known, DropReason> {
        admission::inner(VrfId(vrf), ip(source), ip(outer), &self.replica)
    }

    fn inner(&self, vrf: u16, source: &str, outer: &str) -> Result<(), DropReason> {
        self.judge(vrf, source, outer).map(|known| assert_eq!(known, Known::Yes))
    }

    fn outer(&self, source: &str) -> Result<(), DropReason> {
        admission::outer(ip(source), &self.replica)
    }
}

#[test]
fn sites_come_change_and_go_r025() {
    let mut bed = Bed::new();
    assert!(!bed.replica.is_guarded());
    let four = site(0, &["10.4.0.0/24", "2001:db8:e004::/48"], &["203.0.113.4/32"]);
    bed.admit(sites(&[("four", four.clone()), ("red", site(1, &["10.4.0.0/24"], &[]))]));
    assert_eq!(bed.inner(0, "10.4.0.7", "203.0.113.4"), Ok(()));
    assert_eq!(bed.inner(0, "10.4.0.7", "203.0.113.5"), Err(InnerSourceNotBound));
    assert_eq!(bed.inner(0, "10.5.0.7", "203.0.113.4"), Err(InnerSourceNotSite));
    assert_eq!(bed.inner(1, "10.4.0.7", "203.0.113.5"), Ok(()), "the same addresses in another VRF");
    // Other RLOCs, another name, other prefixes.
    let five = site(0, &["10.4.0.0/24", "10.5.0.0/24"], &["203.0.113.5/32"]);
    bed.admit(sites(&[("five", five), ("red", site(1, &["10.4.0.0/24"], &["203.0.113.4/32"]))]));
    assert_eq!(bed.inner(0, "10.4.0.7", "203.0.113.4"), Err(InnerSourceNotBound));
    assert_eq!(bed.inner(0, "10.5.0.7", "203.0.113.5"), Ok(()));
    assert_eq!(bed.inner(0, "2001:db8:e004::7", "203.0.113.4"), Err(InnerSourceNotSite));
    assert_eq!(bed.inner(1, "10.4.0.7", "203.0.113.5"), Err(InnerSourceNotBound));
    bed.admit(sites(&[("five", four)]));
    assert_eq!(bed.inner(1, "10.4.0.7", "203.0.113.5"), Ok(()), "a VRF without sites asks nothing");
    bed.admit(AdmissionSpec::default());
    assert!(!bed.replica.is_guarded());
    assert_eq!(bed.inner(0, "8.8.8.8", "203.0.113.5"), Ok(()));
}

/// Each delta on its own: whoever is admitted before and after is admitted all the time.
#[test]
fn a_change_loses_no_honest_packet_r025_r029() {
    let mut bed = Bed::new();
    let sources = |list: &[&str]| Some(list.iter().map(|p| net(p)).collect());
    let first = sites(&[
        ("a", site(0, &["10.4.0.0/24"], &["203.0.113.4/32"])),
        ("b", site(0, &["10.6.0.0/24"], &[])),
    ]);
    let second = sites(&[
        ("0", site(0, &["10.9.0.0/24"], &["203.0.113.9/32"])),
        ("a", site(0, &["10.6.0.0/24"], &["203.0.113.0/24"])),
        ("c", site(0, &["10.4.0.0/16"], &["203.0.113.4/32"])),
    ]);
    let steps = [
        AdmissionSpec::default(),
        AdmissionSpec { outer_sources: sources(&["203.0.113.4/32"]), ..first.clone() },
        AdmissionSpec { outer_sources: sources(&["203.0.113.0/24"]), ..second },
        AdmissionSpec { outer_sources: None, ..first },
        AdmissionSpec::default(),
    ];
    for step in steps {
        let spec = FeederSpec { admission: step, ..bed.feeder.spec.clone() };
        bed.feeder.reconfigure(bed.now, &bed.view, spec);
        for (_, delta) in std::mem::take(&mut bed.feeder.out.deltas) {
            assert_eq!(bed.replica.apply(delta).outcome, Ok(()));
            assert_eq!(bed.outer("203.0.113.4"), Ok(()));
            for eid in ["10.4.0.7", "10.6.0.7"] {
                assert_eq!(bed.inner(0, eid, "203.0.113.4"), Ok(()), "{eid}");
            }
        }
    }
}

#[test]
fn lists_nonces_and_instances_follow_the_configuration_r029_r032_r142() {
    let mut bed = Bed::new();
    bed.admit(AdmissionSpec {
        outer_sources: Some([net("203.0.113.0/24")].into()),
        nonces: vec![Nonce::new(0xAB_CDEF)],
        ..AdmissionSpec::default()
    });
    assert_eq!(bed.outer("203.0.113.9"), Ok(()));
    assert_eq!(bed.outer("192.0.2.9"), Err(OuterSourceNotAdmitted));
    assert_eq!(bed.replica.guard().nonces(), [Nonce::new(0xAB_CDEF)]);
    let mut spec = bed.feeder.spec.clone();
    spec.ports[1].instances = Some(vec![VrfId(1)]);
    bed.reconfigure(spec);
    let admits = |bed: &Bed, vrf| bed.replica.port(PortId(1)).unwrap().admits(VrfId(vrf));
    assert_eq!([0, 1].map(|vrf| admits(&bed, vrf)), [false, true]);
    assert_eq!(bed.outer("192.0.2.9"), Err(OuterSourceNotAdmitted), "what did not change stays");
}

#[test]
fn the_nonce_of_a_locator_is_in_its_headers_r032() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    let nonce = |bed: &Bed| {
        let slot = bed.feeder.rlocs.get(ip("198.51.100.99")).unwrap().slot;
        let Rloc::Ready(template) = bed.replica.rloc(slot) else { panic!("not ready") };
        template.lisp()[..4].to_vec()
    };
    bed.install(0, "10.9.0.0/24", &[("198.51.100.99", 1, 100)]).unwrap();
    assert_eq!(nonce(&bed), [0; 4]);
    let nonces = [(ip("198.51.100.99"), Nonce::new(0x12_3456))].into();
    bed.reconfigure(FeederSpec { nonces, ..bed.feeder.spec.clone() });
    assert_eq!(nonce(&bed), [0x80, 0x12, 0x34, 0x56]);
    bed.reconfigure(FeederSpec { nonces: BTreeMap::new(), ..bed.feeder.spec.clone() });
    assert_eq!(nonce(&bed), [0; 4]);
}

/// All locators of a mapping count, whether they carry traffic or not; also those of mappings that were there
/// before somebody was held to them.
#[test]
fn mappings_say_who_may_send_r040() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.install(0, "10.9.0.0/24", &[("203.0.113.9", 1, 100)]).unwrap();
    bed.install(0, "10.8.0.0/24", &[("198.51.100.98", 1, 100), ("198.51.100.99", 2, 100)]).unwrap();
    let strict = AdmissionSpec { strict: [VrfId(0)].into(), ..AdmissionSpec::default() };
    bed.admit(strict.clone());
    assert_eq!(bed.inner(0, "10.9.0.1", "203.0.113.9"), Ok(()));
    assert_eq!(bed.inner(0, "10.8.0.1", "198.51.100.99"), Ok(()), "a locator that only stands by");
    assert_eq!(bed.inner(0, "10.8.0.1", "203.0.113.9"), Err(InnerSourceNotMapped));
    assert_eq!(bed.inner(0, "10.99.0.1", "203.0.113.9"), Err(InnerSourceNotMapped), "no EID");
    // A mapping that changes, one that is new, one that is asked for.
    bed.install(0, "10.8.0.0/24", &[("198.51.100.97", 1, 100)]).unwrap();
    assert_eq!(bed.inner(0, "10.8.0.1", "198.51.100.99"), Err(InnerSourceNotMapped));
    assert_eq!(bed.inner(0, "10.8.0.1", "198.51.100.97"), Ok(()));
    let ask = Forwarding::SendMapRequest;
    bed.action(Action::Install { eid: eid(0, "10.0.0.0/8"), forwarding: ask }).unwrap();
    assert_eq!(bed.judge(0, "10.99.0.1", "203.0.113.9"), Ok(Known::NotYet));
    bed.action(Action::Install { eid: eid(0, "10.8.0.0/24"), forwarding: Forwarding::NativelyForward })
        .unwrap();
    assert_eq!(bed.inner(0, "10.8.0.1", "198.51.100.97"), Err(InnerSourceNotMapped));
    // A site that is reached by a path may send by it, and by itself.
    let etr = Some(ip("203.0.113.77"));
    let path = vec![Locator { etr, ..Locator::new(ip("198.51.100.61"), 1, 100) }];
    bed.action(Action::Install { eid: eid(0, "10.7.0.0/24"), forwarding: Forwarding::Encapsulate(path) })
        .unwrap();
    for outer in ["198.51.100.61", "203.0.113.77"] {
        assert_eq!(bed.inner(0, "10.7.0.1", outer), Ok(()));
    }
    assert_eq!(bed.inner(0, "10.7.0.1", "198.51.100.62"), Err(InnerSourceNotMapped));
    // Of one site only; the other one may send from anywhere.
    let mut held = site(0, &["10.9.0.0/24"], &[]);
    held.rules.strict = true;
    bed.admit(sites(&[("nine", held), ("eight", site(0, &["10.8.0.0/24"], &[]))]));
    assert_eq!(bed.inner(0, "10.9.0.1", "203.0.113.9"), Ok(()));
    assert_eq!(bed.inner(0, "10.9.0.1", "203.0.113.8"), Err(InnerSourceNotMapped));
    assert_eq!(bed.inner(0, "10.8.0.1", "203.0.113.8"), Ok(()));
}
