//! Reads the host keys, which may be on a medium that does not respond.

use std::{path::PathBuf, sync::Arc, thread, time::Duration};

use roastery_frost::SigningKey;
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

use crate::{
    files::{read_secrets, signing_keys},
    service::ServiceError,
};

/// The timeout of the medium.
const PATIENCE: Duration = Duration::from_secs(20);

/// The timeout of a look at the medium that a person waits for.
const GLANCE: Duration = Duration::from_secs(2);

/// Reads the host keys in a thread of its own: if that hangs it blocks nothing else, not even the
/// end of the process.
#[derive(Debug)]
pub(in crate::service) struct HostKeyReader {
    /// One thread at a time, so that repeated calls leave no more of them.
    turn: Arc<Semaphore>,
}

impl Default for HostKeyReader {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)) }
    }
}

impl HostKeyReader {
    /// Whether there is such a file; `None` if its medium does not say so within 2 seconds.
    pub(in crate::service) async fn is_there(&self, path: PathBuf) -> Option<bool> {
        let looking = async {
            let turn = self.turn.clone().acquire_owned().await.ok()?;
            let (done, looked) = oneshot::channel();
            let look = move || {
                let _ = done.send(path.try_exists().ok());
                drop(turn);
            };
            thread::Builder::new().name("host-key".to_owned()).spawn(look).ok()?;
            looked.await.ok()?
        };
        timeout(GLANCE, looking).await.ok()?
    }

    /// Reads the keys in this file, one for each seat of the node.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotReady`] if there is no file, or its medium does not respond within 20
    /// seconds; [`ServiceError::File`].
    pub(in crate::service) async fn read(
        &self,
        path: PathBuf,
    ) -> Result<Vec<SigningKey>, ServiceError> {
        let unanswered = || {
            let seconds = PATIENCE.as_secs();
            ServiceError::NotReady(
                format!("the host key could not be read within {seconds} s").into(),
            )
        };
        let reading = async {
            let turn = self.turn.clone().acquire_owned().await.map_err(|_| unanswered())?;
            let (done, read) = oneshot::channel();
            thread::Builder::new()
                .name("host-key".to_owned())
                .spawn(move || {
                    // The caller may have timed out: then the key is overwritten here.
                    let _ = done.send(read_secrets(&path));
                    drop(turn);
                })
                .map_err(|error| ServiceError::Internal(format!("no thread: {error}").into()))?;
            read.await.map_err(|_| unanswered())
        };
        let keys = timeout(PATIENCE, reading).await.map_err(|_| unanswered())???;
        signing_keys(keys)
            .map_err(|error| ServiceError::NotReady(format!("the host key: {error}").into()))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    /// A pipe without a writer behaves like a medium that does not respond.
    #[tokio::test(start_paused = true)]
    async fn a_medium_that_does_not_answer_is_given_up() {
        let path = std::env::temp_dir().join(format!("roastery-pipe-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reader = HostKeyReader::default();
        for _ in 0..2 {
            let error = reader.read(path.clone()).await.unwrap_err();
            assert!(error.to_string().contains("within 20 s"), "{error}");
        }
        // One thread was started; it ends when the pipe is written to.
        assert_eq!(reader.turn.available_permits(), 0);
        fs::write(&path, "").unwrap();
        drop(reader.turn.acquire().await.unwrap());
        fs::remove_file(&path).unwrap();
    }
}
