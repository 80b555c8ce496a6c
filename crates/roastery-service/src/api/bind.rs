//! The listeners of the API.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt as _, PermissionsExt as _},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
};

use bitcoin::hex::DisplayHex as _;
use socket2::{Domain, SockAddr, Socket, Type};
use thiserror::Error;
use zeroize::Zeroizing;

use super::access::{Token, Tokens};
use crate::{
    config::Config,
    files::{Access, Folder, FolderError},
};

/// The longest path of a socket, in bytes: the system's limit.
const MAX_SOCKET_PATH: usize = 107;

/// The modes of sockets.
const OWNER_ONLY: u32 = 0o600;
const ANY_USER: u32 = 0o666;

/// How many connections wait to be accepted.
const BACKLOG: i32 = 128;

/// The allowed lengths of a token, in bytes.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;

/// Why the API cannot listen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The node cannot listen at an address.
    #[error("{option}: cannot listen at {address}: {}", reason(source))]
    Address {
        /// The option of the configuration.
        option: &'static str,
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The socket's path is too long for the system.
    #[error(
        "{}: the path {} has {} bytes, and the system takes {MAX_SOCKET_PATH} at most: \
         set a shorter path, or use a folder with a shorter one",
        .0,
        .1.display(),
        .1.as_os_str().len()
    )]
    LongPath(&'static str, PathBuf),
    /// Something that is not a socket is at the socket's path.
    #[error("{option}: {} is {what}, not a socket: remove it, or set another path", path.display())]
    InTheWay {
        /// The option of the configuration.
        option: &'static str,
        /// The path.
        path: PathBuf,
        /// The kind of file that is there.
        what: &'static str,
    },
    /// The socket cannot be created.
    #[error("{option}: cannot listen at {}: {}", path.display(), reason(source))]
    Socket {
        /// The option of the configuration.
        option: &'static str,
        /// The path.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// What decisions from elsewhere need is not compiled in.
    #[error(
        "remote.origin: this program was built without decisions from elsewhere (feature remote): \
         take the option out, or another program"
    )]
    NoRemote,
    /// A thread or a runtime cannot be started.
    #[error("the API cannot start: {}", reason(.0))]
    Threads(io::Error),
    /// The file of a token cannot be read or written.
    #[error(transparent)]
    Token(#[from] FolderError),
    /// The file of a token contains something else.
    #[error(
        "{}: a token has {} to {} bytes: write a longer one, or remove the file and start again",
        .0.display(),
        TOKEN_BYTES.start(),
        TOKEN_BYTES.end()
    )]
    BadToken(PathBuf),
    /// The two tokens are equal.
    #[error(
        "api.read_token_file has the token of api.token_file: a reader could approve; \
         remove one of the files and start again"
    )]
    SameTokens,
    /// The system gave no randomness for a token.
    #[error("the system gave no randomness for a token")]
    Randomness,
}

/// The error of the system, and what to do about it.
fn reason(source: &io::Error) -> String {
    const NO_DESCRIPTOR: [i32; 2] = [23, 24];
    let advice = match source.kind() {
        io::ErrorKind::AddrInUse => "stop what listens there, or set another port",
        io::ErrorKind::AddrNotAvailable => "set an address that this machine has",
        io::ErrorKind::NotFound => "make its folder first",
        io::ErrorKind::PermissionDenied => {
            "set a place that this user may use; ports below 1024 mostly are not"
        }
        _ if source.raw_os_error().is_some_and(|code| NO_DESCRIPTOR.contains(&code)) => {
            "allow this process more open files (ulimit -n, or LimitNOFILE= of a unit)"
        }
        _ => return source.to_string(),
    };
    format!("{source}: {advice}")
}

/// The listeners, in non-blocking mode.
pub(super) struct Listeners {
    pub(super) unix: UnixListener,
    pub(super) relay: Option<(UnixListener, Option<u32>)>,
    pub(super) tcp: Option<(TcpListener, Tokens)>,
    pub(super) observability: Option<TcpListener>,
}

impl Listeners {
    pub(super) fn bind(
        folder: &Folder,
        config: &Config,
        socket: &Path,
    ) -> Result<Self, ServeError> {
        // Which users may do what is checked at each call.
        let mode = if config.operators.is_some() { ANY_USER } else { OWNER_ONLY };
        let unix = bind_unix("api.socket", socket, mode)?;
        let relay = relay(folder, config)?;
        let tcp = match config.api.listen {
            Some(address) => Some((bind_tcp("api.listen", address)?, tokens(folder, config)?)),
            None => None,
        };
        let observability = config.observability.listen;
        let observability =
            observability.map(|address| bind_tcp("observability.listen", address)).transpose()?;
        Ok(Self { unix, relay, tcp, observability })
    }
}

fn bind_tcp(option: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    let failed = |source| ServeError::Address { option, address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// The socket of the process between people elsewhere and this node. Another user may have to open
/// it: which one may call is checked at each call.
fn relay(
    folder: &Folder,
    config: &Config,
) -> Result<Option<(UnixListener, Option<u32>)>, ServeError> {
    if config.remote.origin.is_none() {
        return Ok(None);
    }
    if !cfg!(feature = "remote") {
        return Err(ServeError::NoRemote);
    }
    let user = config.remote.user;
    let mode = if user.is_some() { ANY_USER } else { OWNER_ONLY };
    let path = folder.resolve(&config.remote.socket);
    Ok(Some((bind_unix("remote.socket", &path, mode)?, user)))
}

fn bind_unix(option: &'static str, path: &Path, mode: u32) -> Result<UnixListener, ServeError> {
    let failed = |source| ServeError::Socket { option, path: path.to_owned(), source };
    if path.as_os_str().len() > MAX_SOCKET_PATH {
        return Err(ServeError::LongPath(option, path.to_owned()));
    }
    match path.symlink_metadata().map(|file| file.file_type()) {
        // Only one process can have the store: an existing socket is left over from an earlier one.
        Ok(kind) if kind.is_socket() => std::fs::remove_file(path).map_err(failed)?,
        Ok(kind) => {
            let what = match kind {
                kind if kind.is_dir() => "a directory",
                kind if kind.is_symlink() => "a symbolic link",
                _ => "a file",
            };
            return Err(ServeError::InTheWay { option, path: path.to_owned(), what });
        }
        Err(_) => {}
    }
    let listen = || {
        let mode = std::fs::Permissions::from_mode(mode);
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // Linux creates the file with the mode of the socket, so that there is no moment at which
        // other users can connect. Elsewhere the mode is set right afterwards.
        let file = std::fs::File::from(OwnedFd::from(socket));
        let _ = file.set_permissions(mode.clone());
        let socket = Socket::from(OwnedFd::from(file));
        socket.bind(&SockAddr::unix(path)?)?;
        std::fs::set_permissions(path, mode)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(UnixListener::from(OwnedFd::from(socket)))
    };
    listen().map_err(failed)
}

fn tokens(folder: &Folder, config: &Config) -> Result<Tokens, ServeError> {
    let operator = read_token(&folder.resolve(&config.api.token_file))?;
    let reader = read_token(&folder.resolve(&config.api.read_token_file))?;
    if *operator == *reader {
        return Err(ServeError::SameTokens);
    }
    Ok(Tokens { operator: Token::new(operator), reader: Token::new(reader) })
}

/// Reads a token, or creates one.
fn read_token(path: &Path) -> Result<Zeroizing<String>, ServeError> {
    // An empty file may be left over from a full disk.
    if Folder::check_new(path).is_ok() {
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(random.as_mut()).map_err(|_| ServeError::Randomness)?;
        let text = Zeroizing::new(random.to_lower_hex_string());
        Folder::write_new(path, text.as_bytes(), Access::Owner)?;
    }
    let text = Zeroizing::new(Folder::read_text(path, TOKEN_BYTES.end() + 2)?);
    let token = Zeroizing::new(text.trim().to_owned());
    if !TOKEN_BYTES.contains(&token.len()) {
        return Err(ServeError::BadToken(path.to_owned()));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_belongs_to_its_owner_alone_whatever_the_mask_is() {
        let folder = std::env::temp_dir().join(format!("roastery-bind-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("api.sock");
        let listener = bind_unix("api.socket", &path, OWNER_ONLY).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(listener);
        // The socket of an earlier process is replaced.
        assert!(bind_unix("api.socket", &path, OWNER_ONLY).is_ok());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
