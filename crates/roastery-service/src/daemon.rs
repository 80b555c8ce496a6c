//! The process: logs, the store, the service, the API, and signals.

use roastery_node::store::{Passphrase, Store, StoreError};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::{
    Failure, Service, ServiceError, TooFewDescriptors,
    api::{ApiServer, ServeError},
    config::{Config, LogFormat},
    descriptors,
    files::Folder,
    text::LogWriter,
};

/// Why a node does not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// The log filter makes no sense.
    #[error("observability.log: {0}")]
    LogFilter(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The service.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The API.
    #[error(transparent)]
    Api(#[from] ServeError),
    /// The runtime.
    #[error("no runtime: {0}")]
    Runtime(#[from] std::io::Error),
    /// The system allows too few open files.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// A part failed while the node ran.
    #[error("{0}: start the node again")]
    Failed(Failure),
}

/// Runs a node until it is told to stop: by SIGTERM, SIGINT or the API.
///
/// # Errors
///
/// [`DaemonError`] says why it does not run.
pub fn run(folder: Folder, config: Config, passphrase: &Passphrase) -> Result<(), DaemonError> {
    descriptors::check()?;
    start_log(&config)?;
    let store = Store::open(folder.store(), passphrase)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let service = Service::start(folder.clone(), config.clone(), store).await?;
        let api = ApiServer::start(service.clone(), &folder, &config)?;
        tracing::info!(name = %config.name, "running");
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = service.told_to_stop() => {}
            failure = service.failed() => {
                api.stop();
                service.stop().await;
                return Err(DaemonError::Failed(failure));
            }
        }
        tracing::info!("stopping");
        api.stop();
        service.stop().await;
        Ok(())
    })
}

fn start_log(config: &Config) -> Result<(), DaemonError> {
    let filter = EnvFilter::try_new(&config.observability.log)
        .map_err(|error| DaemonError::LogFilter(error.to_string()))?;
    let format = config.observability.log_format;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || LogWriter { inner: std::io::stderr(), format });
    // A program that embeds this may have a log of its own.
    let _ = match format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    Ok(())
}
