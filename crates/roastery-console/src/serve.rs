//! The listeners and their connections.

use std::{io, net::SocketAddr, time::Duration};

use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{Instant, interval, sleep_until},
};
use tokio_io_timeout::TimeoutStream;

use crate::{
    connections::{Connection, Connections},
    console::{Console, ConsoleError},
    routes::router,
};

/// The timeout for the head of a request, and for an idle connection.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// The timeout for a client that takes no byte of an answer.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// The longest head of a request, in bytes.
const MOST_OF_HEAD: usize = 32 * 1024;

/// The time after which a console ends, and the time after which it ends unless a person uses it.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);
const IDLE: Duration = Duration::from_secs(30 * 60);

/// How often a free port at one loopback address is looked for that is free at the other one too.
const TRIES: usize = 16;

/// Why a console has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// No person has used it for half an hour.
    Idle,
    /// It has run for twelve hours.
    Life,
}

/// Both loopback addresses at one port: at one that was left free another program of this machine
/// could listen, and be taken for the console.
#[derive(Debug)]
pub struct Listeners {
    port: u16,
    all: Vec<TcpListener>,
}

impl Listeners {
    /// Listens at this port, or at a free one.
    ///
    /// # Errors
    ///
    /// [`ConsoleError::Listen`].
    pub async fn bind(port: Option<u16>) -> Result<Self, ConsoleError> {
        for _ in 1..TRIES {
            match Self::bind_once(port.unwrap_or(0)).await {
                Err(ConsoleError::Listen { source, .. })
                    if port.is_none() && source.kind() == io::ErrorKind::AddrInUse => {}
                bound => return bound,
            }
        }
        Self::bind_once(port.unwrap_or(0)).await
    }

    async fn bind_once(port: u16) -> Result<Self, ConsoleError> {
        let failed = |address: SocketAddr| {
            move |source| ConsoleError::Listen { address: address.to_string(), source }
        };
        let first = SocketAddr::from(([127, 0, 0, 1], port));
        let v4 = TcpListener::bind(first).await.map_err(failed(first))?;
        let port = v4.local_addr().map_err(failed(first))?.port();
        let second = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port));
        let all = match TcpListener::bind(second).await {
            Ok(v6) => vec![v4, v6],
            // A machine without IPv6 has no such address to be taken.
            Err(error) if is_absent(&error) => vec![v4],
            Err(source) => return Err(failed(second)(source)),
        };
        Ok(Self { port, all })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers, until what is returned is dropped.
    pub(crate) fn serve(self, router: axum::Router) -> JoinSet<()> {
        let connections = Connections::default();
        let mut tasks = JoinSet::new();
        for listener in self.all {
            tasks.spawn(accept(listener, router.clone(), connections.clone()));
        }
        tasks
    }
}

/// Whether the machine has no such address.
fn is_absent(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no kind of its own.
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(97)
}

impl Console {
    /// Serves until no person has used the console for half an hour, or for twelve hours.
    pub async fn serve(&self, listeners: Listeners) -> Over {
        let end = Instant::now() + LIFE;
        let shared = self.0.clone();
        let following = async move { shared.watch.follow(&shared.client).await };
        let following = tokio::spawn(following);
        let serving = listeners.serve(router(self.clone()));
        let mut looks = interval(Duration::from_secs(10));
        let over = loop {
            tokio::select! {
                () = sleep_until(end) => break Over::Life,
                _ = looks.tick() => if self.0.unused_for() >= IDLE { break Over::Idle },
            }
        };
        following.abort();
        drop(serving);
        over
    }
}

async fn accept(listener: TcpListener, router: axum::Router, connections: Connections) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // For example, too many files are open: that passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(place) = connections.place() else { continue };
        let router = router.clone();
        tokio::spawn(async move {
            tokio::select! {
                // Errors of a client concern it alone.
                _ = serve(stream, router, place.connection.clone()) => {}
                () = place.over() => {}
            }
        });
    }
}

async fn serve(
    stream: TcpStream,
    router: axum::Router,
    connection: Connection,
) -> Result<(), hyper::Error> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIME));
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        connection.note_request();
        request.extensions_mut().insert(connection.clone());
        router.call(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MOST_OF_HEAD)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .await
}
