//! A kernel interface whose other side is a file descriptor of ours: the kernel's face of a
//! sub-interface. DPDK's net_tap would do the same, but DPDK has room for 32 ports, tenants are many.

use crate::error::{Errno, Error};
use crate::mbuf::Mbuf;
use crate::pool::Pool;
use nix::errno::Errno as Unix;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::stat::Mode;
use nix::sys::uio;
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// `TUNSETIFF` of linux/if_tun.h: `_IOW('T', 202, int)`.
const TUNSETIFF: libc::Ioctl = 0x4004_54CA;
/// Longest interface name, without the zero byte.
const NAME_MAX: usize = libc::IFNAMSIZ - 1;

/// A tap interface. It goes when this is dropped.
#[derive(Debug)]
pub struct Tap {
    fd: OwnedFd,
    pool: Pool,
    /// Largest frame that is read, bytes.
    room: usize,
}

impl Tap {
    /// Makes interface `name` in the network namespace of the calling thread. Frames of the kernel are
    /// read into mbufs of `pool`.
    ///
    /// # Errors
    /// No permission, a name that is taken or too long, a kernel without taps.
    pub fn new(name: &str, pool: &Pool) -> Result<Self, Error> {
        let fail = |errno: Unix| Error::Tap { name: name.into(), errno: Errno(errno as i32) };
        if name.is_empty() || name.len() > NAME_MAX || name.contains('\0') {
            return Err(fail(Unix::EINVAL));
        }
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let fd = open("/dev/net/tun", flags, Mode::empty()).map_err(fail)?;
        // SAFETY: zero is a value of every field of `ifreq`, a plain C structure.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        // Without packet information: what is read and written is the Ethernet frame.
        let kind = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_TUN_EXCL;
        request.ifr_ifru.ifru_flags = kind as libc::c_short;
        // SAFETY: the descriptor is open, and TUNSETIFF reads and writes one `ifreq`, which `request` is.
        let done = unsafe { libc::ioctl(fd.as_raw_fd(), TUNSETIFF, &raw mut request) };
        Unix::result(done).map_err(fail)?;
        Ok(Self { fd, room: usize::from(pool.frame_room()), pool: pool.clone() })
    }

    /// A frame that the kernel wants sent. `None`: there is none, or no mbuf for it.
    pub fn read(&mut self) -> Option<Mbuf> {
        let mut mbuf = self.pool.alloc()?;
        let room = mbuf.append(self.room)?;
        let len = nix::unistd::read(&self.fd, room).ok()?;
        mbuf.trim_to(len).then_some(mbuf)
    }

    /// Hands a frame to the kernel; `false`: it did not take it, its interface is down.
    pub fn write(&mut self, mut frame: Mbuf) -> bool {
        let len = frame.pkt_len();
        frame.linearize() && uio::writev(&self.fd, &[IoSlice::new(frame.data())]) == Ok(len)
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
