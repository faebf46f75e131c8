//! The start of our Map-Register nonces, kept over restarts.
//!
//! A Map-Server refuses a nonce that is not greater than the last one. The high 32 bits of ours are
//! the seconds since the Unix epoch at start, or one more than last time if the clock went back.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file that holds the last epoch used.
#[derive(Clone, Debug)]
pub(super) struct NonceEpoch {
    path: PathBuf,
}

/// The directory does not keep what must survive a restart.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot keep the Map-Register nonce in {path}: {source}; if the clock is ever set back, Map-Servers will \
     refuse our registrations until it has caught up (make state_dir writable)"
)]
pub(super) struct NotKept {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl NonceEpoch {
    /// In `state_dir`, for the daemon of this name.
    pub(super) fn new(state_dir: &Path, daemon: &str) -> Self {
        Self { path: state_dir.join(format!("{daemon}.register-nonce-epoch")) }
    }

    /// The epoch to use from now on, greater than every one before; and whether it could be kept.
    pub(super) fn next(&self, unix_seconds: u64) -> (u32, Result<(), NotKept>) {
        let last = std::fs::read_to_string(&self.path).ok().and_then(|text| text.trim().parse::<u32>().ok());
        let clock = u32::try_from(unix_seconds).unwrap_or(u32::MAX);
        let epoch = last.map_or(clock, |last| clock.max(last.saturating_add(1)));
        let kept = self.keep(epoch).map_err(|source| NotKept { path: self.path.clone(), source });
        (epoch, kept)
    }

    /// Written beside and renamed over, so that a crash leaves the old or the new one.
    fn keep(&self, epoch: u32) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let beside = self.path.with_extension("new");
        let mut file = std::fs::File::create(&beside)?;
        writeln!(file, "{epoch}")?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_over_restarts_and_clock_changes() {
        let directory = std::env::temp_dir().join(format!("pxtr-epoch-{}", std::process::id()));
        let epoch = NonceEpoch::new(&directory, "test");
        assert_eq!(epoch.next(1000).0, 1000);
        assert_eq!(epoch.next(1000).0, 1001);
        assert_eq!(epoch.next(500).0, 1002, "the clock went back");
        assert_eq!(epoch.next(5000).0, 5000);
        std::fs::write(directory.join("test.register-nonce-epoch"), "garbage").unwrap();
        assert_eq!(epoch.next(6000).0, 6000);
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_directory_that_can_not_be_is_reported() {
        let (epoch, kept) = NonceEpoch::new(Path::new("/proc/nowhere"), "test").next(77);
        assert_eq!(epoch, 77);
        assert!(kept.unwrap_err().to_string().contains("state_dir"));
    }
}
