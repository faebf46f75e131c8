//! `lig` against a Map-Resolver of its own on loopback.

use super::ask::{Question, ask};
use crate::codec::{Address, CONTROL_PORT, EidRecord, LocatorRecord, MapReply, Message};
use crate::engine::event::{EidPrefix, Iid};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A Map-Resolver at `address`:4342 that ignores the first `deaf` requests, answers one with a wrong
/// nonce, then rightly, from another socket.
fn resolver(address: &str, deaf: usize) -> JoinHandle<Address> {
    let socket = UdpSocket::bind((address, CONTROL_PORT)).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        for _ in 0..deaf {
            socket.recv_from(&mut buffer).unwrap();
        }
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        let Ok(Message::Ecm(ecm)) = Message::decode(&buffer[..length]) else { panic!("no ECM") };
        let Ok(Message::MapRequest(request)) = Message::decode(&ecm.payload) else { panic!("no request") };
        let eid = request.records[0].eid_prefix().unwrap();
        assert_eq!(ecm.inner.destination, eid.prefix.addr());
        let to = SocketAddr::new(request.itr_rlocs[0].rloc().unwrap(), ecm.inner.source_port);
        let other = UdpSocket::bind((to.ip(), 0)).unwrap();
        let prefix = EidPrefix { iid: eid.iid, prefix: "10.4.0.0/24".parse().unwrap() };
        let mut record = EidRecord::new(prefix, 1440);
        record.locators = vec![LocatorRecord::new("198.51.100.6".parse().unwrap(), 1, 100)];
        for nonce in [request.nonce.wrapping_add(1), request.nonce] {
            let records = vec![record.clone()];
            let reply = MapReply { probe: false, echo_nonce: false, nonce, records, security: None };
            other.send_to(&Message::MapReply(reply).to_bytes().unwrap(), to).unwrap();
        }
        request.itr_rlocs[0].clone()
    })
}

fn question(count: u8) -> Question {
    Question {
        eid: "10.4.0.1".parse().unwrap(),
        iid: Iid(7),
        authoritative: false,
        itr_rlocs: Vec::new(),
        count,
        timeout: Duration::from_millis(300),
    }
}

#[test]
fn r061_lig_tries_again_and_takes_the_answer_from_anywhere() {
    let address: IpAddr = "127.77.0.1".parse().unwrap();
    let map_resolver = resolver("127.77.0.1", 1);
    let (asked, reply) = ask(&question(3), &[address]).unwrap();
    let reply = reply.unwrap();
    assert_eq!(asked, [address, address]);
    assert_eq!(reply.map_resolver, address);
    assert!(reply.from.ip().is_loopback() && reply.rtt_ms < 300.0);
    let record = &reply.records[0];
    assert_eq!((record.instance_id, record.eid_prefix), (7, "10.4.0.0/24".parse().ok()));
    assert_eq!(record.locators[0].rloc, "198.51.100.6".parse().ok());
    let itr_rloc = map_resolver.join().unwrap();
    assert!(itr_rloc.rloc().unwrap().is_loopback(), "what the kernel would send from");
}

#[test]
fn silence_ends_after_all_tries() {
    let silent: [IpAddr; 2] = ["127.77.0.2".parse().unwrap(), "127.77.0.3".parse().unwrap()];
    let quick = Question { timeout: Duration::from_millis(20), ..question(3) };
    let (asked, reply) = ask(&quick, &silent).unwrap();
    assert_eq!(asked, [silent[0], silent[1], silent[0]]);
    assert!(reply.is_none());
}
