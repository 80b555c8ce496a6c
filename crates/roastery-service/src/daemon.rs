//! The process: logs, the store, the service, the API, and signals.

use std::{
    path::PathBuf,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use roastery_store::{Passphrase, Store, StoreError};
use rustix::{fs::Mode, process::umask};
use thiserror::Error;
use tokio::{
    runtime::Handle,
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};

use crate::{
    Failure, Service, ServiceError, TooFewDescriptors,
    api::{ApiServer, ServeError},
    blocking::blocking,
    config::Config,
    descriptors,
    files::{Folder, FolderError, open_to_others},
    log::{Log, LogError},
    manager::ServiceManager,
};

/// How long a graceful stop may take: queued messages are sent.
const STOP: Duration = Duration::from_secs(10);

/// How long it waits then for calls that block, on a disk for example.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// The pause before it is looked again whether the store is free.
const LOOKS_AGAIN: Duration = Duration::from_millis(50);

/// Why a node does not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// The log filter is invalid.
    #[error("observability.log: {0}")]
    LogFilter(#[source] tracing_subscriber::filter::ParseError),
    /// A file of the folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FolderError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service cannot start.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The API cannot listen.
    #[error(transparent)]
    Api(#[from] ServeError),
    /// The system gives no thread, runtime or signals.
    #[error("the system gives no threads or signals: {0}")]
    Runtime(#[from] std::io::Error),
    /// The system allows too few open files.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// A part failed, at the start or while the node ran: the process must be restarted.
    #[error("{0}: start the node again")]
    Failed(Failure),
}

impl From<LogError> for DaemonError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Filter(reason) => Self::LogFilter(reason),
            LogError::Thread(error) => Self::Runtime(error),
        }
    }
}

/// Runs a node until it is stopped by SIGTERM, SIGINT or the API. On Unix only the user that it
/// runs as can open the files that it makes, its socket among them.
///
/// # Errors
///
/// [`DaemonError`] if the node cannot start, or a part of it fails.
pub fn run(folder: Folder, config: Config, passphrase: Passphrase) -> Result<(), DaemonError> {
    descriptors::check()?;
    umask(Mode::RWXG | Mode::RWXO);
    // Dropped last, so that the last lines are written.
    let _log = Log::start(&config)?;
    let manager = ServiceManager::of_environment(|name| std::env::var_os(name));
    let manager = manager.unwrap_or_else(|error| {
        tracing::warn!("{error}; the node runs without it");
        None
    });
    let passphrase = Arc::new(passphrase);
    loop {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended: Result<End, DaemonError> = runtime.block_on(async {
            let mut signals = Signals::install()?;
            let running = tokio::select! {
                () = signals.received() => return Ok(End::Stopped),
                running = start(folder.clone(), config.clone(), passphrase.clone()) => running?,
            };
            running.until_told(&mut signals, manager.as_ref()).await
        });
        // A call that blocks for ever must not keep the process alive.
        runtime.shutdown_timeout(LEFT_BEHIND);
        match ended? {
            End::Stopped => return Ok(()),
            End::Again => tracing::info!("starting again, with the keys that are in the store now"),
        }
    }
}

/// How a node has ended that was not stopped by a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It was told to stop.
    Stopped,
    /// Its keys are others now, and it starts again with them.
    Again,
}

/// The signals that stop a node.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

struct Running {
    service: std::sync::Arc<Service>,
    api: ApiServer,
}

/// Starts everything where blocking is allowed, so that signals are handled meanwhile.
async fn start(
    folder: Folder,
    config: Config,
    passphrase: Arc<Passphrase>,
) -> Result<Running, DaemonError> {
    let (at, secrets) = (folder.clone(), secret_files(&folder, &config));
    let store = start_blocking("the store", move || -> Result<Store, DaemonError> {
        let store = open(&at, &passphrase)?;
        // The open store is the lock of the folder.
        let left = at.remove_unfinished()?;
        if left > 0 {
            tracing::info!(left, "files that a crash had left unfinished were removed");
        }
        for open in secrets.iter().filter_map(|path| open_to_others(path)) {
            tracing::warn!("{open}");
        }
        Ok(store)
    })
    .await??;
    let name = config.name.to_string();
    // In a task: what blocks in it does not block this one.
    let starting = tokio::spawn(Service::start(folder.clone(), config.clone(), store));
    let service = starting.await.map_err(|error| panicked("the start", error))??;
    let served = service.clone();
    let api = start_blocking("the API", move || ApiServer::start(served, &folder, &config)).await;
    let api = match api.and_then(|api| Ok(api?)) {
        Ok(api) => api,
        Err(error) => {
            // It is stopped on purpose: parts that end now have not failed.
            service.stop().await;
            return Err(error);
        }
    };
    tracing::info!(name, "running");
    Ok(Running { service, api })
}

/// Opens the store. Where this process had it open before, the last of its threads may still hold
/// it.
fn open(folder: &Folder, passphrase: &Passphrase) -> Result<Store, StoreError> {
    let begun = Instant::now();
    loop {
        match Store::open(folder.store(), passphrase) {
            Err(StoreError::Locked) if begun.elapsed() < LEFT_BEHIND => sleep(LOOKS_AGAIN),
            opened => return opened,
        }
    }
}

/// The files that only the node's own user should be able to read.
fn secret_files(folder: &Folder, config: &Config) -> Vec<PathBuf> {
    let mut paths = vec![
        folder.path().to_owned(),
        folder.store(),
        folder.resolve(&config.host_key),
        folder.resolve(&config.api.token_file),
        folder.resolve(&config.api.read_token_file),
    ];
    paths.extend(config.passphrase_file.as_ref().map(|file| folder.resolve(file)));
    paths
}

async fn start_blocking<T: Send + 'static>(
    part: &str,
    act: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DaemonError> {
    blocking(&Handle::current(), act).await.map_err(|error| panicked(part, error))
}

fn panicked(part: &str, error: tokio::task::JoinError) -> DaemonError {
    DaemonError::Failed(Failure::of_task(part, error))
}

impl Running {
    async fn until_told(
        self,
        signals: &mut Signals,
        manager: Option<&ServiceManager>,
    ) -> Result<End, DaemonError> {
        let Self { service, api } = self;
        let mut ended = tokio::select! {
            () = signals.received() => Ok(End::Stopped),
            () = service.asked_to_stop() => Ok(End::Stopped),
            () = service.asked_to_start_again() => Ok(End::Again),
            failure = service.failed() => Err(DaemonError::Failed(failure)),
            () = report(manager, &service, &api) => Ok(End::Stopped),
        };
        tracing::info!("stopping");
        if let Some(manager) = manager.filter(|_| !matches!(ended, Ok(End::Again))) {
            manager.stopping();
        }
        let stop = async {
            // `stop` joins its thread. If that has panicked there is nothing to wait for.
            let _ = blocking(&Handle::current(), || api.stop()).await;
            service.stop().await;
        };
        tokio::select! {
            // What has not ended by then is abandoned.
            _ = timeout(STOP, stop) => {}
            // A second signal stops at once.
            () = signals.received() => ended = ended.map(|_| End::Stopped),
        }
        ended
    }
}

/// Tells the service manager when the node can be used, and then that it works, as long as it does.
/// Never ends.
async fn report(manager: Option<&ServiceManager>, service: &Service, api: &ApiServer) {
    let Some(manager) = manager else { return std::future::pending().await };
    api.answers().await;
    manager.ready();
    let Some(interval) = manager.watchdog() else { return std::future::pending().await };
    loop {
        let mut problems = service.stuck().await;
        problems.extend(api.problems());
        manager.works_without(&problems);
        tokio::time::sleep(interval).await;
    }
}
