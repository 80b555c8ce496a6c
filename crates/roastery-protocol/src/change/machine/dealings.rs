//! The dealings that a node holds, and what is said about them.

use std::collections::{BTreeMap, BTreeSet};

use roastery_frost::{Seat, change::Dealing};

use crate::change::message::{DealingName, Envelope};

/// One dealing of each old seat: the first that came.
#[derive(Debug, Default)]
pub(super) struct Dealings {
    held: BTreeMap<Seat, Held>,
    complaints: BTreeMap<Seat, BTreeSet<DealingName>>,
    /// Who has dealt twice.
    twice: BTreeSet<Seat>,
}

#[derive(Debug)]
struct Held {
    name: DealingName,
    dealing: Dealing,
    envelope: Envelope,
    /// Whether the shares of it of all new seats of this node are right; `None` at a node without a
    /// new seat.
    is_right: Option<bool>,
    /// The new seats of this node whose share of it is wrong.
    wrong_for: BTreeSet<Seat>,
}

/// What a dealing is beside those that are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    New,
    Same,
    Different,
}

impl Dealings {
    pub(super) fn compare(&self, dealing: &Dealing) -> Known {
        match self.held.get(&dealing.dealer()) {
            None => Known::New,
            Some(held) if held.name == DealingName::of(dealing) => Known::Same,
            Some(_) => Known::Different,
        }
    }

    pub(super) fn enter(
        &mut self,
        dealing: Dealing,
        envelope: Envelope,
        is_right: Option<bool>,
        wrong_for: BTreeSet<Seat>,
    ) {
        let name = DealingName::of(&dealing);
        self.held.insert(name.dealer, Held { name, dealing, envelope, is_right, wrong_for });
    }

    /// A new member's complaint; counted once, and only about a dealing that is held, so that there
    /// are at most as many of one member as there are old seats. Returns whether it is new.
    pub(super) fn complain(&mut self, seat: Seat, name: DealingName) -> bool {
        self.get(name).is_some() && self.complaints.entry(seat).or_default().insert(name)
    }

    /// The dealing of this name.
    pub(super) fn get(&self, name: DealingName) -> Option<&Dealing> {
        self.find(name).map(|held| &held.dealing)
    }

    /// The message that carried it.
    pub(super) fn envelope(&self, name: DealingName) -> Option<&Envelope> {
        self.find(name).map(|held| &held.envelope)
    }

    /// Whether there is no dealing of this dealer.
    pub(super) fn lacks(&self, name: DealingName) -> bool {
        !self.held.contains_key(&name.dealer)
    }

    /// Whether another dealing of this dealer came first.
    pub(super) fn contradicts(&self, name: DealingName) -> bool {
        self.held.contains_key(&name.dealer) && self.find(name).is_none()
    }

    /// A second dealing of this dealer has come. Returns whether that is new.
    pub(super) fn deals_twice(&mut self, dealer: Seat) -> bool {
        self.twice.insert(dealer)
    }

    /// Whether it is to be asked for: it is not here, or it is a second one of a dealer of which no
    /// second one was seen.
    pub(super) fn is_wanted(&self, name: DealingName) -> bool {
        self.lacks(name) || self.contradicts(name) && !self.twice.contains(&name.dealer)
    }

    /// Whether the share of it of this new seat of this node was found wrong.
    pub(super) fn is_wrong_for(&self, name: DealingName, seat: Seat) -> bool {
        self.find(name).is_some_and(|held| held.wrong_for.contains(&seat))
    }

    /// Whether a share of it of this node was found wrong.
    pub(super) fn is_wrong(&self, name: DealingName) -> bool {
        self.find(name).is_some_and(|held| held.is_right == Some(false))
    }

    /// The dealings without complaints whose shares are right here, by dealer.
    pub(super) fn sound(&self) -> impl Iterator<Item = DealingName> + '_ {
        let is_sound =
            |held: &&Held| held.is_right == Some(true) && !self.is_complained_of(held.name);
        self.held.values().filter(is_sound).map(|held| held.name)
    }

    fn is_complained_of(&self, name: DealingName) -> bool {
        self.complaints.values().any(|names| names.contains(&name))
    }

    fn find(&self, name: DealingName) -> Option<&Held> {
        let held = self.held.get(&name.dealer)?;
        (held.name == name).then_some(held)
    }
}
