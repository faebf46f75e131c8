//! Which daemon is meant when nobody says so.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Where daemons put their sockets.
pub(super) const RUN_DIR: &str = "/run/pxtr";
const DEFAULT: &str = "pxtr.sock";

/// The socket to use: the one given, that of the environment, the default one, or the only one there is.
///
/// # Errors
/// There are several, or the directory is not to be read: says what to do.
pub(super) fn find(
    given: Option<&Path>,
    environment: Option<PathBuf>,
    run_dir: &Path,
) -> Result<PathBuf, String> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    if let Some(path) = environment.filter(|path| !path.as_os_str().is_empty()) {
        return Ok(path);
    }
    let default = run_dir.join(DEFAULT);
    if is_socket(&default) {
        return Ok(default);
    }
    let mut found: Vec<PathBuf> = fs::read_dir(run_dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "sock") && is_socket(path))
        .collect();
    found.sort();
    match found.as_slice() {
        // The client then says that it is not there and what that means.
        [] => Ok(default),
        [only] => Ok(only.clone()),
        several => {
            let list: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
            Err(format!(
                "there are several daemons: choose one with --socket PATH or PXTR_SOCKET: {}",
                list.join(", ")
            ))
        }
    }
}

fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}
