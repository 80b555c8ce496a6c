use std::time::Duration;

/// Intervals and time limits of a key generation. They matter to liveness only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The time without a certificate after which the number of live coordinators doubles.
    pub interval: Duration,
    /// The minimum interval between two sendings of one message to one receiver.
    pub repeat_min: Duration,
    /// The maximum interval between retransmissions of one message that is still owed.
    pub repeat_max: Duration,
    /// How long after its opening the key generation ends here. Until then members that lack the
    /// certificate are answered with it.
    pub lifetime: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            repeat_min: Duration::from_millis(500),
            repeat_max: Duration::from_secs(15),
            lifetime: Duration::from_secs(24 * 3600),
        }
    }
}
