//! A new configuration while packets flow: read, checked, compared, put in force or refused whole.

use crate::config::{Config, Machine, check_config_for};
use std::collections::BTreeSet;
use std::path::Path;

/// Reads the file again. What can not change in a running daemon must be as it was.
///
/// # Errors
/// One line for each mistake in the file, or naming the keys that need a restart; the old
/// configuration then stays in force.
pub(super) fn read(path: &Path, old: &Config) -> Result<Config, String> {
    // The cores were checked at the start; since then this thread keeps off those of the workers.
    let new = check_config_for(path, &Machine::any()).map_err(|errors| errors.to_string())?;
    let fixed = needs_restart(old, &new);
    if fixed.is_empty() {
        Ok(new)
    } else {
        Err(format!("{}: restart the daemon to change {}", path.display(), fixed.join(", ")))
    }
}

/// The parts that differ and are taken at start only: what shapes memory, threads, devices and
/// the data plane's fixed tables.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let prefixes = |config: &Config| -> BTreeSet<_> { config.database.iter().map(|d| d.eid).collect() };
    [
        ("[daemon]", old.daemon != new.daemon),
        ("[dpdk]", old.dpdk != new.dpdk),
        ("[workers]", old.workers != new.workers),
        ("[hold]", old.hold != new.hold),
        ("[[port]]", old.ports != new.ports),
        ("[[vrf]]", old.vrfs != new.vrfs),
        ("limits.map_cache_entries", old.limits.map_cache_entries != new.limits.map_cache_entries),
        ("lisp.roles", old.roles != new.roles),
        ("lisp.rlocs", old.rlocs != new.rlocs),
        ("lisp.xtr_id and lisp.site_id", old.xtr_id != new.xtr_id),
        ("the set of lisp.database.eid_prefix", prefixes(old) != prefixes(new)),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check_config;
    use std::path::PathBuf;

    fn lab(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs").join(file)
    }

    #[test]
    fn weights_change_live_and_devices_do_not() {
        let old = check_config(lab("te-weights/xtr.toml")).unwrap();
        let new = read(&lab("te-weights/xtr-70-30.toml"), &old).unwrap();
        assert_ne!(old.database, new.database);
        let refused = read(&lab("interworking/xtr4.toml"), &old).unwrap_err();
        assert!(refused.contains("[[port]]") && refused.contains("lisp.rlocs"), "{refused}");
        assert!(!refused.contains("[[vrf]]"), "{refused}");
    }

    #[test]
    fn a_file_that_is_gone_keeps_the_old() {
        let old = check_config(lab("te-weights/xtr.toml")).unwrap();
        assert!(read(&lab("te-weights/no-such.toml"), &old).unwrap_err().contains("no-such.toml"));
    }
}
