//! A node that joins with a line: it checks what the inviter shows it, and accepts one roster for
//! each attempt.

use std::time::Duration;

use roastery_frost::Seat;

use super::{
    frame::{AllEntries, EndReason, Enter, Frame, MAX_FRAME, Offer, Said},
    kept::{Joining, Kept, Role, inviter},
    line::{Line, Purpose},
    machine::{MOST_ATTEMPTS, Own, Pairing, PairingError},
    output::{Ended, Event, Rejected},
    roster::Roster,
};
use crate::{clock::Moment, group::PeerId};

/// The pause before a Hello that brought no offer is said again.
const HELLO: Duration = Duration::from_secs(5);

/// Names the time of the last Hello among the answers of this node.
const OWN: u16 = u16::MAX;

impl Pairing {
    /// Begins a pairing with a line. `inviter` is the peer whose key the line names.
    ///
    /// # Errors
    ///
    /// [`PairingError`] if the line has expired, is this node's own, or is one to return.
    pub fn join(line: Line, inviter: PeerId, own: Own, now: Moment) -> Result<Self, PairingError> {
        if line.purpose != Purpose::Join {
            return Err(PairingError::ToReturn);
        }
        if u64::from(line.expiry) <= now.wall_seconds() {
            return Err(PairingError::Expired);
        }
        if inviter == own.peer {
            return Err(PairingError::OwnLine);
        }
        let deadline = line.expiry.into();
        let role = Role::Joining(Joining { line, inviter, offered: None, accepted: false });
        let mut pairing = Self::with(own, Kept::new(role, deadline), now)?;
        pairing.touch();
        pairing.flush();
        Ok(pairing)
    }

    /// At a joiner: its line, and the peer of the node that invites.
    pub fn invited_by(&self) -> Option<(&Line, &PeerId)> {
        match &self.kept.role {
            Role::Joining(joining) => Some((&joining.line, &joining.inviter)),
            Role::Inviting(_) => None,
        }
    }

    /// At a joiner: whether its operator has accepted the offer.
    pub fn accepted(&self) -> bool {
        matches!(&self.kept.role, Role::Joining(Joining { accepted: true, .. }))
    }

    /// At a joiner: the operator takes part.
    ///
    /// # Errors
    ///
    /// [`PairingError::NotNow`] without an offer; [`PairingError::Randomness`].
    pub fn accept(&mut self, now: Moment) -> Result<(), PairingError> {
        self.last = now;
        if self.kept.end.is_some() {
            return Err(PairingError::NotNow("this pairing is over"));
        }
        let Role::Joining(joining) = &mut self.kept.role else {
            return Err(PairingError::NotNow("this node invites; the others accept"));
        };
        if joining.offered.is_none() {
            return Err(PairingError::NotNow("the node that invites has not answered yet"));
        }
        if joining.accepted {
            return Ok(());
        }
        joining.accepted = true;
        self.touch();
        if let Some(attempt) = self.offer {
            // Without randomness the next offer, which comes with the next Hello, is answered.
            let _ = self.enter_attempt(attempt);
        }
        self.flush();
        Ok(())
    }

    /// At a joiner: the operator does not take part.
    pub fn decline(&mut self, now: Moment) {
        self.last = now;
        if matches!(self.kept.role, Role::Joining(_)) {
            self.end(EndReason::Declined);
        }
        self.flush();
    }

    pub(super) fn handle_inviter(&mut self, from: &PeerId, bytes: &[u8]) -> Result<(), Rejected> {
        let Role::Joining(joining) = &self.kept.role else { return Err(Rejected::OutOfTurn) };
        if joining.inviter != *from {
            return Err(Rejected::Stranger);
        }
        let frame = Frame::decode(bytes, MAX_FRAME)?;
        if self.kept.end.is_some() {
            return Err(Rejected::Ended);
        }
        match frame {
            Frame::Offer(offer) => self.hear_offer(offer),
            Frame::Roster(roster) => self.hear_roster(roster),
            Frame::Said(Said { seat, end: Some(reason), .. }) => {
                self.hear_end(seat, reason);
                Ok(())
            }
            Frame::Hello(_) | Frame::Enter(_) => Err(Rejected::OutOfTurn),
            frame => match self.hear(&frame) {
                Ok(_) => {
                    self.act();
                    Ok(())
                }
                // It shows what no honest inviter passes on.
                Err(error @ (Rejected::OtherRoster | Rejected::Commitment(_))) => {
                    self.end(EndReason::Differ);
                    Err(error)
                }
                Err(error) => Err(error),
            },
        }
    }

    fn hear_offer(&mut self, offer: Offer) -> Result<(), Rejected> {
        let Offer { terms, attempt, seat, clock, version: _ } = offer;
        // One that is refused for these is asked for again: a clock can be set right.
        self.check_clock(clock)?;
        if terms.network != self.own.network {
            let own = self.own.network.clone();
            return Err(Rejected::Network { theirs: terms.network, own });
        }
        self.answered.remove(&OWN);
        let is_another = seat != inviter().to_u16() && usize::from(seat) < terms.names.len();
        if !is_another || !(1..=MOST_ATTEMPTS).contains(&attempt) {
            return Err(Rejected::OtherOffer);
        }
        let Role::Joining(joining) = &mut self.kept.role else { return Err(Rejected::OutOfTurn) };
        match &joining.offered {
            None => {
                joining.offered = Some((terms, seat));
                self.offer = Some(attempt);
                self.touch();
                self.event(Event::Offered);
                return Ok(());
            }
            Some(known) if *known != (terms, seat) => {
                self.end(EndReason::Differ);
                return Err(Rejected::OtherOffer);
            }
            Some(_) => {}
        }
        self.offer = Some(attempt);
        if self.accepted() { self.enter_attempt(attempt) } else { Ok(()) }
    }

    /// Enters an attempt with a number of its own, or says again with what it has entered.
    fn enter_attempt(&mut self, attempt: u8) -> Result<(), Rejected> {
        if attempt < self.kept.attempt {
            return Err(Rejected::OtherAttempt);
        }
        if attempt > self.kept.attempt {
            // What was agreed is not agreed again.
            if self.kept.agreed {
                return Err(Rejected::OtherAttempt);
            }
            let first = self.kept.attempt == 0;
            self.begin_attempt(attempt).ok_or(Rejected::Randomness)?;
            if !first {
                self.event(Event::Attempt(attempt));
            }
        }
        let Some(entry) = self.kept.entry.clone() else { return Err(Rejected::OutOfTurn) };
        let enter = Enter { attempt, clock: self.clock(), entry };
        self.tell(&Frame::Enter(Box::new(enter)), None);
        Ok(())
    }

    fn hear_roster(&mut self, said: AllEntries) -> Result<(), Rejected> {
        let AllEntries { attempt, entries } = said;
        if attempt != self.kept.attempt || attempt == 0 {
            return Err(Rejected::OtherAttempt);
        }
        if let Some(sealed) = &self.kept.sealed {
            if sealed.entries != entries {
                self.end(EndReason::Differ);
                return Err(Rejected::OtherRoster);
            }
        } else {
            let roster = self.check_roster(entries);
            match roster {
                Ok(roster) => self.seal(roster),
                Err(error) => {
                    self.end(EndReason::Differ);
                    return Err(error);
                }
            }
        }
        if let Role::Joining(joining) = &self.kept.role {
            let inviter = joining.inviter.clone();
            self.repeat(&inviter, None);
        }
        Ok(())
    }

    /// A roster must have the offered names, this node's own entry as it was sent, and the
    /// inviter's node at the inviter's seat.
    fn check_roster(&self, entries: Vec<super::Entry>) -> Result<Roster, Rejected> {
        let (Some(terms), Some(own)) = (self.kept.terms(), self.own_seat()) else {
            return Err(Rejected::OutOfTurn);
        };
        let Role::Joining(joining) = &self.kept.role else { return Err(Rejected::OutOfTurn) };
        let roster = Roster::check(terms, self.kept.attempt, entries, &*self.own.keys)?;
        let is_own = roster.entry(own) == self.kept.entry.as_ref();
        let first = roster.entry(inviter());
        let is_inviters = first.is_some_and(|entry| *entry.card.peer() == joining.inviter);
        match is_own && is_inviters {
            true => Ok(roster),
            false => Err(Rejected::OtherRoster),
        }
    }

    /// It has ended elsewhere: here too, unless all words were right here before.
    fn hear_end(&mut self, seat: Seat, reason: EndReason) {
        if !self.kept.agreed {
            self.kept.end = Some((Some(seat.to_u16()), reason));
            self.touch();
            self.event(Event::Ended(Ended { seat: Some(seat), reason }));
        }
    }

    /// Says Hello to the node that invites, if this is it.
    pub(super) fn say_hello(&mut self, to: &PeerId) {
        let Role::Joining(joining) = &self.kept.role else { return };
        if joining.inviter != *to || self.kept.end.is_some() {
            return;
        }
        let hello = joining.line.hello(&self.own.peer, to);
        self.answered.insert(OWN, self.last.monotonic);
        self.send(to.clone(), &Frame::Hello(hello));
    }

    /// When a Hello that was not answered is said again.
    pub(super) fn next_hello(&self) -> Option<Duration> {
        let Role::Joining(joining) = &self.kept.role else { return None };
        if self.kept.end.is_some() || !self.here.contains(&joining.inviter) {
            return None;
        }
        Some(self.answered.get(&OWN)?.saturating_add(HELLO))
    }

    pub(super) fn say_hello_again(&mut self) {
        if self.next_hello().is_some_and(|due| due <= self.last.monotonic)
            && let Role::Joining(joining) = &self.kept.role
        {
            let inviter = joining.inviter.clone();
            self.say_hello(&inviter);
        }
    }
}
