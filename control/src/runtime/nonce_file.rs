//! What a Map-Server must not forget over a restart, on disk: the last nonce of each ETR.
//!
//! The file is written aside of the control thread, only after a change, at most every few seconds, and
//! when the daemon ends. What was registered after the last writing before a crash could therefore be
//! registered once more by who recorded it, until its ETR registers again: that is the price of not
//! waiting for the disk at every Map-Register.

use crate::engine::Engine;
use crate::engine::event::Time;
use crate::roles::map_server::KeptNonce;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tokio::sync::oneshot;

/// Version of the format.
const VERSION: u32 = 1;
/// Least pause between two writings, milliseconds; and a second more for each so many nonces.
const PAUSE_MS: u64 = 5_000;
const NONCES_PER_SECOND: usize = 10_000;
/// Most nonces kept; the oldest are left out. And what is read at the start at most.
const NONCES_MAX: usize = 500_000;
const BYTES_MAX: u64 = 128 << 20;

/// Nonces could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum NonceFileError {
    #[error(
        "no nonces of Map-Registers are kept in {path}: right at the first start of a Map-Server; else an old \
         Map-Register could be replayed until its ETR registers again"
    )]
    Missing { path: PathBuf },
    #[error(
        "the nonces of Map-Registers in {path} are of no use ({what}); the file is left as {aside}; an old \
         Map-Register can be replayed until its ETR registers again"
    )]
    Damaged { path: PathBuf, aside: PathBuf, what: String },
    #[error(
        "cannot keep the nonces of Map-Registers in {path}: {source}; after a restart old Map-Registers could be \
         replayed (make state_dir writable)"
    )]
    NotKept {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// First line of the file; one nonce a line follows.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    version: u32,
    nonces: usize,
    /// FNV-1a of all that follows: damage, not forgery, is what it tells.
    digest: u64,
}

/// The file, and when it is written.
#[derive(Debug)]
pub(super) struct NonceFile {
    path: PathBuf,
    /// What was read or written last: for the engine that takes over from one that panicked.
    last: Vec<KeptNonce>,
    /// The Map-Server's count when that was taken.
    taken: u64,
    next: Time,
    writing: Option<oneshot::Receiver<Result<(), NonceFileError>>>,
}

impl NonceFile {
    /// In `state_dir`, for the daemon of this name; and what is wrong with the file that is there.
    pub(super) fn open(state_dir: &Path, daemon: &str) -> (Self, Option<NonceFileError>) {
        let path = state_dir.join(format!("{daemon}.site-nonces"));
        let (last, wrong) = match read(&path) {
            Ok(kept) => (kept, None),
            Err(e) => (Vec::new(), Some(e)),
        };
        (Self { path, last, taken: 0, next: Time::default(), writing: None }, wrong)
    }

    /// What was read at the start, or written since.
    pub(super) fn last(&self) -> &[KeptNonce] {
        &self.last
    }

    /// Writes what is new, when it is time. Returns what went wrong with the last writing.
    pub(super) fn on_turn(&mut self, now: Time, engine: &Engine) -> Option<NonceFileError> {
        let done = self.writing.as_mut().map(oneshot::Receiver::try_recv);
        let wrong = match done {
            Some(Err(oneshot::error::TryRecvError::Empty)) => return None,
            Some(Ok(result)) => result.err(),
            // The thread is gone: so is the process, soon.
            Some(Err(oneshot::error::TryRecvError::Closed)) | None => None,
        };
        self.writing = None;
        if now >= self.next && self.take(engine) {
            let more = self.last.len() / NONCES_PER_SECOND;
            self.next = now.plus_ms(PAUSE_MS + 1_000 * more as u64);
            let (path, kept) = (self.path.clone(), self.last.clone());
            let (tell, told) = oneshot::channel();
            // Nobody listens any more only when the daemon ends without waiting.
            tokio::task::spawn_blocking(move || tell.send(write(&path, &kept)));
            self.writing = Some(told);
        }
        wrong
    }

    /// The daemon ends: everything is written, now.
    pub(super) async fn finish(&mut self, engine: &Engine) -> Result<(), NonceFileError> {
        if let Some(writing) = self.writing.take() {
            // What went wrong with it goes wrong again below.
            let _ = writing.await;
        }
        if self.take(engine) { write(&self.path, &self.last) } else { Ok(()) }
    }

    /// Takes the Map-Server's nonces; false when none changed since.
    fn take(&mut self, engine: &Engine) -> bool {
        let Some(map_server) = engine.roles().map_server() else { return false };
        if map_server.nonces_taken() == self.taken {
            return false;
        }
        self.taken = map_server.nonces_taken();
        self.last = map_server.nonces(NONCES_MAX);
        true
    }
}

fn read(path: &Path) -> Result<Vec<KeptNonce>, NonceFileError> {
    let text = match OpenOptions::new().read(true).open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(NonceFileError::Missing { path: path.to_owned() });
        }
        opened => opened.and_then(|file| {
            let mut text = String::new();
            file.take(BYTES_MAX).read_to_string(&mut text).map(|_| text)
        }),
    };
    text.map_err(|e| e.to_string()).and_then(|text| parse(&text)).map_err(|what| {
        let aside = path.with_extension("site-nonces.damaged");
        // If even that fails it is in the way of the next writing, which then says so.
        let _ = std::fs::rename(path, &aside);
        NonceFileError::Damaged { path: path.to_owned(), aside, what }
    })
}

fn parse(text: &str) -> Result<Vec<KeptNonce>, String> {
    let (head, body) = text.split_once('\n').ok_or("it has no first line")?;
    let head: Head = serde_json::from_str(head).map_err(|e| format!("its first line: {e}"))?;
    if head.version != VERSION {
        return Err(format!("its version is {}, not {VERSION}", head.version));
    }
    if head.digest != digest(body) || head.nonces != body.lines().count() {
        return Err("it is not what was written".into());
    }
    body.lines().map(|line| serde_json::from_str(line).map_err(|e| e.to_string())).collect()
}

/// Written beside and renamed over, so that a crash leaves the old or the new one. Readable by its
/// owner: it says which site has which ETRs.
fn write(path: &Path, kept: &[KeptNonce]) -> Result<(), NonceFileError> {
    let work = || {
        let mut body = String::with_capacity(kept.len() * 128);
        for one in kept {
            // Writing to a string never fails.
            let _ = writeln!(body, "{}", serde_json::to_string(one)?);
        }
        let head = Head { version: VERSION, nonces: kept.len(), digest: digest(&body) };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let beside = path.with_extension("site-nonces.new");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        writeln!(file, "{}", serde_json::to_string(&head)?)?;
        file.write_all(body.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    work().map_err(|source| NonceFileError::NotKept { path: path.to_owned(), source })
}

fn digest(text: &str) -> u64 {
    let eat = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, eat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::map_server::RegistrantId;
    use std::os::unix::fs::PermissionsExt;

    fn kept(nonce: u64) -> KeptNonce {
        let registrant = RegistrantId::Address([198, 51, 100, 21].into());
        KeptNonce { site: "a".into(), key_id: 1, key: 0xfeed, registrant, nonce }
    }

    fn directory(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("pxtr-site-nonces-{name}-{}", std::process::id()))
    }

    #[test]
    fn r164_what_was_written_is_read_and_no_one_else_can() {
        let directory = directory("kept");
        let (file, first) = NonceFile::open(&directory, "ms");
        assert!(matches!(first, Some(NonceFileError::Missing { .. })), "{first:?}");
        let id = RegistrantId::XtrId([7; 16]);
        let nonces = [kept(u64::MAX), KeptNonce { registrant: id, ..kept(2) }];
        write(&file.path, &nonces).unwrap();
        let (again, wrong) = NonceFile::open(&directory, "ms");
        assert!(wrong.is_none(), "{wrong:?}");
        assert_eq!(again.last(), nonces);
        assert_eq!(std::fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn r164_a_damaged_file_is_put_aside_with_a_clear_word() {
        let directory = directory("damaged");
        let (file, _) = NonceFile::open(&directory, "ms");
        write(&file.path, &[kept(1), kept(2)]).unwrap();
        let good = std::fs::read_to_string(&file.path).unwrap();
        let half = &good[..good.len() - 20];
        for bad in [
            "",
            "garbage",
            half,
            &good.replace("198", "199"),
            &good.replace("\"version\":1", "\"version\":9"),
        ] {
            std::fs::write(&file.path, bad).unwrap();
            let (opened, wrong) = NonceFile::open(&directory, "ms");
            assert!(opened.last().is_empty());
            assert!(wrong.expect("it is damaged").to_string().contains("replayed"), "{bad}");
            assert!(!file.path.exists() && directory.join("ms.site-nonces.damaged").exists(), "{bad}");
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_directory_that_can_not_be_is_reported() {
        let (file, _) = NonceFile::open(Path::new("/proc/nowhere"), "ms");
        assert!(write(&file.path, &[kept(1)]).unwrap_err().to_string().contains("state_dir"));
    }
}
