use std::time::Duration;

/// From when, and with how many faulty members, termination is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// The number of seats that are faulty, silent or away, f.
    pub useless: usize,
    /// The network's round trip.
    pub round_trip: Duration,
    /// How long a node takes to store a record.
    pub storing: Duration,
}

/// How long after the last disturbance all honest nodes that have approved hold the signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Intervals until an honest member reigns.
    pub intervals: u32,
    /// The whole time.
    pub after: Duration,
}

/// The longest pause between two runs.
const PAUSE: Duration = Duration::from_secs(8);

impl Allowance {
    /// 2 (f + 2) round trips, log2(f + 1) + 1 intervals and one pause, and for each package a
    /// record at its signers.
    pub fn under(circumstances: &Circumstances) -> Self {
        let Circumstances { useless, round_trip, storing } = *circumstances;
        let faults = useless as u32;
        let intervals = (useless + 1).next_power_of_two().trailing_zeros() + 1;
        let interval = (4 * round_trip).clamp(Duration::from_millis(250), Duration::from_secs(2));
        let trips = 2 * (faults + 2) * (round_trip + storing);
        Self { intervals, after: trips + intervals * interval + PAUSE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_grows_with_the_faults_and_not_with_what_was_before() {
        let of = |useless| {
            let trip = Duration::from_millis(100);
            Allowance::under(&Circumstances { useless, round_trip: trip, storing: Duration::ZERO })
        };
        assert_eq!(of(0).after, Duration::from_millis(400 + 400 + 8_000));
        assert_eq!((of(1).intervals, of(3).intervals, of(4).intervals), (2, 3, 4));
        assert!(of(3).after > of(2).after);
    }
}
