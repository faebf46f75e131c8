//! Threads of ours as DPDK's lcores: bound to a CPU, with mempool caches of their own.

use crate::bindings as c;
use crate::eal::Eal;
use crate::error::{Errno, Error};
use std::cell::Cell;
use std::marker::PhantomData;

/// Most CPUs looked at; the size of the kernel's `cpu_set_t`.
const CPUS: usize = 1024;

thread_local! {
    /// DPDK does not notice a second registration and would lose an lcore id.
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// A thread's registration with DPDK. Dropped by the thread that made it, at its end.
#[derive(Debug)]
pub struct Registration {
    // Not Send: it belongs to its thread.
    _thread: PhantomData<*const ()>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: the type is not Send, so this is the thread that registered.
        unsafe { c::pxtr_thread_unregister() };
        REGISTERED.set(false);
    }
}

/// Binds the calling thread to `cpu` and registers it, so that its mempool accesses are cached.
///
/// # Errors
/// The CPU is not there or not allowed; all lcore ids are taken; the thread is registered already.
pub fn pin_and_register(eal: &Eal, cpu: usize) -> Result<Registration, Error> {
    let number = u32::try_from(cpu).unwrap_or(u32::MAX);
    // SAFETY: sets the affinity of the calling thread; checks its argument.
    let ret = unsafe { c::pxtr_pin(number) };
    if ret < 0 {
        return Err(Error::Cpu { cpu, errno: Errno::of(ret), allowed: allowed_cpus() });
    }
    register(eal)
}

/// Registers the calling thread as it is, without binding it.
///
/// # Errors
/// All lcore ids are taken; the thread is registered already.
pub fn register(_eal: &Eal) -> Result<Registration, Error> {
    if REGISTERED.get() {
        return Err(Error::RegisteredTwice);
    }
    // SAFETY: the EAL runs, and this thread is not registered.
    let ret = unsafe { c::pxtr_thread_register() };
    if ret < 0 {
        return Err(Error::ThreadRegister(Errno::of(ret)));
    }
    REGISTERED.set(true);
    Ok(Registration { _thread: PhantomData })
}

/// The CPUs that the calling thread may use, ascending.
#[must_use]
pub fn allowed_cpus() -> Vec<usize> {
    let mut cpus = [0u8; CPUS];
    // SAFETY: writes at most CPUS bytes into the array of that size.
    let count = unsafe { c::pxtr_allowed_cpus(cpus.as_mut_ptr(), CPUS as u32) };
    if count <= 0 {
        return Vec::new();
    }
    cpus.iter().enumerate().filter(|(_, set)| **set != 0).map(|(cpu, _)| cpu).collect()
}

/// NUMA node of a CPU; `None` when the kernel does not tell.
#[must_use]
pub fn numa_node(cpu: usize) -> Option<u32> {
    // SAFETY: reads files of sysfs.
    let node = unsafe { c::pxtr_socket_of_cpu(u32::try_from(cpu).ok()?) };
    u32::try_from(node).ok()
}
