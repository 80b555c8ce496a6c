use std::time::{Duration, SystemTime, UNIX_EPOCH};

use roastery_protocol::clock::Moment;
use tokio::time::{Instant, sleep_until};

/// A node's two clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(super) fn now(&self) -> Moment {
        // A wall clock before 1970 is wrong in any case; 1970 makes every expiry far too late to be
        // allowed.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Moment { monotonic: self.start.elapsed(), wall }
    }

    /// Waits for a time of the protocol's monotonic clock; for ever if there is none.
    pub(super) async fn until(self, monotonic: Option<Duration>) {
        match monotonic {
            Some(monotonic) => sleep_until(self.instant(monotonic)).await,
            None => std::future::pending().await,
        }
    }

    fn instant(self, monotonic: Duration) -> Instant {
        const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);
        self.start + monotonic.min(self.start.elapsed() + FAR)
    }
}
