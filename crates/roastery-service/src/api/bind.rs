//! Where the API listens.

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

/// The longest path of a socket, in bytes: what the system's address has room for.
const MAX_SOCKET_PATH: usize = 107;

/// How many connections wait to be accepted.
const BACKLOG: i32 = 128;

/// The bytes of a token.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=1024;

/// Why the API cannot listen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address that is not to be had.
    #[error("{option}: cannot listen at {address}: {}", reason(source))]
    Address {
        /// The option of the configuration.
        option: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The socket's path is too long for the system.
    #[error(
        "api.socket: the path {} has {} bytes, and the system takes {MAX_SOCKET_PATH} at most: \
         set a shorter path, or use a folder with a shorter one",
        .0.display(),
        .0.as_os_str().len()
    )]
    LongPath(PathBuf),
    /// Something that is no socket is where the socket should be.
    #[error("api.socket: {} is {what}, not a socket: remove it, or set another path", path.display())]
    InTheWay {
        /// The path.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// The socket cannot be made.
    #[error("api.socket: cannot listen at {}: {}", path.display(), reason(source))]
    Socket {
        /// The path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A thread or a runtime cannot be started.
    #[error("the API cannot start: {}", reason(.0))]
    Threads(io::Error),
    /// The file of a token.
    #[error(transparent)]
    Token(#[from] FolderError),
    /// The file of a token has something else in it.
    #[error(
        "{}: a token has {} to {} bytes: write a longer one, or remove the file and start again",
        .0.display(),
        TOKEN_BYTES.start(),
        TOKEN_BYTES.end()
    )]
    BadToken(PathBuf),
    /// One token would have two roles.
    #[error(
        "api.read_token_file has the token of api.token_file: a reader could approve; \
         remove one of the files and start again"
    )]
    SameTokens,
    /// Without randomness there is no token.
    #[error("the system gave no randomness for a token")]
    Randomness,
}

/// What the system says, and what to do about it.
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

/// The listeners, which do not block.
pub(super) struct Listeners {
    pub(super) unix: UnixListener,
    pub(super) tcp: Option<(TcpListener, Tokens)>,
    pub(super) observability: Option<TcpListener>,
}

impl Listeners {
    pub(super) fn bind(
        folder: &Folder,
        config: &Config,
        socket: &Path,
    ) -> Result<Self, ServeError> {
        let unix = bind_unix(socket)?;
        let tcp = match config.api.listen {
            Some(address) => Some((bind_tcp("api.listen", address)?, tokens(folder, config)?)),
            None => None,
        };
        let observability = config.observability.listen;
        let observability =
            observability.map(|address| bind_tcp("observability.listen", address)).transpose()?;
        Ok(Self { unix, tcp, observability })
    }
}

fn bind_tcp(option: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    let failed = |source| ServeError::Address { option, address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

fn bind_unix(path: &Path) -> Result<UnixListener, ServeError> {
    let failed = |source| ServeError::Socket { path: path.to_owned(), source };
    if path.as_os_str().len() > MAX_SOCKET_PATH {
        return Err(ServeError::LongPath(path.to_owned()));
    }
    match path.symlink_metadata().map(|file| file.file_type()) {
        // One process has the store: a socket that is there is left over from an earlier one.
        Ok(kind) if kind.is_socket() => std::fs::remove_file(path).map_err(failed)?,
        Ok(kind) => {
            let what = match kind {
                kind if kind.is_dir() => "a directory",
                kind if kind.is_symlink() => "a symbolic link",
                _ => "a file",
            };
            return Err(ServeError::InTheWay { path: path.to_owned(), what });
        }
        Err(_) => {}
    }
    let listen = || {
        let owner_only = std::fs::Permissions::from_mode(0o600);
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // Linux makes the file with the mode of the socket, so that there is no moment at which
        // others may connect. Where that is not so it has its mode right afterwards.
        let file = std::fs::File::from(OwnedFd::from(socket));
        let _ = file.set_permissions(owner_only.clone());
        let socket = Socket::from(OwnedFd::from(file));
        socket.bind(&SockAddr::unix(path)?)?;
        std::fs::set_permissions(path, owner_only)?;
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

/// Reads a token, or makes one.
fn read_token(path: &Path) -> Result<Zeroizing<String>, ServeError> {
    // An empty one is what a full disk has left.
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
        let listener = bind_unix(&path).unwrap();
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(listener);
        // What an earlier process left is replaced.
        assert!(bind_unix(&path).is_ok());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
