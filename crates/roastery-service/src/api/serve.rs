use std::{
    io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use axum::Router;
use bitcoin::hex::DisplayHex as _;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    runtime::Handle,
    sync::{Semaphore, watch},
};
use zeroize::Zeroizing;

use super::{Token, observations, operations};
use crate::{
    Service,
    config::Config,
    files::{Folder, FolderError},
};

/// The most connections at once, at each of the places where it listens.
const MOST_CONNECTIONS: usize = 128;

/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(10);

/// The API, listening.
#[derive(Debug)]
pub struct ApiServer {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    /// Where HTTP over TCP listens.
    pub tcp: Option<SocketAddr>,
    /// Where health and metrics are told.
    pub observability: Option<SocketAddr>,
    socket: PathBuf,
}

/// Why the API cannot listen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address or a socket that is not to be had.
    #[error("cannot listen at {at}: {source}")]
    Listen {
        /// Where.
        at: String,
        /// Why not.
        source: io::Error,
    },
    /// The token.
    #[error(transparent)]
    Token(#[from] FolderError),
    /// Without randomness there is no token.
    #[error("the system gave no randomness for a token")]
    Randomness,
    /// There is something else where the socket should be.
    #[error("{}: there is a file that is no socket", .0.display())]
    NoSocket(PathBuf),
}

struct Places {
    unix: UnixListener,
    tcp: Option<(TcpListener, Token)>,
    observability: Option<TcpListener>,
}

impl ApiServer {
    /// Listens where the configuration says, in a thread of its own.
    ///
    /// # Errors
    ///
    /// [`ServeError`] names the place.
    pub fn start(
        service: Arc<Service>,
        folder: &Folder,
        config: &Config,
    ) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { at: "a thread of its own".to_owned(), source };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let socket = folder.resolve(&config.api.socket);
        let places = {
            let _entered = runtime.enter();
            bind(folder, config, &socket)?
        };
        let address = |listener: &TcpListener| listener.local_addr().ok();
        let tcp = places.tcp.as_ref().and_then(|(listener, _)| address(listener));
        let observability = places.observability.as_ref().and_then(address);
        let (stop, stopped) = watch::channel(false);
        let supervisor = service.supervisor().clone();
        // It ends when it is told to, and so without a failure: its panic is one.
        let thread = supervisor
            .finite_thread("the API", "api", move || {
                runtime.block_on(serve_all(service, places, stopped));
                runtime.shutdown_timeout(Duration::from_secs(1));
            })
            .map_err(failed)?;
        Ok(Self { stop, thread: Some(thread), tcp, observability, socket })
    }

    /// Ends it. Operations under way are broken off.
    pub fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // If it has panicked there is nothing to wait for.
            let _ = thread.join();
        }
        // Whoever finds it gone sees that nobody is there.
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn bind(folder: &Folder, config: &Config, socket: &Path) -> Result<Places, ServeError> {
    let at = socket.display().to_string();
    let listen = |source| ServeError::Listen { at: at.clone(), source };
    match socket.symlink_metadata() {
        // One process has the store: a socket that is there is left over from another one's life.
        Ok(file) if file.file_type().is_socket() => {
            std::fs::remove_file(socket).map_err(listen)?;
        }
        Ok(_) => return Err(ServeError::NoSocket(socket.to_owned())),
        Err(_) => {}
    }
    let unix = UnixListener::bind(socket).map_err(listen)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600)).map_err(listen)?;
    let tcp = match config.api.listen {
        Some(address) => {
            Some((bind_tcp(address)?, read_token(&folder.resolve(&config.api.token_file))?))
        }
        None => None,
    };
    let observability = config.observability.listen.map(bind_tcp).transpose()?;
    Ok(Places { unix, tcp, observability })
}

fn bind_tcp(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let listen = |source| ServeError::Listen { at: address.to_string(), source };
    let listener = std::net::TcpListener::bind(address).map_err(listen)?;
    listener.set_nonblocking(true).map_err(listen)?;
    TcpListener::from_std(listener).map_err(listen)
}

/// Reads the token, or makes one.
fn read_token(path: &Path) -> Result<Token, ServeError> {
    const MOST: usize = 1024;
    if !path.exists() {
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(random.as_mut()).map_err(|_| ServeError::Randomness)?;
        let text = Zeroizing::new(random.to_lower_hex_string());
        Folder::write_new(path, text.as_bytes(), true)?;
    }
    let text = Zeroizing::new(Folder::read_text(path, MOST)?);
    let token = Zeroizing::new(text.trim().to_owned());
    if token.len() < 16 {
        let source = io::Error::other("a token of fewer than 16 bytes");
        return Err(FolderError::Io { path: path.to_owned(), source }.into());
    }
    Ok(Token(Arc::new(token)))
}

async fn serve_all(service: Arc<Service>, places: Places, mut stopped: watch::Receiver<bool>) {
    let Places { unix, tcp, observability } = places;
    let (supervisor, runtime) = (service.supervisor().clone(), Handle::current());
    let local = operations(service.clone(), None);
    let listen = accept(service.clone(), local, async move || Ok(unix.accept().await?.0));
    supervisor.essential(&runtime, "the API's socket", listen);
    if let Some((listener, token)) = tcp {
        let remote = operations(service.clone(), Some(token));
        let listen = accept(service.clone(), remote, async move || Ok(listener.accept().await?.0));
        supervisor.essential(&runtime, "the API over TCP", listen);
    }
    if let Some(listener) = observability {
        let open = observations(service.clone());
        let listen = accept(service, open, async move || Ok(listener.accept().await?.0));
        supervisor.essential(&runtime, "the listener for health and metrics", listen);
    }
    // Without a server there is nothing to go on for.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Serves whoever comes, so many at once.
async fn accept<S>(service: Arc<Service>, router: Router, next: impl AsyncFn() -> io::Result<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let stream = match next().await {
            Ok(stream) => stream,
            Err(error) => {
                // Too many files are open, for example: that passes.
                tracing::warn!(%error, "a connection to the API was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // With no room the connection is closed at once: whoever comes is told, and waits for nothing.
        let Ok(place) = room.clone().try_acquire_owned() else {
            service.metrics().refused("too_many");
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), service);
            // What a client does wrong is its own affair.
            let _ = connection.await;
            drop(place);
        });
    }
}
