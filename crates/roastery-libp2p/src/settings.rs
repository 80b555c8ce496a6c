//! The limits and times of a bus over a network.

use std::time::Duration;

use roastery_node::bus::queue::{QueueLimits, QueueLimitsError};

/// The longest value of any time.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The limits and times of a bus over a network. The default times suit the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct P2pSettings {
    /// The queues from and to each peer.
    pub queues: QueueLimits,
    /// Other peers at a time. Those of several groups on one bus are counted together.
    pub max_peers: usize,
    /// The timeout of a handshake: a connection that has not authenticated by then is closed.
    pub handshake: Duration,
    /// The timeout within one message, in or out. Between messages there is none.
    pub stall: Duration,
    /// The time between a pong and the next ping.
    pub ping_interval: Duration,
    /// The timeout of a pong: a connection over which none came by then is closed.
    pub ping_timeout: Duration,
    /// The pause after the first failed dial; each further one is twice as long.
    pub first_redial: Duration,
    /// The longest pause between two dials. A connection that lasted that long resets the back-off.
    pub longest_redial: Duration,
    /// How long a bus that is dropped waits for what it has sent to go out.
    pub drain_timeout: Duration,
    /// Whether this node relays for peers of its roster, and reaches others through them.
    pub relay: bool,
}

/// Enough for a group of 128 seats.
impl Default for P2pSettings {
    fn default() -> Self {
        Self {
            queues: QueueLimits::default(),
            max_peers: 127,
            handshake: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(10),
            first_redial: Duration::from_millis(500),
            longest_redial: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(3),
            relay: false,
        }
    }
}

impl P2pSettings {
    pub(super) fn check(self) -> Result<Self, P2pSettingsError> {
        self.queues.check()?;
        if u32::try_from(self.queues.max_message_bytes).is_err() {
            return Err(P2pSettingsError::MessageTooLong);
        }
        for (name, time) in [
            ("handshake", self.handshake),
            ("stall", self.stall),
            ("ping_interval", self.ping_interval),
            ("ping_timeout", self.ping_timeout),
            ("first_redial", self.first_redial),
            ("longest_redial", self.longest_redial),
            ("drain_timeout", self.drain_timeout),
        ] {
            if time.is_zero() || time > LONGEST {
                return Err(P2pSettingsError::Time { name, time });
            }
        }
        Ok(self)
    }
}

/// Why a bus cannot have these [`P2pSettings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum P2pSettingsError {
    /// No message could be sent or received.
    #[error(transparent)]
    Queues(#[from] QueueLimitsError),
    /// Longer than the length prefix of a frame can express.
    #[error("max_message_bytes is 4 GiB or more: the length of a message has 32 bits")]
    MessageTooLong,
    /// A time that is zero, or longer than allowed.
    #[error("{name} is {time:?}: more than nothing and at most {LONGEST:?} is allowed")]
    Time {
        /// The name of the setting.
        name: &'static str,
        /// Its value.
        time: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_zero_or_endless_are_refused() {
        let settings = P2pSettings::default();
        assert_eq!(settings.check(), Ok(settings));
        for time in [Duration::ZERO, LONGEST + Duration::from_nanos(1), Duration::MAX] {
            let refused = P2pSettings { stall: time, ..settings }.check();
            assert_eq!(refused, Err(P2pSettingsError::Time { name: "stall", time }));
        }
        assert!(P2pSettings { stall: LONGEST, ..settings }.check().is_ok());
    }

    #[test]
    fn queues_of_nothing_and_messages_of_four_gibibytes_are_refused() {
        let of_queues = |max_message_bytes| {
            let queues = QueueLimits {
                max_message_bytes,
                max_queued_bytes: usize::MAX,
                ..QueueLimits::default()
            };
            P2pSettings { queues, ..P2pSettings::default() }.check()
        };
        assert!(matches!(of_queues(0), Err(P2pSettingsError::Queues(_))));
        assert!(of_queues(u32::MAX as usize).is_ok());
        assert_eq!(of_queues(u32::MAX as usize + 1), Err(P2pSettingsError::MessageTooLong));
    }
}
