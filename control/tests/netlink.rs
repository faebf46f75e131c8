//! The kernel view against a real kernel, in a network namespace of the test's own thread: it goes
//! away with the thread. Needs root; without it the tests say so and pass.

use ipnet::IpNet;
use nix::sched::{CloneFlags, unshare};
use pxtr_control::netlink::{
    HostInterface, Interest, NeighbourState, Netlink, RouteKind, TABLE_LOCAL, TABLE_MAIN,
    prepare_host_interface, quiet_backing_interface,
};
use pxtr_dataplane::types::MacAddr;
use std::future::Future;
use std::io::Write as _;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Runs `test` on a tokio current-thread runtime in a fresh network namespace with a veth pair
/// `core` (index by name) and `peer`.
fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    std::thread::spawn(move || {
        if let Err(e) = unshare(CloneFlags::CLONE_NEWNET) {
            eprintln!("skipped: cannot make a network namespace: {e}");
            return;
        }
        ip("link set lo up");
        ip("link add core type veth peer name peer");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(30), test()).await.expect("the test hangs");
        });
    })
    .join()
    .unwrap();
}

fn ip(args: &str) {
    let out = Command::new("ip").args(args.split_whitespace()).output().expect("iproute2 is installed");
    assert!(out.status.success(), "ip {args}: {}", String::from_utf8_lossy(&out.stderr));
}

fn ip_batch(lines: &str) {
    let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn net(s: &str) -> IpNet {
    s.parse().unwrap()
}

fn addr(s: &str) -> IpAddr {
    s.parse().unwrap()
}

fn open() -> Netlink {
    Netlink::open(
        Interest {
            interfaces: [(0, "core".to_owned())].into(),
            tables: [TABLE_MAIN, 77].into(),
            max_routes: 100_000,
            max_neighbours: 1000,
        },
        &[],
    )
    .unwrap()
}

/// Follows the kernel until `done`.
async fn until(netlink: &mut Netlink, done: impl Fn(&Netlink) -> bool) {
    while !done(netlink) {
        netlink.next().await.unwrap();
    }
}

/// Next hops of the best route as (gateway, weight), sorted.
fn gateways(netlink: &Netlink, table: u64, prefix: &str) -> Option<Vec<(Option<IpAddr>, u16)>> {
    let route = netlink.view().routes(table, net(prefix)).next()?;
    let RouteKind::Unicast(hops) = &route.kind else { return None };
    let mut out: Vec<_> = hops.iter().map(|h| (h.gateway, h.weight)).collect();
    out.sort_unstable();
    Some(out)
}

fn kind(netlink: &Netlink, table: u64, prefix: &str) -> Option<RouteKind> {
    netlink.view().routes(table, net(prefix)).next().map(|r| r.kind.clone())
}

fn up() {
    ip("link set core up");
    ip("link set peer up");
    ip("addr add 192.0.2.1/24 dev core");
    ip("-6 addr add 2001:db8::1/64 dev core nodad");
    // The kernel finds out about the carrier, and makes the IPv6 routes that hang on it, in its own time.
    let shows = |args: &str, what: &str| {
        let out = Command::new("ip").args(args.split_whitespace()).output().expect("iproute2 is installed");
        String::from_utf8_lossy(&out.stdout).contains(what)
    };
    while !(shows("-o link show dev core", "state UP")
        && shows("-6 route show dev core", "2001:db8::/64")
        && shows("-6 route show table local dev core", "2001:db8::1"))
    {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_first_dump_has_links_addresses_and_routes_of_both_families() {
    in_namespace(|| async {
        up();
        let mut n = open();
        until(&mut n, Netlink::is_synced).await;
        let core = n.view().link_by_name(0, "core").expect("core").clone();
        assert!(core.up && core.running && core.mtu == 1500 && core.mac.is_some());
        let own: Vec<_> = n.view().addresses(core.index).filter(|a| a.global).map(|a| a.addr).collect();
        assert_eq!(own, [addr("192.0.2.1"), addr("2001:db8::1")]);
        assert!(n.view().routes(TABLE_MAIN, net("192.0.2.0/24")).next().unwrap().connected);
        assert_eq!(gateways(&n, TABLE_MAIN, "2001:db8::/64"), Some(vec![(None, 1)]));
        assert_eq!(kind(&n, TABLE_LOCAL, "192.0.2.1/32"), Some(RouteKind::Local(core.index)));
        assert_eq!(kind(&n, TABLE_LOCAL, "2001:db8::1/128"), Some(RouteKind::Local(core.index)));
        assert_eq!(kind(&n, TABLE_LOCAL, "192.0.2.255/32"), Some(RouteKind::Broadcast(core.index)));
        assert!(
            n.view().destinations().all(|(_, p)| p.network() != addr("fe80::")),
            "link-local is not routed"
        );
    });
}

#[test]
fn every_kind_of_route_is_followed() {
    in_namespace(|| async {
        up();
        let mut n = open();
        until(&mut n, Netlink::is_synced).await;
        ip("route add 10.1.0.0/16 via 192.0.2.9 metric 20");
        ip("route add 10.1.0.0/16 via 192.0.2.8 metric 10");
        ip("route add 10.2.0.0/16 nexthop via 192.0.2.8 weight 3 nexthop via 192.0.2.9");
        ip("route add 10.3.0.0/16 via inet6 2001:db8::9 dev core");
        ip("route add 10.4.0.0/16 via 203.0.113.1 dev core onlink");
        ip("route add blackhole 10.5.0.0/16");
        ip("route add unreachable 10.6.0.0/16");
        ip("route add prohibit 10.7.0.0/16");
        ip("route add 10.8.0.0/16 via 192.0.2.9 mtu 1400 table 77");
        ip("route add 10.9.0.0/16 via 192.0.2.9 table 78");
        ip("-6 route add 2001:db8:1::/48 nexthop via 2001:db8::8 nexthop via 2001:db8::9");
        ip("-6 route add blackhole 2001:db8:5::/48");
        ip("route add default via 192.0.2.9");
        until(&mut n, |n| gateways(n, TABLE_MAIN, "0.0.0.0/0").is_some()).await;

        assert_eq!(gateways(&n, TABLE_MAIN, "10.1.0.0/16"), Some(vec![(Some(addr("192.0.2.8")), 1)]));
        let two = vec![(Some(addr("192.0.2.8")), 3), (Some(addr("192.0.2.9")), 1)];
        assert_eq!(gateways(&n, TABLE_MAIN, "10.2.0.0/16"), Some(two));
        assert_eq!(gateways(&n, TABLE_MAIN, "10.3.0.0/16"), Some(vec![(Some(addr("2001:db8::9")), 1)]));
        assert_eq!(gateways(&n, TABLE_MAIN, "10.4.0.0/16"), Some(vec![(Some(addr("203.0.113.1")), 1)]));
        assert_eq!(kind(&n, TABLE_MAIN, "10.5.0.0/16"), Some(RouteKind::Blackhole));
        assert_eq!(kind(&n, TABLE_MAIN, "10.6.0.0/16"), Some(RouteKind::Unreachable));
        assert_eq!(kind(&n, TABLE_MAIN, "10.7.0.0/16"), Some(RouteKind::Prohibit));
        assert_eq!(n.view().routes(77, net("10.8.0.0/16")).next().unwrap().mtu, Some(1400));
        assert_eq!(kind(&n, 78, "10.9.0.0/16"), None, "a table nobody asked for");
        let two = vec![(Some(addr("2001:db8::8")), 1), (Some(addr("2001:db8::9")), 1)];
        assert_eq!(gateways(&n, TABLE_MAIN, "2001:db8:1::/48"), Some(two));
        assert_eq!(kind(&n, TABLE_MAIN, "2001:db8:5::/48"), Some(RouteKind::Blackhole));

        ip("route del 10.1.0.0/16 via 192.0.2.8 metric 10");
        ip("-6 route del 2001:db8:1::/48 via 2001:db8::8");
        ip("route replace 10.2.0.0/16 via 192.0.2.7");
        ip("route del default");
        until(&mut n, |n| gateways(n, TABLE_MAIN, "0.0.0.0/0").is_none()).await;
        assert_eq!(gateways(&n, TABLE_MAIN, "10.1.0.0/16"), Some(vec![(Some(addr("192.0.2.9")), 1)]));
        assert_eq!(gateways(&n, TABLE_MAIN, "10.2.0.0/16"), Some(vec![(Some(addr("192.0.2.7")), 1)]));
        assert_eq!(gateways(&n, TABLE_MAIN, "2001:db8:1::/48"), Some(vec![(Some(addr("2001:db8::9")), 1)]));
    });
}

#[test]
fn routes_of_a_link_that_goes_down_are_gone() {
    in_namespace(|| async {
        up();
        ip("route add 10.1.0.0/16 via 192.0.2.9");
        let mut n = open();
        until(&mut n, |n| n.is_synced() && gateways(n, TABLE_MAIN, "10.1.0.0/16").is_some()).await;
        ip("link set core down");
        until(&mut n, |n| gateways(n, TABLE_MAIN, "10.1.0.0/16").is_none_or(|hops| hops.is_empty())).await;
        assert!(!n.view().link_by_name(0, "core").unwrap().up);
        ip("link del core");
        until(&mut n, |n| n.view().link_by_name(0, "core").is_none()).await;
    });
}

#[test]
fn a_neighbour_that_does_not_answer_fails_and_a_static_one_stays() {
    in_namespace(|| async {
        up();
        for family in ["ipv4", "ipv6"] {
            std::fs::write(format!("/proc/sys/net/{family}/neigh/core/mcast_solicit"), "1").unwrap();
            std::fs::write(format!("/proc/sys/net/{family}/neigh/core/retrans_time_ms"), "50").unwrap();
        }
        let mut n = open();
        until(&mut n, Netlink::is_synced).await;
        let link = n.view().link_by_name(0, "core").unwrap().index;
        for silent in [addr("192.0.2.77"), addr("2001:db8::77")] {
            n.use_neighbour(link, silent).unwrap();
            until(&mut n, |n| n.view().neighbour(link, silent) == Some(NeighbourState::Failed)).await;
        }
        ip("neigh add 192.0.2.8 lladdr 02:00:00:00:00:08 dev core nud permanent");
        // Asked for before we hear that it is static, and after.
        n.use_neighbour(link, addr("192.0.2.8")).unwrap();
        let known = Some(NeighbourState::Static(MacAddr([2, 0, 0, 0, 0, 8])));
        until(&mut n, |n| n.view().neighbour(link, addr("192.0.2.8")) == known).await;
        n.use_neighbour(link, addr("192.0.2.8")).unwrap();
        let shown = Command::new("ip").args(["neigh", "show", "192.0.2.8", "dev", "core"]).output().unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains("02:00:00:00:00:08") && shown.contains("PERMANENT"), "{shown}");
        ip("neigh del 192.0.2.8 dev core");
        until(&mut n, |n| n.view().neighbour(link, addr("192.0.2.8")).is_none()).await;
    });
}

#[test]
fn an_overrun_loses_nothing() {
    in_namespace(|| async {
        up();
        let mut n = open();
        until(&mut n, Netlink::is_synced).await;
        let line =
            |verb: &str, i: u32| format!("route {verb} 10.{}.{}.0/24 via 192.0.2.9\n", 1 + i / 256, i % 256);
        ip_batch(&(0..20_000).map(|i| line("add", i)).collect::<String>());
        ip_batch(&(0..5_000).map(|i| line("del", i)).collect::<String>());
        let last = "10.79.31.0/24"; // number 19999
        let wanted = |n: &Netlink| {
            n.view().destinations().filter(|(t, p)| *t == TABLE_MAIN && p.prefix_len() == 24).count()
                == 15_001
                && gateways(n, TABLE_MAIN, last).is_some()
        };
        until(&mut n, wanted).await;
        assert!(n.overruns() > 0, "the test did not overrun the socket");
    });
}

#[test]
fn a_host_interface_gets_its_mac_and_mtu_and_the_backing_one_falls_silent() {
    in_namespace(|| async {
        let mut n = open();
        until(&mut n, Netlink::is_synced).await;
        let mac = MacAddr([2, 0, 0, 0, 0, 0x42]);
        let want = HostInterface { name: "core".into(), namespace: None, mac, mtu: 1400 };
        let index = prepare_host_interface(n.handle(0).unwrap(), &want).await.unwrap();
        ip("link set peer up");
        until(&mut n, |n| n.view().link(index).is_some_and(|l| l.up && l.mac == Some(mac) && l.mtu == 1400))
            .await;

        let done = quiet_backing_interface(n.handle(0).unwrap(), "peer", None).await.unwrap();
        assert_eq!(done.len(), 5, "{done:?}");
        let read = |p: &str| std::fs::read_to_string(format!("/proc/sys/net/{p}")).unwrap().trim().to_owned();
        assert_eq!(read("ipv6/conf/peer/disable_ipv6"), "1");
        assert_eq!(read("ipv4/conf/peer/rp_filter"), "1");
        assert_eq!(read("ipv6/conf/core/accept_ra"), "0");
        let missing = HostInterface { name: "nowhere".into(), namespace: None, mac, mtu: 1400 };
        let error = prepare_host_interface(n.handle(0).unwrap(), &missing).await.unwrap_err().to_string();
        assert!(error.contains("no interface `nowhere`"), "{error}");
    });
}
