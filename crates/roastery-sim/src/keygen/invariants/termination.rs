use std::time::Duration;

use roastery_protocol::keygen::Settings;

/// How long after the calm all honest members have the certificate at the latest, if no member can
/// prevent it.
///
/// The allowance is
///
/// * **the expiries of the interval until an honest coordinator is live at all**: after i of them
///   min(2^i, n) are, and the last node was opened at the calm. With f faulty members that are
///   ceil(log2(f + 1)); if anything was disturbed before, ceil(log2(n)), because a member that has
///   the certificate already may be last in the order;
/// * **two round trips**: first messages, transcript, signatures, certificate; and **the time to
///   store** once;
/// * if anything was disturbed or a member is faulty, **three maximum retransmission intervals**
///   and two round trips more, and what was under way: the first back-off brings what was lost, the
///   second what the minimum reply interval held back, the third what another coordinator lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The longest time allowed from the calm on.
    pub after_calm: Duration,
    /// Expiries granted.
    pub expiries: u32,
}

/// The disturbances of a key generation until it was calm.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// The number of members, n.
    pub members: usize,
    /// The number of faulty members, f.
    pub faulty: usize,
    /// The nodes' intervals and time limits.
    pub settings: Settings,
    /// The round trip of the calm network.
    pub round_trip: Duration,
    /// The most that a message still under way was delayed beyond that.
    pub jitter: Duration,
    /// How long a node takes to store something.
    pub storing: Duration,
    /// Whether anything was lost, delayed, cut, down or late before.
    pub disturbed: bool,
}

impl Allowance {
    /// The allowance under these circumstances.
    pub fn under(circumstances: &Circumstances) -> Self {
        let Circumstances { members, faulty, settings, round_trip, .. } = *circumstances;
        let count = if circumstances.disturbed { members } else { faulty + 1 };
        let expiries = count.next_power_of_two().trailing_zeros();
        let mut after_calm = settings.interval * expiries + round_trip * 2;
        // The coordinator stores what it signs before it shows it, and each member before its
        // signature leaves.
        after_calm += circumstances.storing * 2;
        if circumstances.disturbed || faulty > 0 {
            after_calm += settings.repeat_max * 3 + round_trip * 2 + circumstances.jitter;
        }
        Self { after_calm, expiries }
    }
}
