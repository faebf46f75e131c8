//! The other end of the socket, for the command line and for tests. Blocking: it has nothing else to
//! do.

use super::error::ApiError;
use super::request::{Request, VERSION};
use super::types::{Answer, Reply};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longer than the daemon lets a request wait.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing at the path.
    #[error(
        "{0}: no such socket; is pxtrd running? (systemctl status pxtrd; pxtr --socket PATH names another one)"
    )]
    Missing(PathBuf),
    /// A socket without daemon.
    #[error("{0}: nobody listens; pxtrd was there and is gone (journalctl -u pxtrd says why)")]
    Refused(PathBuf),
    /// Not for this user.
    #[error("{0}: permission denied; run pxtr as root or as a member of the socket's group (ls -l {0})")]
    Denied(PathBuf),
    /// Something else with the connection.
    #[error("{path}: {error}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// The system's answer.
        error: io::Error,
    },
    /// Not our language.
    #[error("{path}: the answer can not be understood ({error}); are pxtr and pxtrd of the same version?")]
    Garbled {
        /// The socket.
        path: PathBuf,
        /// What is wrong.
        error: String,
    },
    /// The daemon says no.
    #[error(transparent)]
    Api(#[from] ApiError),
}

/// A connection to a daemon.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// Says what is wrong and what to do.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|error| io_error(path, error))?;
        let set =
            stream.set_read_timeout(Some(TIMEOUT)).and_then(|()| stream.set_write_timeout(Some(TIMEOUT)));
        set.map_err(|error| io_error(path, error))?;
        Ok(Self { path: path.to_owned(), stream: BufReader::new(stream) })
    }

    /// Asks.
    ///
    /// # Errors
    /// The daemon's error, or what is wrong with the connection.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        let fail = |error| io_error(&self.path, error);
        self.stream.get_mut().write_all(request.to_line().as_bytes()).map_err(fail)?;
        self.read()
    }

    /// Asks for a stream, and hands each of its replies to `each` until that says stop.
    ///
    /// # Errors
    /// The daemon's error, or what is wrong with the connection.
    pub fn stream(
        &mut self,
        request: &Request,
        mut each: impl FnMut(Reply) -> bool,
    ) -> Result<(), ClientError> {
        let fail = |error| io_error(&self.path, error);
        self.stream.get_mut().write_all(request.to_line().as_bytes()).map_err(fail)?;
        // Silence means that nothing happens.
        self.stream.get_mut().set_read_timeout(None).map_err(fail)?;
        while each(self.read()?) {}
        Ok(())
    }

    fn read(&mut self) -> Result<Reply, ClientError> {
        let fail = |error| io_error(&self.path, error);
        let mut line = String::new();
        if self.stream.read_line(&mut line).map_err(fail)? == 0 {
            return Err(fail(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the daemon closed the connection",
            )));
        }
        let garbled = |error| ClientError::Garbled { path: self.path.clone(), error };
        let answer: Answer = serde_json::from_str(&line).map_err(|error| garbled(error.to_string()))?;
        if answer.version != VERSION {
            return Err(garbled(format!("version {} instead of {VERSION}", answer.version)));
        }
        match answer.reply {
            Reply::Error(error) => Err(error.into()),
            reply => Ok(reply),
        }
    }
}

fn io_error(path: &Path, error: io::Error) -> ClientError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => ClientError::Missing(path),
        io::ErrorKind::ConnectionRefused => ClientError::Refused(path),
        io::ErrorKind::PermissionDenied => ClientError::Denied(path),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Io {
            path,
            error: io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {} s", TIMEOUT.as_secs()),
            ),
        },
        _ => ClientError::Io { path, error },
    }
}
