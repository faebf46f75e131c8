//! The netlink sockets, one a network namespace: dumps, notifications, overrun recovery, neighbour resolution.
//!
//! Subscribe first, dump second: notifications that come in during a dump wait in the socket and
//! are read after it, so the view ends where the kernel is. An overrun (ENOBUFS: the kernel had
//! more to say than the socket holds) is answered by another full dump, whose difference to the
//! view is all that is passed on.

use super::error::Error;
use super::host_route::{self, HostRoute};
use super::model::{NeighbourState, Update};
use super::parse;
use super::space::{Space, split_link, update_in, within};
use super::view::{Changed, Interest, KernelView};
use futures_util::{Stream, TryStreamExt};
use netlink_packet_core::{
    NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourFlags, NeighbourMessage};
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, SocketAddr, TokioSocket};
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};
use rtnetlink::{Handle, MulticastGroup};
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Room for notifications while we are busy, bytes. 1 MiB is some 5,000 routes.
const RECEIVE_BUFFER: usize = 1 << 20;
/// Largest datagram: a multipath route of hundreds of legs.
const DATAGRAM: usize = 64 << 10;
/// A netlink message header, bytes.
const HEADER: usize = 16;
/// Most datagrams taken by one call of [`Netlink::next`].
const DATAGRAMS_PER_CALL: usize = 64;
/// Updates that travel together from the dump.
const DUMP_BATCH: usize = 512;
/// Wait before a dump that follows a link change: they come in groups.
const SETTLE: Duration = Duration::from_millis(20);
/// Wait before a failed dump is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How much to dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Links, addresses, routes, neighbours.
    All,
    /// Routes alone: the kernel drops routes of a link that goes down without a word.
    Routes,
}

/// From the task that dumps to [`Netlink::next`].
enum DumpPart {
    Updates(Vec<Update>),
    Done,
    Failed(Error),
}

/// A dump under way.
struct Dump {
    scope: Scope,
    parts: mpsc::Receiver<DumpPart>,
    task: JoinHandle<()>,
}

/// What follows one network namespace.
struct Follower {
    space: Space,
    socket: TokioSocket,
    handle: Handle,
    connection: JoinHandle<()>,
    dump: Option<Dump>,
    wanted: Option<Scope>,
    synced: bool,
}

/// The kernel's tables, followed: those of our network namespace and of the tenants'.
pub struct Netlink {
    followers: Vec<Follower>,
    /// Who is asked first the next time: none is to starve the others.
    turn: usize,
    view: KernelView,
    buffer: Vec<u8>,
    tally: Tally,
}

/// What went wrong so far.
#[derive(Debug, Default)]
struct Tally {
    /// Times the kernel had more to say than the socket held.
    overruns: u64,
    /// Messages passed over because they could not be decoded.
    undecodable: u64,
}

impl Netlink {
    /// Subscribes and starts the first dump, in our network namespace and in `others` (names or paths),
    /// which become spaces 1, 2, ... To be called inside a tokio runtime.
    ///
    /// # Errors
    /// No netlink socket, or no such namespace.
    pub fn open(interest: Interest, others: &[String]) -> Result<Self, Error> {
        let mut followers = vec![Follower::open(0).map_err(Error::Socket)?];
        for (space, name) in (1..).zip(others) {
            let opened = within(Some(name), || Follower::open(space));
            let opened = opened.map_err(|source| Error::Namespace { name: name.clone(), source })?;
            followers.push(opened.map_err(Error::Socket)?);
        }
        let mut view = KernelView::new(interest);
        for follower in &mut followers {
            follower.start_dump(&mut view, Scope::All, Duration::ZERO);
        }
        let buffer = Vec::with_capacity(DATAGRAM);
        Ok(Self { followers, turn: 0, view, buffer, tally: Tally::default() })
    }

    /// The copy.
    #[must_use]
    pub fn view(&self) -> &KernelView {
        &self.view
    }

    /// For requests that are not about the view; `None`: that namespace is not followed.
    #[must_use]
    pub fn handle(&self, space: Space) -> Option<&Handle> {
        self.followers.get(usize::from(space)).map(|follower| &follower.handle)
    }

    /// The first dumps are complete.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.followers.iter().all(|follower| follower.synced)
    }

    /// Times the kernel had more to say than the socket held.
    #[must_use]
    pub fn overruns(&self) -> u64 {
        self.tally.overruns
    }

    /// Messages of the kernel passed over because they could not be decoded.
    #[must_use]
    pub fn undecodable(&self) -> u64 {
        self.tally.undecodable
    }

    /// Waits for something to change. Cancel-safe. May return nothing.
    ///
    /// # Errors
    /// The socket broke; or a dump failed, then it is tried again by the next call.
    pub async fn next(&mut self) -> Result<Vec<Changed>, Error> {
        let Self { followers, turn, view, buffer, tally } = self;
        poll_fn(|cx| {
            let count = followers.len();
            for step in 0..count {
                let at = (*turn + step) % count;
                let Some(follower) = followers.get_mut(at) else { continue };
                if let Poll::Ready(done) = follower.poll(cx, view, buffer, tally) {
                    *turn = at + 1;
                    return Poll::Ready(done);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Makes the kernel resolve a neighbour, or confirm one it knows (NTF_USE). Does not wait.
    ///
    /// Not one that somebody wrote down: NTF_USE would make it an ordinary one, and the address be forgotten
    /// (Linux 5.16 and later, `__neigh_update`). For the same reason one that we do not know is asked for only if the
    /// kernel does not know it either.
    ///
    /// # Errors
    /// The kernel could not be asked.
    pub fn use_neighbour(&self, link: u32, addr: IpAddr) -> Result<(), Error> {
        let flags = match self.view.neighbour(link, addr) {
            Some(NeighbourState::Static(_)) => return Ok(()),
            Some(_) => NLM_F_CREATE,
            None => NLM_F_CREATE | NLM_F_EXCL,
        };
        let mut message = NeighbourMessage::default();
        message.header.family = match addr {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        let (space, index) = split_link(link);
        message.header.ifindex = index;
        message.header.flags = NeighbourFlags::Use;
        message.attributes.push(NeighbourAttribute::Destination(addr.into()));
        self.send(space, RouteNetlinkMessage::NewNeighbour(message), flags)
    }

    /// Makes the kernel have a host route out of an interface, or lose it. Does not wait. Requests
    /// are carried out in the order of the calls; routes go with their interface.
    ///
    /// # Errors
    /// The kernel could not be asked.
    pub fn host_route(&self, route: HostRoute) -> Result<(), Error> {
        let (space, _) = split_link(route.link);
        let message = host_route::message(route);
        if route.present {
            self.send(space, RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)
        } else {
            self.send(space, RouteNetlinkMessage::DelRoute(message), 0)
        }
    }

    /// Gives an interface a carrier or takes it away, as if a cable were plugged. Does not wait.
    ///
    /// # Errors
    /// The kernel could not be asked.
    pub fn set_carrier(&self, link: u32, on: bool) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        let (space, index) = split_link(link);
        message.header.index = index;
        message.attributes.push(LinkAttribute::Carrier(u8::from(on)));
        self.send(space, RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Sends a request whose effect, or lack of it, is seen as a notification.
    fn send(&self, space: Space, message: RouteNetlinkMessage, flags: u16) -> Result<(), Error> {
        let Some(follower) = self.followers.get(usize::from(space)) else { return Ok(()) };
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        follower.socket.socket_ref().send(&bytes, 0).map(|_| ()).map_err(Error::Send)
    }
}

impl Follower {
    /// Opens sockets in the namespace that the thread is in.
    fn open(space: Space) -> io::Result<Self> {
        let socket = subscribe()?;
        let (connection, handle, _) = rtnetlink::new_connection()?;
        let connection = tokio::spawn(connection);
        Ok(Self { space, socket, handle, connection, dump: None, wanted: None, synced: false })
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        view: &mut KernelView,
        buffer: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Poll<Result<Vec<Changed>, Error>> {
        if self.dump.is_none()
            && let Some(scope) = self.wanted.take()
        {
            // The more routes there are, the more a dump costs: wait longer for more to change.
            let settle = Duration::from_micros(view.route_count() as u64);
            self.start_dump(view, scope, SETTLE + settle);
        }
        match &mut self.dump {
            Some(dump) => dump.parts.poll_recv(cx).map(|part| self.on_dump_part(view, part)),
            None => self.poll_notifications(cx, view, buffer, tally),
        }
    }

    fn start_dump(&mut self, view: &mut KernelView, scope: Scope, delay: Duration) {
        let (sender, parts) = mpsc::channel(4);
        view.begin_dump(self.space);
        let task = tokio::spawn(run_dump(self.handle.clone(), scope, delay, sender));
        self.dump = Some(Dump { scope, parts, task });
    }

    fn on_dump_part(&mut self, view: &mut KernelView, part: Option<DumpPart>) -> Result<Vec<Changed>, Error> {
        match part {
            Some(DumpPart::Updates(updates)) => {
                let updates = updates.into_iter().filter_map(|update| update_in(self.space, update));
                Ok(updates.filter_map(|update| view.apply(update)).collect())
            }
            Some(DumpPart::Done) => {
                let scope = self.dump.take().map_or(Scope::All, |d| d.scope);
                self.synced = true;
                Ok(view.end_dump(self.space, scope == Scope::Routes))
            }
            Some(DumpPart::Failed(e)) => {
                self.restart_dump(view);
                Err(e)
            }
            None => {
                self.restart_dump(view);
                Ok(Vec::new())
            }
        }
    }

    fn restart_dump(&mut self, view: &mut KernelView) {
        let scope = self.dump.take().map_or(Scope::All, |d| d.scope);
        self.start_dump(view, scope, RETRY);
    }

    fn poll_notifications(
        &mut self,
        cx: &mut Context<'_>,
        view: &mut KernelView,
        buffer: &mut Vec<u8>,
        tally: &mut Tally,
    ) -> Poll<Result<Vec<Changed>, Error>> {
        let mut changed = Vec::new();
        for taken in 0..DATAGRAMS_PER_CALL {
            buffer.clear();
            match self.socket.poll_recv(cx, buffer) {
                Poll::Pending if taken == 0 => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Ok(())) => {
                    let more = digest(self.space, view, &mut tally.undecodable, buffer, &mut changed);
                    self.wanted = widest(self.wanted, more);
                }
                Poll::Ready(Err(e)) if e.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                    tally.overruns += 1;
                    self.wanted = Some(Scope::All);
                }
                Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(e)) => return Poll::Ready(Err(Error::Receive(e))),
            }
        }
        Poll::Ready(Ok(changed))
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.connection.abort();
        if let Some(dump) = &self.dump {
            dump.task.abort();
        }
    }
}

fn widest(a: Option<Scope>, b: Option<Scope>) -> Option<Scope> {
    if a == Some(Scope::All) { a } else { b.or(a) }
}

fn subscribe() -> io::Result<TokioSocket> {
    let mut out = TokioSocket::new(NETLINK_ROUTE)?;
    let groups = [
        MulticastGroup::Link,
        MulticastGroup::Neigh,
        MulticastGroup::Ipv4Ifaddr,
        MulticastGroup::Ipv6Ifaddr,
        MulticastGroup::Ipv4Route,
        MulticastGroup::Ipv6Route,
    ];
    let mask = groups.iter().fold(0u32, |mask, g| mask | 1 << (*g as u32 - 1));
    let socket = out.socket_mut();
    socket.bind(&SocketAddr::new(0, mask))?;
    // Beyond net.core.rmem_max needs CAP_NET_ADMIN; without it the usual buffer must do.
    if setsockopt(socket, RcvBufForce, &RECEIVE_BUFFER).is_err() {
        socket.set_rx_buf_sz(RECEIVE_BUFFER as i32)?;
    }
    Ok(out)
}

/// Applies a datagram of one or more messages. Returns the dump that it makes necessary, if any.
fn digest(
    space: Space,
    view: &mut KernelView,
    undecodable: &mut u64,
    mut bytes: &[u8],
    changed: &mut Vec<Changed>,
) -> Option<Scope> {
    let mut wanted = None;
    while let Some(length) = bytes.first_chunk().map(|l| u32::from_ne_bytes(*l) as usize) {
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes);
        bytes = bytes.get(length.max(HEADER).next_multiple_of(4)..).unwrap_or_default();
        // What the decoder does not know (a newer kernel's attribute of a new shape) is passed over.
        let Ok(message) = message else {
            *undecodable += 1;
            continue;
        };
        match &message.payload {
            NetlinkPayload::InnerMessage(inner) => {
                let replace = message.header.flags & NLM_F_REPLACE != 0;
                let update = parse::update(inner, replace).and_then(|update| update_in(space, update));
                let Some(update) = update else { continue };
                let address_gone = matches!(update, Update::AddressDel { .. });
                let change = view.apply(update);
                // Routes that leave together with a link or an address are not always announced.
                if matches!(change, Some(Changed::Link(_))) || address_gone && change.is_some() {
                    wanted = widest(wanted, Some(Scope::Routes));
                }
                changed.extend(change);
            }
            NetlinkPayload::Overrun(_) => wanted = Some(Scope::All),
            // Answers to requests: their effect comes as a notification.
            _ => {}
        }
    }
    wanted
}

async fn run_dump(handle: Handle, scope: Scope, delay: Duration, sender: mpsc::Sender<DumpPart>) {
    tokio::time::sleep(delay).await;
    let last = match dump(&handle, scope, &sender).await {
        Ok(()) => DumpPart::Done,
        Err(e) => DumpPart::Failed(e),
    };
    // Nobody waits any more: the process ends.
    let _ = sender.send(last).await;
}

async fn dump(handle: &Handle, scope: Scope, to: &mpsc::Sender<DumpPart>) -> Result<(), Error> {
    use RouteNetlinkMessage as M;
    if scope == Scope::All {
        forward(handle.link().get().execute().map_ok(M::NewLink), "links", to).await?;
        forward(handle.address().get().execute().map_ok(M::NewAddress), "addresses", to).await?;
    }
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut request = RouteMessage::default();
        request.header.address_family = family;
        forward(handle.route().get(request).execute().map_ok(M::NewRoute), "routes", to).await?;
    }
    if scope == Scope::All {
        let neighbours = handle.neighbours().get().execute();
        forward(neighbours.map_ok(M::NewNeighbour), "neighbours", to).await?;
    }
    Ok(())
}

async fn forward<S>(stream: S, what: &'static str, to: &mpsc::Sender<DumpPart>) -> Result<(), Error>
where
    S: Stream<Item = Result<RouteNetlinkMessage, rtnetlink::Error>>,
{
    let mut stream = std::pin::pin!(stream);
    let mut batch = Vec::with_capacity(DUMP_BATCH);
    let fail = |source| Error::Dump { what, source: Box::new(source) };
    while let Some(message) = stream.try_next().await.map_err(fail)? {
        batch.extend(parse::update(&message, false));
        if batch.len() >= DUMP_BATCH && to.send(DumpPart::Updates(std::mem::take(&mut batch))).await.is_err()
        {
            return Ok(());
        }
    }
    if !batch.is_empty() {
        // Nobody waits any more: the process ends.
        let _ = to.send(DumpPart::Updates(batch)).await;
    }
    Ok(())
}
