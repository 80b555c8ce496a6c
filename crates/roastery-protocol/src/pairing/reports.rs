//! What a pairing can tell of itself.

use roastery_frost::Seat;

use super::{Seats, Terms, comparing::Comparing, machine::Pairing, output::Ended, roster::Roster};

impl Pairing {
    /// What is offered, if it is known.
    pub fn terms(&self) -> Option<&Terms> {
        self.kept.terms()
    }

    /// This node's seat, if it is known.
    pub fn own_seat(&self) -> Option<Seat> {
        self.kept.own()
    }

    /// The attempt, 1 to 5; 0 before the first.
    pub fn attempt(&self) -> u8 {
        self.kept.attempt
    }

    /// The roster of this attempt, once it was checked.
    pub fn roster(&self) -> Option<&Roster> {
        self.live.as_ref().map(|live| &live.roster)
    }

    /// The roster, once all words of all others were right here and this node's at each of them, as
    /// a person has stated: its invitation is what all members have, and its key generation can
    /// begin.
    pub fn agreed(&self) -> Option<&Roster> {
        self.roster().filter(|_| self.kept.agreed)
    }

    /// How it has ended, if it has.
    pub fn ended(&self) -> Option<Ended> {
        self.kept.ended()
    }

    /// This node's words, to be said to the others; none before all have revealed.
    pub fn own_words(&self) -> Vec<&'static str> {
        let comparing = self.live.as_ref().and_then(|live| live.comparing.as_ref());
        comparing.map(Comparing::own_words).unwrap_or_default()
    }

    /// Whether this node has revealed its number in this attempt.
    pub fn has_revealed(&self) -> bool {
        self.own_seat().is_some_and(|own| self.revealed(own))
    }

    /// Whether this member has revealed its number in this attempt.
    pub fn revealed(&self, seat: Seat) -> bool {
        let sealed = self.kept.sealed.as_ref();
        sealed.is_some_and(|sealed| sealed.revealed.contains_key(&seat.to_u16()))
    }

    /// Whom this member says that it reaches.
    pub fn reach(&self, seat: Seat) -> Option<Seats> {
        self.live.as_ref()?.reach.get(&seat).copied()
    }

    /// Whose words this member says that it has compared; this node's own ones are known.
    pub fn compared(&self, seat: Seat) -> Seats {
        let Some(live) = &self.live else { return Seats::default() };
        match (&live.comparing, &self.kept.sealed) {
            (Some(comparing), Some(sealed)) if Some(seat) == self.own_seat() => {
                comparing.compared(&sealed.typed)
            }
            _ => live.said.get(&seat).map(|said| said.without(seat)).unwrap_or_default(),
        }
    }

    /// Whether this member agrees, as it says.
    pub fn agrees(&self, seat: Seat) -> bool {
        if Some(seat) == self.own_seat() {
            return self.kept.agreed;
        }
        self.live.as_ref().and_then(|live| live.said.get(&seat)).is_some_and(|said| said.has(seat))
    }

    /// When it ends, in seconds since 1970, unless all words were right before.
    pub fn deadline(&self) -> u64 {
        self.kept.deadline
    }
}
