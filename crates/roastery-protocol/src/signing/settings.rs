use std::time::Duration;

/// Intervals and time limits of a session. They matter to liveness only: no value can make anything
/// unsafe or blame an honest member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The time without a signature after which the number of live attempts doubles.
    pub interval: Duration,
    /// The longest time that a first package is the only one. Where the round trip to its slowest
    /// signer is known it is that, and a quarter of it as margin.
    pub patience: Duration,
    /// The minimum interval between two sendings of one message to one receiver.
    pub repeat_min: Duration,
    /// The maximum interval between retransmissions of one message that is still owed.
    pub repeat_max: Duration,
    /// How long after the signature late equivocation is still recorded.
    pub linger: Duration,
    /// A slot older than this is replaced: a second defence against restored memory images.
    pub slot_age: Duration,
    /// A slot whose age by the wall clock differs from its age by the monotonic clock by more than
    /// this is replaced.
    pub clock_tolerance: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(2),
            patience: Duration::from_secs(1),
            repeat_min: Duration::from_millis(500),
            repeat_max: Duration::from_secs(15),
            linger: Duration::from_secs(30),
            slot_age: Duration::from_secs(600),
            clock_tolerance: Duration::from_secs(10),
        }
    }
}
