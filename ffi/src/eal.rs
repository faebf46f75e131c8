//! The EAL: DPDK's run time. Started once per process, never stopped: see [`Eal`].

use crate::bindings as c;
use crate::error::{Errno, Error};
use crate::{hugepages, layout, lcore};
use std::ffi::{CStr, CString, c_char};
use std::sync::atomic::{AtomicBool, Ordering};

/// What the EAL is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EalConfig {
    /// Memory from hugepages (`--in-memory`: no files are left behind). Off: plain memory
    /// (`--no-huge`), for labs and tests; it costs about three times the cycles per packet.
    pub hugepages: bool,
    /// Memory to set aside, MiB.
    pub memory_mib: u32,
    /// Prefix of DPDK's run-time directory, to tell several processes apart. Empty: DPDK's own.
    pub file_prefix: String,
    /// PCI addresses to use; all others are left alone. Empty: PCI is not scanned.
    pub pci: Vec<String>,
    /// CPUs for the calling thread and the EAL's own threads. Empty: all that are allowed.
    /// Name the CPUs that no worker is pinned to.
    pub housekeeping_cpus: Vec<usize>,
    /// Further EAL arguments, appended as they are; a later one wins.
    pub extra_args: Vec<String>,
}

impl Default for EalConfig {
    fn default() -> Self {
        Self {
            hugepages: false,
            memory_mib: 128,
            file_prefix: String::new(),
            pci: Vec::new(),
            housekeeping_cpus: Vec::new(),
            extra_args: Vec::new(),
        }
    }
}

/// Proof that the EAL runs: pools and ports are made from it.
///
/// It is never stopped. Mbufs carry no lifetime, so the memory they point into has to stay mapped
/// as long as the process; at its end the kernel takes everything back, as the arguments used leave
/// no files behind.
#[derive(Clone, Debug)]
pub struct Eal {
    pub(crate) _started: (),
}

static STARTED: AtomicBool = AtomicBool::new(false);

impl Eal {
    /// Starts the EAL. Binds the calling thread to [`EalConfig::housekeeping_cpus`].
    ///
    /// # Errors
    /// With the remedy: too few hugepages, CPUs that are not allowed, a second start, or what
    /// `rte_eal_init` refuses.
    pub fn init(config: &EalConfig) -> Result<Self, Error> {
        layout::check()?;
        let cpus = housekeeping(config)?;
        if config.hugepages {
            hugepages::check(u64::from(config.memory_mib))?;
        }
        let args = arguments(config, &cpus);
        let strings = args
            .iter()
            .map(|arg| CString::new(arg.as_str()).map_err(|_| Error::ZeroByte(arg.clone())))
            .collect::<Result<Vec<_>, _>>()?;
        if STARTED.swap(true, Ordering::SeqCst) {
            return Err(Error::EalTwice);
        }
        // The EAL keeps pointers into its arguments and permutes the array: leaked, once per process.
        let argv: &mut [*mut c_char] = strings.into_iter().map(CString::into_raw).collect::<Vec<_>>().leak();
        let argc = i32::try_from(argv.len()).unwrap_or(i32::MAX);
        // SAFETY: argc pointers to zero-terminated, writable strings that live as long as the process;
        // STARTED makes this the only call.
        let ret = unsafe { c::pxtr_eal_init(argc, argv.as_mut_ptr()) };
        if ret < 0 {
            return Err(Error::EalInit { errno: Errno::of(ret), args });
        }
        if !config.file_prefix.is_empty() {
            remove_runtime_dir();
        }
        Ok(Self { _started: () })
    }
}

/// The EAL makes a directory for its files even when it is told to keep none, and leaves it behind:
/// one for each prefix there ever was.
fn remove_runtime_dir() {
    // SAFETY: the EAL runs; returns a zero-terminated string that is not changed after its start.
    let path = unsafe { CStr::from_ptr(c::pxtr_runtime_dir()) };
    // Fails, as it should, when something is in it after all.
    let _ = std::fs::remove_dir(std::path::Path::new(path.to_string_lossy().as_ref()));
}

/// The DPDK release that is loaded, as in `DPDK 22.11.11`.
#[must_use]
pub fn version() -> String {
    // SAFETY: returns a pointer to a static, zero-terminated string.
    unsafe { CStr::from_ptr(c::pxtr_version()) }.to_string_lossy().into_owned()
}

/// The CPUs for everything but workers, checked.
fn housekeeping(config: &EalConfig) -> Result<Vec<usize>, Error> {
    let allowed = lcore::allowed_cpus();
    if config.housekeeping_cpus.is_empty() {
        return Ok(allowed);
    }
    for &cpu in &config.housekeeping_cpus {
        if !allowed.contains(&cpu) {
            return Err(Error::Cpu { cpu, errno: Errno(22), allowed });
        }
    }
    Ok(config.housekeeping_cpus.clone())
}

/// One lcore, the calling thread, floating over `cpus`: workers are threads of our own that register
/// later, so the EAL makes none.
fn arguments(config: &EalConfig, cpus: &[usize]) -> Vec<String> {
    let list = cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let mut args: Vec<String> = vec!["pxtr".into(), "--lcores".into(), format!("0@({list})")];
    // 22.11 refuses --no-huge together with --in-memory.
    if config.hugepages {
        args.push("--in-memory".into());
    } else {
        args.extend(["--no-huge".into(), "--no-shconf".into()]);
    }
    args.extend(["-m".into(), config.memory_mib.to_string()]);
    if !config.file_prefix.is_empty() {
        args.extend(["--file-prefix".into(), config.file_prefix.clone()]);
    }
    if config.pci.is_empty() {
        args.push("--no-pci".into());
    }
    for address in &config.pci {
        args.extend(["-a".into(), address.clone()]);
    }
    args.extend(["--no-telemetry".into(), "--log-level".into(), "*:warning".into()]);
    args.extend(config.extra_args.iter().cloned());
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_hugepages_in_memory_is_not_given() {
        let args = arguments(&EalConfig { memory_mib: 64, ..EalConfig::default() }, &[0, 1]).join(" ");
        assert!(args.starts_with("pxtr --lcores 0@(0,1) --no-huge --no-shconf -m 64 --no-pci"), "{args}");
        assert!(!args.contains("--in-memory"));
    }

    #[test]
    fn physical_ports_are_the_only_ones_probed() {
        let config = EalConfig {
            hugepages: true,
            pci: vec!["0000:3b:00.0".into()],
            extra_args: vec!["--log-level=debug".into()],
            ..EalConfig::default()
        };
        let args = arguments(&config, &[3]).join(" ");
        assert!(args.contains("--in-memory -m 128 -a 0000:3b:00.0"), "{args}");
        assert!(!args.contains("--no-pci") && !args.contains("--no-huge"), "{args}");
        assert!(args.ends_with("--log-level=debug"), "{args}");
    }

    #[test]
    fn a_cpu_that_is_not_allowed_is_named() {
        let config = EalConfig { housekeeping_cpus: vec![1023], ..EalConfig::default() };
        let text = housekeeping(&config).expect_err("no such cpu").to_string();
        assert!(text.contains("cpu 1023") && text.contains("allowed are"), "{text}");
    }
}
