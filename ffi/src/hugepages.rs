//! How much hugepage memory is free, read before the EAL starts: its own message names no remedy.

use crate::error::Error;
use std::path::Path;

const SYSFS: &str = "/sys/kernel/mm/hugepages";

/// Page size and free pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    kib: u64,
    free: u64,
    total: u64,
}

/// Fails when less than `wanted_mib` MiB are free, with the command that gives them.
pub(crate) fn check(wanted_mib: u64) -> Result<(), Error> {
    verdict(&sizes(Path::new(SYSFS)), wanted_mib)
}

fn sizes(root: &Path) -> Vec<Size> {
    let Ok(dir) = std::fs::read_dir(root) else { return Vec::new() };
    let mut sizes: Vec<Size> = dir
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let kib = name.to_str()?.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
            let number = |file: &str| -> Option<u64> {
                std::fs::read_to_string(entry.path().join(file)).ok()?.trim().parse().ok()
            };
            Some(Size { kib, free: number("free_hugepages")?, total: number("nr_hugepages")? })
        })
        .collect();
    sizes.sort_by_key(|size| size.kib);
    sizes
}

fn verdict(sizes: &[Size], wanted_mib: u64) -> Result<(), Error> {
    let free_mib: u64 = sizes.iter().map(|size| size.kib * size.free / 1024).sum();
    // The smallest size: it can nearly always still be had at run time.
    let Some(small) = sizes.first() else { return Err(Error::NoHugepageSupport) };
    if free_mib >= wanted_mib {
        return Ok(());
    }
    let missing = ((wanted_mib - free_mib) * 1024).div_ceil(small.kib.max(1));
    let command = format!("echo {} > {SYSFS}/hugepages-{}kB/nr_hugepages", small.total + missing, small.kib);
    Err(Error::Hugepages { wanted_mib, free_mib, command })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_memory_in_any_mix_of_sizes_is_accepted() {
        let sizes = [Size { kib: 2048, free: 32, total: 64 }, Size { kib: 1 << 20, free: 1, total: 1 }];
        assert!(verdict(&sizes, 1088).is_ok());
        assert!(verdict(&sizes, 1089).is_err());
    }

    #[test]
    fn the_command_counts_pages_already_there() {
        let sizes = [Size { kib: 2048, free: 10, total: 50 }];
        let text = verdict(&sizes, 256).expect_err("20 of 256 MiB are free").to_string();
        assert!(text.contains("echo 168 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"), "{text}");
        assert!(text.contains("20 MiB are free"), "{text}");
    }

    #[test]
    fn a_kernel_without_hugepages_is_told_apart() {
        assert!(matches!(verdict(&[], 1), Err(Error::NoHugepageSupport)));
    }
}
