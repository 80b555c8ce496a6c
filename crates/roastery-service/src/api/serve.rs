use std::{
    io, net::SocketAddr, path::PathBuf, pin::pin, sync::Arc, thread::JoinHandle, time::Duration,
};

use axum::{Router, body::Body, extract::Request};
use http_body_util::BodyExt as _;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    runtime::{Builder, Handle, Runtime},
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_io_timeout::TimeoutStream;

use super::{
    access::{Access, PeerUser, Users},
    all_operations,
    bind::{Listeners, ServeError},
    client::Client,
    connections::{Connections, Party, Place, Places},
    health::Heartbeat,
    observations,
    operations::{Listener, Operations},
};
use crate::view::ProblemCode;
use crate::{
    Role, Service,
    config::Config,
    files::Folder,
    limits::{Limit, Limits},
};

/// The quotas of connections of a listener.
const PLACES: Places = Places { of_kind: 128, of_address: 32 };

/// The timeout for the head of a request, and for an idle connection.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// The timeout for a client that takes no byte of an answer or of a stream of events.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// How long answers and streams in progress may take when the node stops.
const FAREWELL: Duration = Duration::from_millis(500);

/// The timeout for an answer to this process itself, and how soon it asks again.
const ANSWER_TIME: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// The number of threads in which operations run.
const WORKERS: usize = 2;

/// The most connections that are being refused at once; further ones are closed without an answer.
const MAX_TURNED_AWAY: usize = 64;

/// How long a connection that is refused may take to read the answer.
const TURN_AWAY_TIME: Duration = Duration::from_secs(1);

/// The answer to a connection beyond the quota.
const NO_PLACE: &str = "{\"code\":\"too_many\",\"message\":\"no place for one more connection: all \
    are in use; repeat it later\"}";

/// The API, listening.
#[derive(Debug)]
pub struct ApiServer {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    /// The address of HTTP over TCP.
    pub tcp: Option<SocketAddr>,
    /// The address of health and metrics.
    pub observability: Option<SocketAddr>,
    socket: PathBuf,
    /// Of the runtimes of connections and of operations.
    heartbeats: [Arc<Heartbeat>; 2],
}

impl ApiServer {
    /// Starts the configured listeners, in threads of their own.
    ///
    /// # Errors
    ///
    /// [`ServeError`] names the listener.
    pub fn start(
        service: Arc<Service>,
        folder: &Folder,
        config: &Config,
    ) -> Result<Self, ServeError> {
        let socket = folder.resolve(&config.api.socket);
        let listeners = Listeners::bind(folder, config, &socket)?;
        let users = Arc::new(Users::of(config));
        let address = |listener: &std::net::TcpListener| listener.local_addr().ok();
        let tcp = listeners.tcp.as_ref().and_then(|(listener, _)| address(listener));
        let observability = listeners.observability.as_ref().and_then(address);
        let (stop, mut stopped) = watch::channel(false);
        let supervisor = service.supervisor().clone();
        let hosts = config.observability.hosts.clone().into();
        let heartbeats = [Heartbeat::new("connection"), Heartbeat::new("operation")];
        let [of_connections, heartbeat] = heartbeats.clone();
        let (begun, beginning) = std::sync::mpsc::channel();
        // It ends without an error only when it is stopped, so its panic is a failure. Its runtimes
        // are created and dropped in it, because the calling thread may not drop them.
        let thread = supervisor
            .finite_thread("the API", "api", move || {
                let (connections, operations) = match runtimes() {
                    Ok(runtimes) => runtimes,
                    Err(error) => return drop(begun.send(Err(error))),
                };
                let closing = Arc::new(watch::Sender::new(false));
                let server = Server {
                    closing: closing.clone(),
                    limits: service.limits().clone(),
                    service,
                    operations: operations.handle().clone(),
                    heartbeat,
                    users,
                };
                connections.spawn(of_connections.beat());
                let ready = connections.block_on(async { server.listen(listeners, hosts) });
                let failed = ready.is_err();
                let _ = begun.send(ready);
                if !failed {
                    connections.block_on(async {
                        stopped_signal(&mut stopped).await;
                        closing.send_replace(true);
                        // Each connection holds the other end until it is closed.
                        let _ = timeout(FAREWELL, closing.closed()).await;
                    });
                }
                operations.shutdown_timeout(Duration::from_secs(1));
                connections.shutdown_timeout(Duration::from_secs(1));
            })
            .map_err(ServeError::Threads)?;
        let ended = || Err(io::Error::other("its thread ended"));
        beginning.recv().unwrap_or_else(|_| ended()).map_err(ServeError::Threads)?;
        Ok(Self { stop, thread: Some(thread), tcp, observability, socket, heartbeats })
    }

    /// Waits until it answers at its socket.
    pub(crate) async fn answers(&self) {
        let client = Client::new(&self.socket).with_patience(ANSWER_TIME);
        while client.health("/health").await.is_err() {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// The problems of its threads, each in a line; none if there are none.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.heartbeats.iter().filter_map(|heartbeat| heartbeat.problem()).collect()
    }

    /// Stops it. Requests in progress are answered; those that take too long are aborted.
    pub fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // If it has panicked there is nothing to wait for.
            let _ = thread.join();
        }
        // Without the socket a client sees that no node runs.
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// One runtime for connections, in the calling thread, and one for operations.
fn runtimes() -> io::Result<(Runtime, Runtime)> {
    let connections = Builder::new_current_thread().enable_all().build()?;
    let operations = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("api-operation")
        .enable_all()
        .build()?;
    Ok((connections, operations))
}

async fn stopped_signal(stopped: &mut watch::Receiver<bool>) {
    // If the server was dropped, stop as well.
    let _ = stopped.wait_for(|stop| *stop).await;
}

struct Server {
    closing: Arc<watch::Sender<bool>>,
    service: Arc<Service>,
    limits: Arc<Limits>,
    operations: Handle,
    heartbeat: Arc<Heartbeat>,
    users: Arc<Users>,
}

impl Server {
    /// Begins to accept connections, in the current runtime.
    fn listen(self, listeners: Listeners, hosts: super::Hosts) -> io::Result<()> {
        let Listeners { unix, relay, tcp, observability } = listeners;
        self.operations.spawn(self.heartbeat.clone().beat());
        let supervisor = self.service.supervisor().clone();
        let runtime = Handle::current();

        let unix = UnixListener::from_std(unix)?;
        let router = self.router(Listener::Socket, Access::Socket(self.users.clone()));
        let gate = self.gate(Listener::Socket, router);
        let local = LocalListener { listener: unix, users: self.users.clone() };
        supervisor.essential(&runtime, "the API's socket", gate.accept(local));
        if let Some((listener, user)) = relay {
            let listener = UnixListener::from_std(listener)?;
            let router = self.router(Listener::Relay, Access::Relay(user));
            let gate = self.gate(Listener::Relay, router);
            supervisor.essential(&runtime, "the socket of the relay", gate.accept(listener));
        }
        if let Some((listener, tokens)) = tcp {
            let listener = TcpListener::from_std(listener)?;
            let router = self.router(Listener::Tcp, Access::Tokens(tokens));
            let gate = self.gate(Listener::Tcp, router);
            supervisor.essential(&runtime, "the API over TCP", gate.accept(listener));
        }
        if let Some(listener) = observability {
            let listener = TcpListener::from_std(listener)?;
            let router = observations(self.service.clone(), hosts, self.heartbeat.clone());
            let gate = self.gate(Listener::Observability, router);
            let accept = gate.accept(listener);
            supervisor.essential(&runtime, "the listener for health and metrics", accept);
        }
        Ok(())
    }

    fn router(&self, listener: Listener, access: Access) -> Router {
        let operations = Operations::new(listener, self.limits.clone(), self.operations.clone());
        all_operations(self.service.clone(), access, operations, self.heartbeat.clone())
    }

    fn gate(&self, listener: Listener, router: Router) -> Gate {
        Gate {
            service: self.service.clone(),
            limits: self.limits.clone(),
            closing: self.closing.clone(),
            listener,
            router,
            room: Connections::new(PLACES, self.limits.clone()),
            turned_away: Arc::new(Semaphore::new(MAX_TURNED_AWAY)),
        }
    }
}

/// A source of connections.
trait Accept: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn next(
        &self,
    ) -> impl Future<Output = io::Result<(Self::Stream, Party, Option<PeerUser>)>> + Send;
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Party, Option<PeerUser>)> {
        let stream = self.accept().await?.0;
        // Without it, what the client asks for is refused.
        let user = stream.peer_cred().ok().map(|user| PeerUser(user.uid()));
        Ok((stream, Party::Socket, user))
    }
}

/// The API's socket: a user who is no operator takes no place of one.
struct LocalListener {
    listener: UnixListener,
    users: Arc<Users>,
}

impl Accept for LocalListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Party, Option<PeerUser>)> {
        let (stream, party, user) = self.listener.next().await?;
        let party = match user {
            Some(PeerUser(user)) => match self.users.role(user) {
                Some(Role::Operator) => Party::Socket,
                Some(_) => Party::User(user),
                None => Party::Stranger(user),
            },
            None => party,
        };
        Ok((stream, party, user))
    }
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, Party, Option<PeerUser>)> {
        let (stream, address) = self.accept().await?;
        Ok((stream, Party::of(address.ip()), None))
    }
}

/// The connections of one listener and their quotas.
struct Gate {
    service: Arc<Service>,
    closing: Arc<watch::Sender<bool>>,
    limits: Arc<Limits>,
    listener: Listener,
    router: Router,
    room: Arc<Connections>,
    turned_away: Arc<Semaphore>,
}

impl Gate {
    /// Serves the connections, with a quota for each kind of client.
    async fn accept(self, listener: impl Accept) {
        loop {
            let (stream, party, user) = match listener.next().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // For example, too many files are open: that passes.
                    self.limits.hit(Limit::OpenFiles, &self.listener.to_string());
                    tracing::debug!(%error, "a connection to the API was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            match self.room.enter(party) {
                Ok(place) => self.serve(stream, place, user),
                Err(_) => self.turn_away(stream),
            }
        }
    }

    fn serve<S>(&self, stream: S, place: Arc<Place>, user: Option<PeerUser>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (limits, who) = (self.limits.clone(), self.listener.to_string());
        let router = TowerToHyperService::new(self.router.clone());
        let (working, closing) = (place.clone(), self.closing.subscribe());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let work = working.work();
            request.extensions_mut().insert(working.clone());
            user.map(|user| request.extensions_mut().insert(user));
            let answer = router.call(request);
            async move {
                // The work ends when the last part of the answer is sent.
                let answer = answer.await?.map(|body| {
                    Body::new(body.map_frame(move |frame| {
                        let _ = &work;
                        frame
                    }))
                });
                Ok::<_, std::convert::Infallible>(answer)
            }
        });
        tokio::spawn(async move {
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(WRITE_TIME));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .serve_connection(TokioIo::new(Box::pin(stream)), service);
            let mut connection = pin!(connection);
            let mut closing = closing;
            let done = tokio::select! {
                done = connection.as_mut() => done,
                () = place.closed() => return,
                () = stopped_signal(&mut closing) => {
                    // A request in progress is answered.
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = done {
                report(&limits, &who, place.has_worked(), &error);
            }
        });
    }

    /// Answers that the quota is used up, and closes the connection.
    fn turn_away<S>(&self, mut stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.service.metrics().refused(ProblemCode::TooMany);
        let Ok(turn) = self.turned_away.clone().try_acquire_owned() else { return };
        tokio::spawn(async move {
            let length = NO_PLACE.len();
            let answer = format!(
                "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\nretry-after: 1\r\nconnection: close\r\n\r\n{NO_PLACE}"
            );
            let refusal = async {
                stream.write_all(answer.as_bytes()).await?;
                stream.shutdown().await?;
                // If it were closed with unread bytes, the answer could be lost.
                let mut rest = stream.take(64 * 1024);
                tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
            };
            // If the client disconnects, no answer is needed.
            let _ = timeout(TURN_AWAY_TIME, refusal).await;
            drop(turn);
        });
    }
}

/// Counts a connection that a bound of this node has ended. Other errors of a client do not affect
/// the others.
fn report(limits: &Limits, who: &str, worked: bool, error: &hyper::Error) {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    // After a request it is an idle connection that was kept open and not used again.
    if error.is_timeout() && !worked {
        limits.hit(Limit::ApiHeadTime, who);
    } else if cause.is_some_and(|cause: &io::Error| cause.kind() == io::ErrorKind::TimedOut) {
        limits.hit(Limit::ApiWriteTime, who);
    }
}
