//! Time stamps and prefetching: what the path needs of the CPU itself.

use crate::bindings as c;

/// The CPU's time stamp counter, ticks.
#[inline]
#[must_use]
pub fn tsc() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every x86-64 CPU has RDTSC; user space may run it unless the kernel forbids it by
        // prctl(PR_SET_TSC), which nothing here does.
        unsafe { core::arch::x86_64::_rdtsc() }
    }
    #[cfg(target_arch = "aarch64")]
    {
        let ticks: u64;
        // SAFETY: reads the virtual counter, which Linux lets user space do; touches no memory.
        unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
        ticks
    }
}

/// Ticks of [`tsc`] per second, as the EAL found out at its start; 0 before that.
#[must_use]
pub fn tsc_hz() -> u64 {
    // SAFETY: reads a variable of the EAL that is written once, during its start.
    unsafe { c::pxtr_tsc_hz() }
}

/// Asks for the cache line `what` starts in, to be read soon.
#[inline]
pub fn prefetch<T: ?Sized>(what: &T) {
    prefetch_address(core::ptr::from_ref(what).cast());
}

/// The same by address, which need not be valid.
#[inline]
pub(crate) fn prefetch_address(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults and changes nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
