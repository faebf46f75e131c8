//! Which source, which marks, which way: what an RLOC's slot is made of.

use super::bed::*;
use pxtr_dataplane::feed::RlocOptions;

/// a mapping that covers an RLOC, or the aggregate of EID space that does in another VRF, does
/// not decide over the way there: the underlay's routes do.
#[test]
fn the_way_to_an_rloc_is_no_eid_lookup_r008() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.install(0, "10.6.0.0/24", &[("192.0.2.6", 1, 1)]).unwrap();
    let before = bed.rloc("192.0.2.6").path.unwrap();
    // Somebody registered the RLOC's own prefix as EIDs; their locator goes elsewhere.
    bed.install(0, "192.0.2.0/24", &[("198.51.100.1", 1, 1)]).unwrap();
    bed.install(7, "192.0.2.0/24", &[("198.51.100.1", 1, 1)]).unwrap();
    let mut spec = bed.feeder.spec.clone();
    spec.vrfs[1].eid_space.push(net("192.0.2.0/24"));
    bed.reconfigure(spec.clone());
    assert_eq!(bed.rloc("192.0.2.6").path, Some(before), "tenants do not decide over the underlay");
    // In the underlay's own VRF such a prefix is a loop: the RLOC is not used.
    spec.vrfs[0].eid_space.push(net("192.0.2.0/24"));
    bed.reconfigure(spec);
    assert_eq!(bed.rloc("192.0.2.6").down, Some(DownReason::EidSpace));
    assert_eq!(bed.encap(0, "10.6.0.1"), ["down"]);
}

/// proxies that share an RLOC send from it; what they may not share stays out of it.
#[test]
fn a_shared_rloc_is_the_source_and_is_decapsulated_for_r022() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.known(CORE, GW6, MAC_A);
    bed.install(0, "10.6.0.0/24", &[("192.0.2.6", 1, 1)]).unwrap();
    bed.install(0, "10.7.0.0/24", &[("2001:db8:ffff::1", 1, 1)]).unwrap();
    let source = |bed: &Bed, rloc: &str| bed.rloc(rloc).path.unwrap().source;
    assert_eq!(source(&bed, "192.0.2.6"), ip("198.51.100.2"));
    let before = bed.feeder.spec.clone();
    let mut spec = before.clone();
    spec.anycast_rlocs = vec![ip("203.0.113.200")];
    bed.reconfigure(spec.clone());
    assert_eq!(source(&bed, "192.0.2.6"), ip("203.0.113.200"), "although the port has the other one");
    assert_eq!(source(&bed, "2001:db8:ffff::1"), ip("2001:db8:c0:1::2"), "none is shared in this family");
    for ours in ["203.0.113.200", "198.51.100.2", "2001:db8:c0:1::2"] {
        assert!(bed.replica.is_local_rloc(ip(ours)), "{ours} is decapsulated for");
    }
    // The other proxies' mappings may name it; it is no way to them.
    bed.install(0, "10.8.0.0/24", &[("203.0.113.200", 1, 1)]).unwrap();
    assert_eq!(bed.rloc("203.0.113.200").down, Some(DownReason::Own));
    bed.reconfigure(before);
    assert_eq!(source(&bed, "192.0.2.6"), ip("198.51.100.2"));
    assert!(!bed.replica.is_local_rloc(ip("203.0.113.200")));
}

/// by the longest prefix that holds the RLOC, and changed while packets flow.
#[test]
fn paths_have_options_by_prefix_r110_r134() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.install(0, "10.6.0.0/24", &[("192.0.2.6", 1, 1)]).unwrap();
    bed.install(0, "10.7.0.0/24", &[("192.0.2.7", 1, 1)]).unwrap();
    bed.install(0, "10.8.0.0/24", &[("192.0.3.8", 1, 1)]).unwrap();
    let options = |bed: &Bed, rloc: &str| {
        let slot = bed.feeder.rlocs.get(ip(rloc)).unwrap().slot;
        match bed.replica.rloc(slot) {
            Rloc::Ready(template) => template.options(),
            _ => panic!("{rloc} is not ready"),
        }
    };
    assert_eq!(options(&bed, "192.0.2.6"), None);
    let computed = RlocOptions { udp_checksum: true, ..RlocOptions::default() };
    let not_ect = RlocOptions { ecn_compatible: true, ..RlocOptions::default() };
    let before = bed.feeder.spec.clone();
    let mut spec = before.clone();
    spec.paths = vec![
        (net("192.0.2.0/24"), computed),
        (net("192.0.2.7/32"), RlocOptions::default()),
        (net("0.0.0.0/0"), not_ect),
        (net("::/0"), computed),
    ];
    bed.reconfigure(spec);
    assert_eq!(bed.deltas, 2, "the slots that differ, no entries");
    assert_eq!(options(&bed, "192.0.2.6"), Some(computed));
    assert_eq!(options(&bed, "192.0.2.7"), None, "a longer prefix makes an exception");
    assert_eq!(options(&bed, "192.0.3.8"), Some(not_ect));
    bed.reconfigure(before);
    assert_eq!(options(&bed, "192.0.2.6"), None);
}

/// RFC 9305: what is agreed upon with an RLOC is for both directions; exceptions are by prefix; it is live.
#[test]
fn lisp_gpe_is_spoken_with_those_of_the_prefix() {
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    bed.install(0, "10.6.0.0/24", &[("192.0.2.6", 1, 1)]).unwrap();
    let before = bed.feeder.spec.clone();
    let gpe = RlocOptions { gpe: true, ..RlocOptions::default() };
    let paths = vec![(net("192.0.2.0/24"), gpe), (net("192.0.2.7/32"), RlocOptions::default())];
    bed.reconfigure(crate::feeder::FeederSpec { paths, ..before.clone() });
    assert_eq!(bed.deltas, 2, "the list and the slot");
    let heard = |bed: &Bed| {
        let guard = bed.replica.guard();
        let is = |rloc| guard.is_gpe_peer(ip(rloc));
        (guard.knows_gpe(), [is("192.0.2.6"), is("192.0.2.7"), is("192.0.3.8")])
    };
    assert_eq!(heard(&bed), (true, [true, false, false]));
    let slot = bed.feeder.rlocs.get(ip("192.0.2.6")).unwrap().slot;
    assert!(matches!(bed.replica.rloc(slot), Rloc::Ready(template) if template.options() == Some(gpe)));
    bed.reconfigure(before);
    assert_eq!(heard(&bed), (false, [false; 3]));
}

/// what a VRF does with DSCP is live, too.
#[test]
fn the_dscp_of_a_vrf_is_live_r109() {
    let mut bed = Bed::new();
    let mut spec = bed.feeder.spec.clone();
    spec.vrfs[1].spec.encap_dscp = Some(46);
    spec.vrfs[1].spec.decap_copy_dscp = true;
    bed.reconfigure(spec);
    let vrf = |id| *bed.replica.vrf(VrfId(id)).unwrap();
    assert_eq!((vrf(1).encap_dscp, vrf(1).decap_copy_dscp), (Some(46), true));
    assert_eq!((vrf(0).encap_dscp, vrf(0).decap_copy_dscp), (None, false));
}

/// packets wait for the first key and never go in clear text; who gives no key is down.
#[test]
fn an_rloc_that_must_be_encrypted_for_waits_for_its_key_r216() {
    use crate::engine::Rng;
    use crate::engine::event::{Action, Seal};
    use crate::engine::exchange::Private;
    use pxtr_dataplane::crypt::Suite;
    use pxtr_dataplane::feed::RlocState;
    let mut bed = Bed::new();
    bed.known(CORE, GW, MAC_A);
    let plain = bed.feeder.spec.clone();
    let with = |required| {
        let encryption = vec![(net("192.0.2.0/24"), required)];
        crate::feeder::FeederSpec { encryption, ..plain.clone() }
    };
    bed.reconfigure(with(true));
    bed.install(0, "10.6.0.0/24", &[("192.0.2.6", 1, 1)]).unwrap();
    let seal = |bed: &mut Bed, seal| bed.action(Action::Seal { rloc: ip("192.0.2.6"), seal }).unwrap();
    let state = |bed: &Bed| {
        let entry = bed.feeder.rlocs.get(ip("192.0.2.6")).unwrap();
        let sealed = bed.replica.sealer(entry.slot).is_some();
        match &entry.state {
            RlocState::Ready(rewrite) => (Some(rewrite.options.encrypted), sealed, entry.down),
            _ => (None, sealed, entry.down),
        }
    };
    assert_eq!(state(&bed), (None, false, None), "they wait");
    seal(&mut bed, Seal::Failed);
    assert_eq!(state(&bed), (None, false, Some(DownReason::NoKey)));
    let mut rng = Rng::new([1; 32]);
    let (one, other) = (Private::new(&mut rng), Private::new(&mut rng));
    let key = one.agree(&other.public(), 1, (Suite::Aes128Gcm, 1), 0).unwrap();
    seal(&mut bed, Seal::Key(key.clone()));
    assert_eq!(state(&bed), (Some(true), true, None));
    seal(&mut bed, Seal::Forget);
    assert_eq!(state(&bed), (None, false, None));
    bed.reconfigure(with(false));
    assert_eq!(state(&bed), (Some(false), false, None), "preferred: clear text until there is a key");
    seal(&mut bed, Seal::Key(key));
    assert_eq!(state(&bed), (Some(true), true, None));
    bed.reconfigure(plain.clone());
    assert_eq!(state(&bed).0, Some(false));
}
