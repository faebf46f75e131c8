//! The sockets themselves.

use super::error::{BindError, SendError};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo, RcvBufForce};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrLike, SockaddrStorage,
    recvmsg, sendmsg, setsockopt,
};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// UDP port of LISP control messages (RFC 9301 section 12.1).
pub const CONTROL_PORT: u16 = 4342;
/// Largest message accepted; the largest that 255 locators with LCAF addresses need is below.
const DATAGRAM: usize = 16 << 10;
/// Room for messages while the control thread is busy, bytes.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A datagram that came in.
#[derive(Debug, PartialEq, Eq)]
pub struct Received<'a> {
    /// Sender.
    pub from: SocketAddr,
    /// Our address and port.
    pub to: SocketAddr,
    /// Index of the interface it came in by.
    pub interface: u32,
    /// UDP payload.
    pub payload: &'a [u8],
}

/// The sockets, one per family that this kernel has.
#[derive(Debug)]
pub struct ControlSockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    port: u16,
    buffer: Box<[u8]>,
    control: Vec<u8>,
    /// Datagrams longer than any message may be, or without a destination address.
    malformed: u64,
}

impl ControlSockets {
    /// Binds `port` on both families. A family that fails is reported, the other one is used.
    #[must_use]
    pub fn bind(port: u16) -> (Self, Vec<BindError>) {
        let mut errors = Vec::new();
        let mut open = |address: IpAddr| match open(address, port) {
            Ok(socket) => Some(socket),
            Err(source) => {
                errors.push(BindError { address, port, source });
                None
            }
        };
        let sockets = Self {
            v4: open(Ipv4Addr::UNSPECIFIED.into()),
            v6: open(Ipv6Addr::UNSPECIFIED.into()),
            port,
            buffer: vec![0; DATAGRAM].into(),
            control: cmsg_space!(in_pktinfo, in6_pktinfo),
            malformed: 0,
        };
        (sockets, errors)
    }

    /// Neither family could be bound.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        self.v4.is_none() && self.v6.is_none()
    }

    /// Datagrams dropped because they were longer than any message, or had no destination address.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Waits until [`Self::receive`] may have something. Cancel-safe.
    ///
    /// # Errors
    /// The event loop failed.
    pub async fn readable(&self) -> io::Result<()> {
        match (&self.v4, &self.v6) {
            (Some(v4), Some(v6)) => tokio::select! {
                r = v4.readable() => r,
                r = v6.readable() => r,
            },
            (Some(one), None) | (None, Some(one)) => one.readable().await,
            (None, None) => std::future::pending().await,
        }
    }

    /// Hands up to `limit` waiting datagrams of each family to `each`. Returns how many there were.
    pub fn receive(&mut self, limit: usize, mut each: impl FnMut(Received<'_>)) -> usize {
        let Self { v4, v6, port, buffer, control, malformed } = self;
        let mut count = 0;
        for socket in [v4, v6].into_iter().flatten() {
            for _ in 0..limit {
                match socket.try_io(Interest::READABLE, || receive_one(socket, *port, buffer, control)) {
                    Ok(Some((length, from, to, interface))) => {
                        let payload = buffer.get(..length).unwrap_or_default();
                        each(Received { from, to, interface, payload });
                    }
                    Ok(None) => *malformed += 1,
                    // Nothing more; or an error of an earlier datagram, which is only a hint.
                    Err(_) => break,
                }
                count += 1;
            }
        }
        count
    }

    /// Sends a datagram, from `source` if given. Does not wait: a full buffer is an error.
    ///
    /// # Errors
    /// The kernel refused, or there is no socket of this family.
    pub fn send(&self, source: Option<IpAddr>, to: SocketAddr, payload: &[u8]) -> Result<(), SendError> {
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        let socket = socket.as_ref().ok_or(SendError::NoSocket(to))?;
        let iov = [IoSlice::new(payload)];
        let fd = socket.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        let sent = match (to, source) {
            (SocketAddr::V4(to), None) => sendmsg(fd, &iov, &[], flags, Some(&SockaddrIn::from(to))),
            (SocketAddr::V6(to), None) => sendmsg(fd, &iov, &[], flags, Some(&SockaddrIn6::from(to))),
            (SocketAddr::V4(to), Some(IpAddr::V4(from))) => {
                let spec = in_addr { s_addr: u32::from_ne_bytes(from.octets()) };
                let info = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: spec, ipi_addr: in_addr { s_addr: 0 } };
                let control = [ControlMessage::Ipv4PacketInfo(&info)];
                sendmsg(fd, &iov, &control, flags, Some(&SockaddrIn::from(to)))
            }
            (SocketAddr::V6(to), Some(IpAddr::V6(from))) => {
                let info = in6_pktinfo { ipi6_ifindex: 0, ipi6_addr: in6_addr { s6_addr: from.octets() } };
                let control = [ControlMessage::Ipv6PacketInfo(&info)];
                sendmsg(fd, &iov, &control, flags, Some(&SockaddrIn6::from(to)))
            }
            (to, Some(source_address)) => return Err(SendError::MixedFamilies { source_address, to }),
        };
        sent.map(|_| ()).map_err(|e| SendError::Kernel { to, bytes: payload.len(), source: e.into() })
    }
}

/// No SO_REUSEADDR: for UDP it would let a second daemon take our messages in silence.
fn open(address: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if address.is_ipv4() {
        setsockopt(&socket, Ipv4PacketInfo, &true)?;
    } else {
        socket.set_only_v6(true)?;
        setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
    }
    // Beyond net.core.rmem_max needs CAP_NET_ADMIN; without it the usual buffer must do.
    if setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    socket.bind(&SocketAddr::new(address, port).into())?;
    UdpSocket::from_std(socket.into())
}

/// Length, sender, our address, interface. `None`: not a message.
type Datagram = Option<(usize, SocketAddr, SocketAddr, u32)>;

fn receive_one(socket: &UdpSocket, port: u16, buffer: &mut [u8], control: &mut [u8]) -> io::Result<Datagram> {
    let mut iov = [IoSliceMut::new(buffer)];
    let message = loop {
        match recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut iov, Some(control), MsgFlags::MSG_DONTWAIT)
        {
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
            Ok(message) => break message,
        }
    };
    let from = message.address.as_ref().and_then(socket_addr);
    let truncated = message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC);
    let to = match message.cmsgs() {
        Ok(cmsgs) => cmsgs.filter_map(|c| destination(&c)).next(),
        Err(_) => None,
    };
    Ok(match (from, to) {
        (Some(from), Some((to, interface))) if !truncated && !to.is_multicast() => {
            Some((message.bytes, from, SocketAddr::new(to, port), interface))
        }
        _ => None,
    })
}

fn socket_addr(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|a| SocketAddr::new(a.ip().into(), a.port()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|a| SocketAddr::new(a.ip().into(), a.port())))
        .filter(|_| storage.family().is_some())
}

fn destination(control: &ControlMessageOwned) -> Option<(IpAddr, u32)> {
    match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            let addr = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes());
            Some((addr.into(), u32::try_from(info.ipi_ifindex).ok()?))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some((Ipv6Addr::from(info.ipi6_addr.s6_addr).into(), info.ipi6_ifindex))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two daemons' sockets on loopback: ports that the system chooses can not be known before, so
    /// the far end is a plain socket.
    async fn exchange(ours: IpAddr, peer: IpAddr) {
        let free = std::net::UdpSocket::bind((ours, 0)).unwrap().local_addr().unwrap().port();
        let (mut sockets, errors) = ControlSockets::bind(free);
        assert!(errors.is_empty(), "{errors:?}");
        let far = UdpSocket::bind((peer, 0)).await.unwrap();
        far.send_to(b"request", (ours, free)).await.unwrap();
        far.send_to(b"", (ours, free)).await.unwrap();
        let mut got = Vec::new();
        while got.len() < 2 {
            sockets.readable().await.unwrap();
            sockets.receive(64, |r| {
                assert!(r.interface > 0);
                got.push((r.from, r.to, r.payload.to_vec()));
            });
        }
        let (from, to) = (far.local_addr().unwrap(), SocketAddr::new(ours, free));
        assert_eq!(got, [(from, to, b"request".to_vec()), (from, to, Vec::new())]);
        sockets.send(Some(ours), from, b"reply").unwrap();
        let mut buffer = [0; 64];
        let (length, source) = far.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..length], source), (&b"reply"[..], to));
        sockets.send(None, from, b"again").unwrap();
        assert_eq!(far.recv_from(&mut buffer).await.unwrap().0, 5);
    }

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn both_families_know_and_choose_addresses() {
        run(async {
            // 127.0.0.2 is as much ours as 127.0.0.1: the answer must come from the one asked.
            exchange("127.0.0.2".parse().unwrap(), "127.0.0.1".parse().unwrap()).await;
            exchange("::1".parse().unwrap(), "::1".parse().unwrap()).await;
        });
    }

    #[test]
    fn a_taken_port_is_reported_with_a_remedy() {
        run(async {
            let taken = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
            let (sockets, errors) = ControlSockets::bind(taken.local_addr().unwrap().port());
            assert_eq!(errors.len(), 1);
            assert!(errors[0].to_string().contains("another LISP daemon"), "{}", errors[0]);
            assert!(!sockets.is_deaf(), "IPv6 works on");
            let to = "127.0.0.1:1".parse().unwrap();
            assert!(matches!(sockets.send(None, to, b""), Err(SendError::NoSocket(_))));
            let mixed = sockets.send(Some("127.0.0.1".parse().unwrap()), "[::1]:1".parse().unwrap(), b"");
            assert!(matches!(mixed, Err(SendError::MixedFamilies { .. })));
        });
    }

    #[test]
    fn work_per_call_is_bounded_and_long_datagrams_are_dropped() {
        run(async {
            let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let (mut sockets, _) = ControlSockets::bind(free);
            let far = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            for _ in 0..10 {
                far.send_to(b"x", ("127.0.0.1", free)).unwrap();
            }
            far.send_to(&[0; DATAGRAM + 1], ("127.0.0.1", free)).unwrap();
            sockets.readable().await.unwrap();
            assert_eq!(sockets.receive(4, |_| {}), 4);
            let mut seen = 0;
            assert_eq!(sockets.receive(64, |_| seen += 1), 7);
            assert_eq!((seen, sockets.malformed()), (6, 1));
            assert_eq!(sockets.receive(64, |_| {}), 0);
        });
    }
}
