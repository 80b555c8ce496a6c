use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

/// What a node remembers of the members from one session to the next: which answered, which were
/// late, and how fast each is. It decides which signers are picked first, and nothing else: no
/// value of it blames a member or makes anything unsafe. One entry a seat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerHistory(BTreeMap<Seat, PeerStats>);

/// What is remembered of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerStats {
    /// Whether it signed the package that led to the signature; otherwise it was picked for another
    /// one and not for that.
    pub answered: bool,
    /// How long its last answer took, as far as this node has asked it.
    pub round_trip: Option<Duration>,
}

impl PeerHistory {
    /// What is remembered of a member.
    pub fn of(&self, seat: Seat) -> Option<PeerStats> {
        self.0.get(&seat).copied()
    }

    /// Adds what a later session has shown. Members of which it shows nothing keep their entry.
    pub fn update(&mut self, later: &PeerHistory) {
        for (&seat, conduct) in &later.0 {
            let known = self.of(seat).and_then(|known| known.round_trip);
            let round_trip = conduct.round_trip.or(known);
            self.0.insert(seat, PeerStats { round_trip, ..*conduct });
        }
    }

    /// Records the latest behaviour of a member.
    pub fn note(&mut self, seat: Seat, conduct: PeerStats) {
        self.0.insert(seat, conduct);
    }

    /// Whether it answered in the last session that is recorded.
    pub(crate) fn answered(&self, seat: Seat) -> bool {
        self.of(seat).is_some_and(|conduct| conduct.answered)
    }

    /// Whether it owed a share in the last session that is recorded.
    pub(crate) fn owed(&self, seat: Seat) -> bool {
        self.of(seat).is_some_and(|conduct| !conduct.answered)
    }

    pub(crate) fn round_trip(&self, seat: Seat) -> Option<Duration> {
        self.of(seat)?.round_trip
    }
}
