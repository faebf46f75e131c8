//! The control planes of the labs in `configs/`, all in one process: every daemon's engine, from
//! its own configuration file, and a network that loses nothing and takes no time.

use crate::node::*;
use pxtr_control::config::{Machine, parse_config};
use pxtr_control::engine::config::EngineConfig;
use pxtr_control::engine::event::{Event, Forwarding, Iid};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

pub struct Lab {
    pub nodes: BTreeMap<String, Node>,
}

fn engine_config(path: &Path) -> EngineConfig {
    let text = std::fs::read_to_string(path).expect("a configuration file");
    let config = parse_config(&text, path, &Machine::any());
    config.unwrap_or_else(|e| panic!("{}: {e}", path.display())).engine(1_700_000_000)
}

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs")
}

impl Lab {
    /// Starts all daemons of a lab; files such as `xtr-70-30.toml` are for later reloads.
    pub fn new(name: &str) -> Self {
        let mut lab = Self { nodes: BTreeMap::new() };
        for file in std::fs::read_dir(configs().join(name)).expect("a lab") {
            let path = file.expect("a file").path();
            let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            if path.extension().is_some_and(|e| e == "toml") && !stem.contains('-') {
                lab.nodes.insert(stem, Node::new(engine_config(&path)));
            }
        }
        lab.settle();
        lab
    }

    pub fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.get_mut(name).expect("a node of this lab")
    }

    fn owner(&self, of: IpAddr) -> Option<String> {
        let has = |n: &Node| n.engine.config().rlocs.contains(&of);
        self.nodes.iter().find(|(_, n)| has(n)).map(|(name, _)| name.clone())
    }

    /// Delivers until nobody has anything to say.
    pub fn settle(&mut self) {
        for _ in 0..100 {
            let sent: Vec<Sent> = self.nodes.values_mut().flat_map(Node::take).collect();
            if sent.is_empty() {
                return;
            }
            for s in sent {
                let source = s.source.expect("every node of the labs has RLOCs of the families it uses");
                let Some(name) = self.owner(s.to.ip()) else { continue };
                self.node(&name).hear_at(SocketAddr::new(source, 4342), s.to, &s.payload);
            }
        }
        panic!("they talk for ever");
    }

    pub fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.nodes.values_mut().for_each(|n| n.pass(1000));
            self.settle();
        }
    }

    /// What a node's data plane is told when a packet wants an EID.
    pub fn resolve(&mut self, node: &str, eid: &str) -> String {
        let n = self.node(node);
        n.installed.clear();
        n.step(Event::Miss { iid: Iid(0), eid: ip(eid), source: ip("192.0.2.77") });
        self.settle();
        self.last_installed(node)
    }

    pub fn last_installed(&mut self, node: &str) -> String {
        let Some((eid, forwarding)) = self.node(node).installed.last().cloned() else {
            return "nothing".into();
        };
        let what = match forwarding {
            Forwarding::Encapsulate(locators) => {
                locators.iter().map(|l| l.rloc.to_string()).collect::<Vec<_>>().join(" ")
            }
            other => format!("{other:?}"),
        };
        format!("{} -> {what}", eid.prefix)
    }

    fn unconfirmed(&self) -> Vec<String> {
        let registrations = self.nodes.values().flat_map(|n| n.engine.database()).flat_map(|d| {
            d.registrations.into_iter().map(move |r| (d.eid.prefix, r.map_server, r.confirmed))
        });
        registrations.filter(|(.., confirmed)| !confirmed).map(|r| format!("{r:?}")).collect()
    }
}

#[test]
fn every_lab_registers_all_its_sites_at_once_and_keeps_them_registered() {
    let mut labs = 0;
    for dir in std::fs::read_dir(configs()).expect("configs") {
        let dir = dir.expect("an entry").path();
        if !dir.join("ms.toml").exists() {
            continue;
        }
        let name = dir.file_name().expect("a name").to_string_lossy().into_owned();
        let mut lab = Lab::new(&name);
        assert!(lab.unconfirmed().is_empty(), "{name}: {:?}", lab.unconfirmed());
        let registered = lab.node("ms").engine.registrations().count();
        let wanted: usize = lab.nodes.values().map(|n| n.engine.database().count()).sum();
        assert_eq!(registered, wanted, "{name}");
        lab.pass(400);
        assert_eq!(lab.node("ms").engine.registrations().count(), wanted, "{name}");
        labs += 1;
    }
    assert!(labs > 0);
}

#[test]
fn interworking_the_proxy_finds_both_sites_with_eids_of_both_families() {
    let mut lab = Lab::new("interworking");
    assert_eq!(lab.resolve("pxtr", "10.4.0.9"), "10.4.0.0/24 -> 198.51.100.6", "forwarded, the ETR answers");
    assert_eq!(lab.resolve("pxtr", "2001:db8:e004::9"), "2001:db8:e004::/48 -> 198.51.100.6");
    assert_eq!(lab.resolve("pxtr", "10.6.0.9"), "10.6.0.0/24 -> 2001:db8:c0:2::2", "the Map-Server answers");
    assert_eq!(lab.resolve("pxtr", "2001:db8:e006::9"), "2001:db8:e006::/48 -> 2001:db8:c0:2::2");
}

#[test]
fn interworking_an_eid_that_nobody_registered_is_negative_up_to_the_next_site() {
    let mut lab = Lab::new("interworking");
    assert_eq!(lab.resolve("pxtr", "10.200.0.1"), "10.128.0.0/9 -> NativelyForward");
    assert_eq!(lab.resolve("pxtr", "10.5.0.1"), "10.5.0.0/16 -> NativelyForward");
}

#[test]
fn interworking_the_proxy_follows_a_changed_site_in_the_same_instant() {
    let mut lab = Lab::new("interworking");
    assert_eq!(lab.resolve("pxtr", "10.4.0.9"), "10.4.0.0/24 -> 198.51.100.6");
    lab.pass(10);
    let mut config = lab.node("xtr4").engine.config().clone();
    config.database[0].locators.push(locator("198.51.100.99", 2, 50));
    lab.node("pxtr").installed.clear();
    lab.node("xtr4").reconfigure(config);
    lab.settle();
    assert_eq!(lab.last_installed("pxtr"), "10.4.0.0/24 -> 198.51.100.6 198.51.100.99");
}

#[test]
fn interworking_a_map_server_that_lost_everything_has_it_all_again_within_a_minute() {
    let mut lab = Lab::new("interworking");
    lab.pass(7);
    let config = lab.node("ms").engine.config().clone();
    let now = lab.node("ms").now;
    let mut fresh = Node::new(config);
    fresh.now = now;
    lab.nodes.insert("ms".into(), fresh);
    assert_eq!(lab.node("ms").engine.registrations().count(), 0);
    lab.pass(60);
    assert_eq!(lab.node("ms").engine.registrations().count(), 4);
}

#[test]
fn interworking_a_site_that_falls_silent_is_negative_three_minutes_later() {
    let mut lab = Lab::new("interworking");
    lab.nodes.remove("xtr4");
    lab.pass(181);
    assert_eq!(lab.resolve("pxtr", "10.4.0.9"), "10.4.0.0/24 -> NativelyForward");
    assert_eq!(lab.resolve("pxtr", "10.6.0.9"), "10.6.0.0/24 -> 2001:db8:c0:2::2");
}

#[test]
fn one_daemon_with_every_role_talks_to_itself() {
    let mut config = xtr(&["10.4.0.0/24"]);
    config.roles.map_server = true;
    config.roles.map_resolver = true;
    config.map_servers = vec![peer(US)];
    config.map_resolvers = vec![ip(US)];
    config.sites =
        vec![site("own", "site-key", &["10.4.0.0/24"]), site("other", "other-key", &["10.5.0.0/24"])];
    let mut proxy = blank();
    proxy.rlocs = vec![ip("203.0.113.20")];
    proxy.roles = config.roles;
    proxy.database = xtr(&["10.5.0.0/24"]).database;
    proxy.database[0].locators = vec![locator("203.0.113.20", 1, 1)];
    proxy.map_servers = vec![peer(US)];
    proxy.map_servers[0].key.secret = secret("other-key");
    let nodes = [("all".to_owned(), Node::new(config)), ("site".to_owned(), Node::new(proxy))];
    let mut lab = Lab { nodes: BTreeMap::from(nodes) };
    lab.settle();
    assert!(lab.unconfirmed().is_empty(), "{:?}", lab.unconfirmed());
    assert_eq!(lab.node("all").engine.registrations().count(), 2);
    let n = lab.node("all");
    n.step(Event::Miss { iid: Iid(0), eid: ip("10.5.0.9"), source: ip("10.4.0.7") });
    lab.settle();
    assert_eq!(lab.last_installed("all"), "10.5.0.0/24 -> 203.0.113.20");
}
