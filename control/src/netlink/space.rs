//! Network namespaces: several kernels' worth of tables in one view.
//!
//! Interface indices and table numbers repeat in every namespace. In the view each carries the number
//! of its *space*: ours is 0, where both are the kernel's own; the others are 1, 2, ... in the order they
//! were opened.

use super::model::{Neighbour, RouteKind, Update};
use nix::sched::{CloneFlags, setns};
use std::fs::File;
use std::io;

/// Number of a network namespace that is followed.
pub type Space = u16;

/// Bits of an interface index; above them is the space.
const INDEX_BITS: u32 = 20;
/// Most spaces.
pub const MAX_SPACES: usize = 1 << (32 - INDEX_BITS);

/// The view's number of the interface with this index; `None`: the index is beyond a million.
#[must_use]
pub fn link_in(space: Space, index: u32) -> Option<u32> {
    (index >> INDEX_BITS == 0).then_some(u32::from(space) << INDEX_BITS | index)
}

/// Space and kernel index of an interface of the view.
#[must_use]
pub fn split_link(link: u32) -> (Space, u32) {
    ((link >> INDEX_BITS) as Space, link & ((1 << INDEX_BITS) - 1))
}

/// The view's number of a routing table.
#[must_use]
pub fn table_in(space: Space, table: u32) -> u64 {
    u64::from(space) << 32 | u64::from(table)
}

/// Space and kernel number of a table of the view.
#[must_use]
pub fn split_table(table: u64) -> (Space, u32) {
    ((table >> 32) as Space, table as u32)
}

/// What a kernel said, in the view's numbers. `None`: about an interface without one.
pub(super) fn update_in(space: Space, mut update: Update) -> Option<Update> {
    match &mut update {
        Update::LinkSet(link) => link.index = link_in(space, link.index)?,
        Update::LinkDel(index) => *index = link_in(space, *index)?,
        Update::AddressSet(address) => address.link = link_in(space, address.link)?,
        Update::AddressDel { link, .. }
        | Update::NeighbourDel { link, .. }
        | Update::NeighbourSet(Neighbour { link, .. }) => *link = link_in(space, *link)?,
        Update::RouteSet { route, .. } | Update::RouteDel(route) => {
            route.key.table = table_in(space, split_table(route.key.table).1);
            // A route without an interface has index 0 in every space.
            if route.key.device != 0 {
                route.key.device = link_in(space, route.key.device)?;
            }
            match &mut route.kind {
                RouteKind::Unicast(hops) => {
                    for hop in hops {
                        hop.link = link_in(space, hop.link)?;
                    }
                }
                RouteKind::Local(link) | RouteKind::Broadcast(link) => *link = link_in(space, *link)?,
                RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit => {}
            }
        }
    }
    Some(update)
}

/// Does something with this thread in another network namespace (by name or path), and comes back.
///
/// # Errors
/// There is no such namespace, or we may not enter it.
pub fn within<T>(namespace: Option<&str>, work: impl FnOnce() -> T) -> io::Result<T> {
    let Some(namespace) = namespace else { return Ok(work()) };
    let home = File::open("/proc/thread-self/ns/net")?;
    setns(File::open(pxtr_dataplane::host::namespace_path(namespace))?, CloneFlags::CLONE_NEWNET)?;
    let done = work();
    setns(home, CloneFlags::CLONE_NEWNET)?;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_apart_as_they_were_put_together() {
        assert_eq!(link_in(0, 7), Some(7));
        assert_eq!(link_in(3, 7).map(split_link), Some((3, 7)));
        assert_eq!(link_in(4095, (1 << 20) - 1).map(split_link), Some((4095, (1 << 20) - 1)));
        assert_eq!(link_in(0, 1 << 20), None);
        assert_eq!(table_in(0, 254), 254);
        assert_eq!(split_table(table_in(2, u32::MAX)), (2, u32::MAX));
    }
}
