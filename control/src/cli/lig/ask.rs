//! Map-Requests over a socket of our own, and the wait for their answer.

use super::report::LigReply;
use crate::api::decoded;
use crate::codec::{Address, CONTROL_PORT, Ecm, EncodeError, InnerHeader, MapRequest, Message};
use crate::engine::event::{EidPrefix, Iid};
use ipnet::IpNet;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Longest answer that is read.
const DATAGRAM: usize = 16 << 10;
/// Inner sources of an ECM when none of our addresses is of the EID's family: RFC 7600's dummy
/// address and one of the discard prefix (RFC 6666). Nobody answers to it.
const DUMMY_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 0, 8));
const DUMMY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1));

/// Why nothing could be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// No socket.
    #[error("no UDP socket: {0}")]
    Socket(io::Error),
    /// No way to the Map-Resolver.
    #[error("can not send to Map-Resolver {to}: {error}")]
    Send {
        /// The Map-Resolver.
        to: IpAddr,
        /// The system's answer.
        error: io::Error,
    },
    /// No random numbers.
    #[error("no random numbers for the nonce: {0}")]
    Random(getrandom::Error),
    /// The message has no form on the wire.
    #[error("can not ask for this: {0}")]
    Encode(#[from] EncodeError),
}

/// One EID, and how it is asked for.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) eid: IpAddr,
    pub(super) iid: Iid,
    pub(super) authoritative: bool,
    /// Addresses that an answer may come to; one per family counts. Empty: what the kernel chooses.
    pub(super) itr_rlocs: Vec<IpAddr>,
    pub(super) count: u8,
    pub(super) timeout: Duration,
}

struct Sent {
    nonce: u64,
    at: Instant,
    to: IpAddr,
}

/// Asks the Map-Resolvers in turn until one answer comes. Returns whom it asked, and the answer.
pub(super) fn ask(
    question: &Question,
    resolvers: &[IpAddr],
) -> Result<(Vec<IpAddr>, Option<LigReply>), AskError> {
    let (socket, v6) = open().map_err(AskError::Socket)?;
    let port = socket.local_addr().map_err(AskError::Socket)?.port();
    let mut sent: Vec<Sent> = Vec::new();
    for &to in resolvers.iter().cycle().take(usize::from(question.count)) {
        let fail = |error| AskError::Send { to, error };
        let nonce = getrandom::u64().map_err(AskError::Random)?;
        let payload = request(question, to, port, nonce).map_err(|e| match e {
            RequestError::NoWay(error) => fail(error),
            RequestError::Encode(error) => AskError::Encode(error),
        })?;
        sent.push(Sent { nonce, at: Instant::now(), to });
        socket.send_to(&payload, SocketAddr::new(on_socket(to, v6), CONTROL_PORT)).map_err(fail)?;
        if let Some(reply) = wait(&socket, &sent, question.timeout).map_err(AskError::Socket)? {
            return Ok((sent.iter().map(|s| s.to).collect(), Some(reply)));
        }
    }
    Ok((sent.iter().map(|s| s.to).collect(), None))
}

/// A socket of both families, or of IPv4 where the kernel has no IPv6: an ETR answers to the family
/// that it has. True: IPv4 addresses are mapped.
fn open() -> io::Result<(UdpSocket, bool)> {
    let both = || {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_only_v6(false)?;
        socket.bind(&SockAddr::from(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))))?;
        Ok::<_, io::Error>(socket.into())
    };
    match both() {
        Ok(socket) => Ok((socket, true)),
        Err(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map(|socket| (socket, false)),
    }
}

fn on_socket(to: IpAddr, v6: bool) -> IpAddr {
    match to {
        IpAddr::V4(v4) if v6 => v4.to_ipv6_mapped().into(),
        _ => to,
    }
}

enum RequestError {
    NoWay(io::Error),
    Encode(EncodeError),
}

/// A Map-Request in an ECM (RFC 6835 section 4, RFC 9301 section 5.8). The answer goes to the inner
/// source port (TRAP 17), which is that of our socket.
fn request(question: &Question, resolver: IpAddr, port: u16, nonce: u64) -> Result<Vec<u8>, RequestError> {
    let mut itr_rlocs = question.itr_rlocs.clone();
    if !itr_rlocs.iter().any(|r| r.is_ipv4() == resolver.is_ipv4()) {
        itr_rlocs.insert(0, source_towards(resolver).map_err(RequestError::NoWay)?);
    }
    let eid = EidPrefix { iid: question.iid, prefix: IpNet::from(question.eid) };
    let mut request = MapRequest::new(nonce, eid, itr_rlocs.iter().copied().map(Address::Ip).collect());
    request.authoritative = question.authoritative;
    let dummy = if question.eid.is_ipv4() { DUMMY_V4 } else { DUMMY_V6 };
    let source = itr_rlocs.iter().copied().find(|r| r.is_ipv4() == question.eid.is_ipv4()).unwrap_or(dummy);
    let encode = |message: Message| message.to_bytes().map_err(RequestError::Encode);
    let payload = encode(Message::MapRequest(request))?;
    encode(Message::Ecm(Ecm::new(InnerHeader::new(source, port, question.eid), payload)))
}

/// The address that the kernel would send from.
fn source_towards(to: IpAddr) -> io::Result<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((to, CONTROL_PORT))?;
    Ok(socket.local_addr()?.ip())
}

/// Waits for a Map-Reply with one of our nonces; who sends it does not matter.
fn wait(socket: &UdpSocket, sent: &[Sent], timeout: Duration) -> io::Result<Option<LigReply>> {
    let until = Instant::now() + timeout;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        socket.set_read_timeout(Some(left))?;
        let (length, from) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Ok(None);
            }
            // ICMP errors are hints that anybody can forge.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(e) => return Err(e),
        };
        let message = Message::decode(buffer.get(..length).unwrap_or_default());
        let Ok(Message::MapReply(reply)) = message else { continue };
        let Some(asked) = sent.iter().find(|s| s.nonce == reply.nonce && !reply.probe) else { continue };
        return Ok(Some(LigReply {
            from: SocketAddr::new(from.ip().to_canonical(), from.port()),
            map_resolver: asked.to,
            rtt_ms: asked.at.elapsed().as_secs_f64() * 1e3,
            records: decoded(&Message::MapReply(reply)).records,
        }));
    }
}
