use std::collections::BTreeMap;

use roastery_frost::Seat;

use super::{Seats, comparing::Comparing, roster::Roster};

/// The state of a fixed roster that is computed anew after a restart.
pub(super) struct Live {
    pub(super) roster: Roster,
    pub(super) reach: BTreeMap<Seat, Seats>,
    pub(super) reaches: BTreeMap<Seat, u32>,
    pub(super) said: BTreeMap<Seat, Seats>,
    pub(super) comparing: Option<Comparing>,
}

impl Live {
    pub(super) fn new(roster: Roster) -> Self {
        let (reach, reaches, said) = Default::default();
        Self { roster, reach, reaches, said, comparing: None }
    }
}
