use std::time::{Duration, SystemTime, UNIX_EPOCH};

use roastery_protocol::clock::Moment;
use tokio::time::{Instant, sleep_until};

/// A wall clock: gives the time since 1970. Requests expire by it. It must run as fast as tokio's
/// clock: where the two differ the node takes it for a suspended machine.
pub type WallClock = fn() -> Duration;

/// A node's two clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
    wall: WallClock,
}

/// The system's wall clock. One before 1970 is wrong in any case; 1970 makes every expiry far too
/// late to be allowed.
pub(super) fn system() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

impl Clock {
    /// The monotonic clock begins now.
    pub(super) fn start(wall: WallClock) -> Self {
        Self { start: Instant::now(), wall }
    }

    pub(super) fn now(&self) -> Moment {
        Moment { monotonic: self.start.elapsed(), wall: (self.wall)() }
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
