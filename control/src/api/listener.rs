//! The Unix socket: made with its mode from the first moment, never stolen from a living daemon,
//! removed at the end.

use nix::sys::stat::{Mode, fchmod};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// Owner and group may connect.
const MODE: u32 = 0o660;
/// Connections that the kernel keeps for us.
const BACKLOG: i32 = 64;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody answers there.
    #[error("{0}: another daemon listens there; stop it or give this one another daemon.api_socket")]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{0}: exists and is no socket; remove it or give another daemon.api_socket")]
    NoSocket(PathBuf),
    /// The system refuses.
    #[error(
        "{path}: can not {what} ({error}); check that the directory exists and belongs to the daemon's user"
    )]
    System {
        /// The path.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's answer.
        error: io::Error,
    },
}

/// Removes the socket's file when dropped, if it is still ours.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

/// Listens on a path: makes its directory, takes the place of a socket that nobody listens on any
/// more. Must be called within a tokio runtime. Keep the [`SocketFile`] as long as the listener.
///
/// # Errors
/// See [`ListenError`].
pub fn listen(path: &Path) -> Result<(UnixListener, SocketFile), ListenError> {
    let system = |what: &'static str| {
        let path = path.to_owned();
        move |error: io::Error| ListenError::System { path, what, error }
    };
    if let Some(dir) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(dir)
            .map_err(system("make its directory"))?;
    }
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(system("make a socket"))?;
    // Linux gives the file the mode of the unbound socket, less the umask: no moment with more rights.
    fchmod(&socket, Mode::from_bits_truncate(MODE)).map_err(|error| system("set its mode")(error.into()))?;
    let address = SockAddr::unix(path).map_err(system("use this path"))?;
    socket.bind(&address).map_err(system("bind"))?;
    let file = SocketFile { path: path.to_owned(), inode: inode(path).map_err(system("find the socket"))? };
    fs::set_permissions(path, fs::Permissions::from_mode(MODE)).map_err(system("set its mode"))?;
    socket.listen(BACKLOG).map_err(system("listen"))?;
    socket.set_nonblocking(true).map_err(system("listen"))?;
    let listener = UnixListener::from_std(socket.into()).map_err(system("listen"))?;
    Ok((listener, file))
}

/// Removes the socket of a daemon that is gone.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let system = |what, error| ListenError::System { path: path.to_owned(), what, error };
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(system("look at it", error)),
    };
    if !meta.file_type().is_socket() {
        return Err(ListenError::NoSocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(ListenError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| system("remove the old socket", error))
        }
        Err(error) => Err(system("see whether somebody listens there", error)),
    }
}
