use std::time::Duration;

/// The times of a key generation. They matter to liveness only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// After how long without a certificate the number of live coordinators doubles.
    pub interval: Duration,
    /// The least time between two sendings of one thing to one receiver.
    pub repeat_floor: Duration,
    /// The most time between two sendings of one thing that is still owed.
    pub repeat_cap: Duration,
    /// How long after its opening the key generation ends here. Until then members that lack the
    /// certificate are answered with it.
    pub lifetime: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            repeat_floor: Duration::from_millis(500),
            repeat_cap: Duration::from_secs(15),
            lifetime: Duration::from_secs(24 * 3600),
        }
    }
}
