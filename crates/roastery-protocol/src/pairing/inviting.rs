//! What the node that invites hears of each joiner, and passes on between them.

use roastery_frost::Seat;

use super::{
    frame::{EndReason, Enter, Frame, FrameError, Hello, MAX_FRAME, MAX_HELLO, Said},
    kept::{Invited, Role, Use, inviter},
    machine::Pairing,
    output::{Ended, Event, Rejected},
    roster::{Entry, Roster},
};
use crate::group::PeerId;

impl Pairing {
    /// At the inviter: which node has used a seat's line, and when, in seconds since 1970.
    pub fn used(&self, seat: Seat) -> Option<(&PeerId, u64)> {
        let Role::Inviting(inviting) = &self.kept.role else { return None };
        let used = inviting.invited.get(&seat.to_u16())?.used.as_ref()?;
        Some((&used.peer, used.at))
    }

    /// At the inviter: whether the member of this seat has entered the attempt.
    pub fn entered(&self, seat: Seat) -> bool {
        let Role::Inviting(inviting) = &self.kept.role else { return false };
        inviting.entries.contains_key(&seat.to_u16())
    }

    /// At the inviter: whether the member of this seat does not take part.
    pub fn declined(&self, seat: Seat) -> bool {
        let Role::Inviting(inviting) = &self.kept.role else { return false };
        inviting.invited.get(&seat.to_u16()).is_some_and(|invited| invited.declined)
    }

    pub(super) fn handle_joiner(&mut self, from: &PeerId, bytes: &[u8]) -> Result<(), Rejected> {
        let Some(seat) = self.seat_of(from) else { return self.handle_stranger(from, bytes) };
        let frame = Frame::decode(bytes, MAX_FRAME)?;
        if let Some(ended) = self.kept.ended() {
            if let Frame::Hello(hello) = &frame
                && self.check_hello(hello, from) == Some(seat)
            {
                self.say_end(from.clone(), ended);
            }
            return Err(Rejected::Ended);
        }
        match frame {
            Frame::Hello(hello) => {
                if self.check_hello(&hello, from) != Some(seat) {
                    return Err(Rejected::OtherSeat);
                }
                self.here.insert(from.clone());
                self.answer(seat, from.clone());
                Ok(())
            }
            Frame::Enter(enter) => self.enter(seat, from, *enter),
            Frame::Said(Said { end: Some(reason), .. }) => {
                self.member_ends(seat, reason);
                Ok(())
            }
            frame => {
                let speaks_for = match &frame {
                    Frame::Reach(reach) => reach.seat,
                    Frame::Reveal(reveal) => reveal.seat,
                    Frame::Said(said) => said.seat,
                    _ => return Err(Rejected::OutOfTurn),
                };
                if speaks_for.to_u16() != seat {
                    return Err(Rejected::OtherSeat);
                }
                if self.hear(&frame)? {
                    self.tell(&frame, Some(speaks_for));
                    self.act();
                }
                Ok(())
            }
        }
    }

    /// The first message of a node that has proven no line yet: a right Hello, or nothing.
    fn handle_stranger(&mut self, from: &PeerId, bytes: &[u8]) -> Result<(), Rejected> {
        let hello = match Frame::decode(bytes, MAX_HELLO) {
            Ok(Frame::Hello(hello)) => hello,
            Ok(_) | Err(FrameError::Encoding(_)) => return Err(Rejected::Stranger),
            Err(error) => return Err(error.into()),
        };
        let seat = self.check_hello(&hello, from).ok_or(Rejected::Stranger)?;
        self.here.insert(from.clone());
        if let Some(ended) = self.kept.ended() {
            self.say_end(from.clone(), ended);
            return Err(Rejected::Ended);
        }
        let Role::Inviting(inviting) = &mut self.kept.role else { return Err(Rejected::OutOfTurn) };
        let Some(invited) = inviting.invited.get_mut(&seat) else { return Err(Rejected::Stranger) };
        if let Some(Use { at, .. }) = invited.used {
            let reason = EndReason::Used { at };
            self.say_end(from.clone(), Ended { seat: Some(inviter()), reason });
            return Err(Rejected::Used);
        }
        if u64::from(invited.line.expiry) <= self.last.wall_seconds() {
            return Err(Rejected::Expired);
        }
        invited.used = Some(Use { peer: from.clone(), at: self.last.wall_seconds() });
        self.touch();
        if let Ok(seat) = Seat::new(seat.into()) {
            self.event(Event::Used { seat, peer: from.clone() });
        }
        self.answered.insert(seat, self.last.monotonic);
        self.offer(seat, from.clone());
        Ok(())
    }

    fn enter(&mut self, seat: u16, from: &PeerId, enter: Enter) -> Result<(), Rejected> {
        if enter.attempt != self.kept.attempt {
            return Err(Rejected::OtherAttempt);
        }
        // Each offer is answered once: what follows an Enter is long.
        if !self.offered.remove(&seat) {
            return Err(Rejected::TooSoon);
        }
        if let Err(error) = self.check_clock(enter.clock) {
            self.offer_once_more(seat);
            return Err(error);
        }
        let (Role::Inviting(inviting), keys) = (&mut self.kept.role, &*self.own.keys) else {
            return Err(Rejected::OutOfTurn);
        };
        match inviting.entries.get(&seat) {
            Some(known) if *known != enter.entry => return Err(Rejected::OtherEntry),
            Some(_) => {
                self.show(seat, from);
                return Ok(());
            }
            None => {}
        }
        let Some(name) = inviting.terms.names.get(usize::from(seat)) else {
            return Err(Rejected::OtherSeat);
        };
        if enter.entry.card.peer() != from {
            return Err(Rejected::OtherSeat);
        }
        enter.entry.check(name, keys)?;
        let mut entries = inviting.entries.clone();
        entries.insert(seat, enter.entry);
        let complete = entries.len() + 1 == inviting.terms.names.len();
        let all: Vec<Entry> =
            self.kept.entry.iter().cloned().chain(entries.values().cloned()).collect();
        // A member whose keys are another one's does not enter, so that the others are not held up.
        let roster = match complete {
            true => Some(Roster::check(&inviting.terms, self.kept.attempt, all, keys)?),
            false => None,
        };
        inviting.entries = entries;
        self.touch();
        if let Ok(seat) = Seat::new(seat.into()) {
            self.event(Event::Entered(seat));
        }
        if let Some(roster) = roster {
            self.seal(roster);
            self.show_all();
        }
        Ok(())
    }

    /// The roster, for all members.
    fn show_all(&mut self) {
        let Some(frame) = self.all_entries() else { return };
        self.tell(&frame, None);
    }

    /// The roster and what was said in this attempt, for one member.
    fn show(&mut self, seat: u16, to: &PeerId) {
        let Some(frame) = self.all_entries() else { return };
        self.send(to.clone(), &frame);
        self.repeat(to, Seat::new(seat.into()).ok());
    }

    fn all_entries(&self) -> Option<Frame> {
        let entries = self.kept.sealed.as_ref()?.entries.clone();
        Some(Frame::Roster(super::frame::AllEntries { attempt: self.kept.attempt, entries }))
    }

    /// A member has ended it: before the roster is fixed it leaves its seat open, whether it
    /// declines, cancels or its time is over; any other end is one for all.
    fn member_ends(&mut self, seat: u16, reason: EndReason) {
        let Role::Inviting(inviting) = &mut self.kept.role else { return };
        let leaves =
            matches!(reason, EndReason::Declined | EndReason::Cancelled | EndReason::Expired);
        if leaves && self.kept.sealed.is_none() {
            if let Some(invited) = inviting.invited.get_mut(&seat) {
                invited.declined = true;
                inviting.entries.remove(&seat);
                self.touch();
            }
            return;
        }
        if self.kept.agreed {
            return;
        }
        self.kept.end = Some((Some(seat), reason));
        self.touch();
        let attempt = self.kept.attempt;
        if let Ok(seat) = Seat::new(seat.into()) {
            let said = Said { attempt, seat, compared: self.compared(seat), end: Some(reason) };
            self.tell(&Frame::Said(said), Some(seat));
        }
        self.event(Event::Ended(Ended { seat: Seat::new(seat.into()).ok(), reason }));
    }

    fn say_end(&mut self, to: PeerId, ended: Ended) {
        let seat = ended.seat.unwrap_or_else(inviter);
        let (attempt, compared) = (self.kept.attempt, super::Seats::default());
        let said = Said { attempt, seat, compared, end: Some(ended.reason) };
        self.send(to, &Frame::Said(said));
    }

    /// The seat whose line this peer has used.
    fn seat_of(&self, peer: &PeerId) -> Option<u16> {
        let Role::Inviting(inviting) = &self.kept.role else { return None };
        let mut used = inviting.invited.iter();
        let is_theirs =
            |invited: &Invited| invited.used.as_ref().is_some_and(|used| used.peer == *peer);
        used.find(|(_, invited)| is_theirs(invited)).map(|(seat, _)| *seat)
    }

    /// The seat whose line this Hello proves.
    fn check_hello(&self, hello: &Hello, from: &PeerId) -> Option<u16> {
        let Role::Inviting(inviting) = &self.kept.role else { return None };
        let proven = |invited: &Invited| invited.line.hello(from, &self.own.peer).is(hello);
        let mut right = inviting.invited.iter().filter(|(_, invited)| proven(invited));
        right.next().map(|(seat, _)| *seat)
    }
}
