//! Two ports back to back in one process: what one sends the other receives. For tests and benches
//! that put a traffic source and the data plane into one process.

use crate::bindings as c;
use crate::eal::Eal;
use crate::error::{Errno, Error};
use crate::port::OpenPort;
use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;

/// Packets a ring holds.
const SIZE: u32 = 1024;

/// The rings of a pair; freed, with the packets in them, after both ports are closed.
#[derive(Debug)]
pub(crate) struct Rings(Vec<NonNull<c::rte_ring>>);

// SAFETY: nothing but Drop touches the pointers, after both ports are gone.
unsafe impl Send for Rings {}
// SAFETY: as above.
unsafe impl Sync for Rings {}

impl Rings {
    fn add(&mut self, name: &str, count: u16) -> Result<Vec<*mut c::rte_ring>, Error> {
        let fail = |name: &str| Error::Ring(name.into());
        let from = self.0.len();
        for queue in 0..count {
            let name = format!("{name}_{queue}");
            let text = CString::new(name.as_str()).map_err(|_| fail(&name))?;
            // SAFETY: a string that DPDK copies.
            let ring = unsafe { c::pxtr_ring_create(text.as_ptr(), SIZE) };
            self.0.push(NonNull::new(ring).ok_or_else(|| fail(&name))?);
        }
        Ok(self.0[from..].iter().map(|ring| ring.as_ptr()).collect())
    }
}

impl Drop for Rings {
    fn drop(&mut self) {
        for ring in &self.0 {
            // SAFETY: both ports, the only users, hold an Arc on this and are gone.
            unsafe { c::pxtr_ring_drain_and_free(ring.as_ptr()) };
        }
    }
}

/// Makes two ports of `queues` queues each; what one sends on queue n the other receives on queue n.
/// Their names are `net_ring_NAMEa` and `net_ring_NAMEb`.
///
/// # Errors
/// A name that is taken or longer than about 20 letters, not enough memory.
pub fn ring_pair(_eal: &Eal, name: &str, queues: u16) -> Result<(OpenPort, OpenPort), Error> {
    let mut rings = Rings(Vec::new());
    let mut forth = rings.add(&format!("{name}f"), queues)?;
    let mut back = rings.add(&format!("{name}b"), queues)?;
    let rings = Arc::new(rings);
    let a = from_rings(&format!("{name}a"), &mut back, &mut forth, rings.clone())?;
    let b = from_rings(&format!("{name}b"), &mut forth, &mut back, rings)?;
    Ok((a, b))
}

fn from_rings(
    name: &str,
    rx: &mut [*mut c::rte_ring],
    tx: &mut [*mut c::rte_ring],
    rings: Arc<Rings>,
) -> Result<OpenPort, Error> {
    let fail = || Error::Ring(name.into());
    let text = CString::new(name).map_err(|_| fail())?;
    // SAFETY: two arrays of as many rings as queues, alive during the call; the rings stay alive as
    // long as the port, which holds `rings`.
    let ret =
        unsafe { c::pxtr_port_from_rings(text.as_ptr(), rx.as_mut_ptr(), tx.as_mut_ptr(), rx.len() as u32) };
    let number = u16::try_from(ret).map_err(|_| Error::Probe {
        devargs: format!("net_ring_{name}"),
        errno: Errno::of(ret),
        remedy: "use another name, or raise the memory setting",
    })?;
    OpenPort::own(number, format!("net_ring_{name}"), true, Some(rings))
}
