//! Time as the machines see it: an argument of every call, never read from anywhere.

use std::time::Duration;

/// One reading of both of a node's clocks.
///
/// The monotonic clock drives everything: timers, back-off, deadlines. The wall clock is read for
/// three things only: the incarnation, the expiry of a request (once, when its session opens), and
/// the age of a slot, where the two clocks must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Time since an arbitrary start; never goes back.
    pub monotonic: Duration,
    /// Time since 1970 by the wall clock; may jump.
    pub wall: Duration,
}

impl Moment {
    /// Whole seconds since 1970 by the wall clock.
    pub const fn wall_seconds(&self) -> u64 {
        self.wall.as_secs()
    }
}
