//! The node that invites: one line for each member, and what it passes on between them.

use std::{collections::BTreeMap, time::Duration};

use roastery_frost::Seat;

use super::{
    Terms,
    frame::{EndReason, Enter, Frame, FrameError, Hello, MAX_FRAME, MAX_HELLO, Offer, Said},
    kept::{Invited, Inviting, Kept, Role, Use, inviter},
    line::{Line, LineAddress, MOST_LINE_ADDRESSES},
    machine::{MOST_ATTEMPTS, Own, Pairing, PairingError},
    output::{Ended, Event, Rejected},
    roster::{Entry, Roster},
    secret::Secret,
};
use crate::{
    clock::Moment,
    group::{Name, PeerId},
};

/// The shortest pause between two answers to one member's Hellos.
const ANSWERS: Duration = Duration::from_secs(1);

/// The longest that a line can be used, in seconds: seven days.
pub const MOST_LINE_SECONDS: u32 = 7 * 24 * 60 * 60;

/// The shortest that a line can be used, in seconds: ten minutes.
pub const LEAST_LINE_SECONDS: u32 = 10 * 60;

/// What a node that invites needs to begin.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The group's name.
    pub group: Name,
    /// How many must sign.
    pub threshold: u16,
    /// The members' names: this node's first.
    pub names: Vec<Name>,
    /// This node's Ed25519 key, as lines name it.
    pub key: [u8; 32],
    /// Where it is dialled; the first four are in the lines.
    pub addresses: Vec<LineAddress>,
    /// How long the lines can be used, in seconds: [`LEAST_LINE_SECONDS`] to
    /// [`MOST_LINE_SECONDS`].
    pub seconds: u32,
}

impl Invite {
    fn line(&self, secret: Secret<16>, now: Moment) -> Line {
        let Self { key: inviter, addresses, seconds, .. } = self;
        let seconds = (*seconds).clamp(LEAST_LINE_SECONDS, MOST_LINE_SECONDS);
        let expiry = now.wall_seconds().saturating_add(seconds.into());
        let expiry = u32::try_from(expiry).unwrap_or(u32::MAX);
        let addresses = addresses.iter().take(MOST_LINE_ADDRESSES).cloned().collect();
        Line { inviter: *inviter, secret, expiry, addresses }
    }
}

impl Pairing {
    /// Begins a pairing as the node that invites, with a line for each other member.
    ///
    /// # Errors
    ///
    /// [`PairingError`] names the rule that does not hold.
    pub fn invite(invite: &Invite, mut own: Own, now: Moment) -> Result<Self, PairingError> {
        let random = (own.entropy)().ok_or(PairingError::Randomness)?;
        let mut pairing = [0; 16];
        pairing.copy_from_slice(&random[..16]);
        let terms = Terms {
            pairing,
            group: invite.group.clone(),
            threshold: invite.threshold,
            names: invite.names.clone(),
            network: own.network.clone(),
        };
        terms.check()?;
        let mut invited = BTreeMap::new();
        let mut deadline = 0;
        for seat in terms.seats().skip(1) {
            let line = invite.line(draw(&mut own)?, now);
            deadline = line.expiry.into();
            invited.insert(seat.to_u16(), Invited { line, used: None, declined: false });
        }
        let role = Role::Inviting(Inviting { terms, invited, entries: BTreeMap::new() });
        let mut pairing = Self::with(own, Kept::new(role, deadline), now)?;
        pairing.begin_attempt(1).ok_or(PairingError::Randomness)?;
        pairing.flush();
        Ok(pairing)
    }

    /// At the inviter: the line of each seat.
    pub fn lines(&self) -> Vec<(Seat, &Line)> {
        let Role::Inviting(inviting) = &self.kept.role else { return Vec::new() };
        let seat = |seat: u16| Seat::new(seat.into()).ok();
        inviting
            .invited
            .iter()
            .filter_map(|(at, invited)| Some((seat(*at)?, &invited.line)))
            .collect()
    }

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

    /// At the inviter: a new line for the member of this seat; the old one is void. Once the roster
    /// was fixed a further attempt begins with it.
    ///
    /// # Errors
    ///
    /// [`PairingError::NotNow`] if this node does not invite, there is no such member, words were
    /// compared to the end, or five attempts were made.
    pub fn again(&mut self, seat: Seat, invite: &Invite, now: Moment) -> Result<(), PairingError> {
        self.last = now;
        if self.kept.agreed || self.kept.end.is_some() {
            return Err(PairingError::NotNow("this pairing is over: begin another one"));
        }
        let attempt = self.kept.attempt;
        let sealed = self.kept.sealed.is_some();
        if sealed && attempt >= MOST_ATTEMPTS {
            let reason = "five attempts were made: begin another pairing";
            return Err(PairingError::NotNow(reason));
        }
        let line = invite.line(draw(&mut self.own)?, now);
        let Role::Inviting(inviting) = &mut self.kept.role else {
            return Err(PairingError::NotNow("this node does not invite"));
        };
        let Some(invited) = inviting.invited.get_mut(&seat.to_u16()) else {
            return Err(PairingError::NotNow("there is no such member"));
        };
        let deadline = u64::from(line.expiry);
        *invited = Invited { line, used: None, declined: false };
        inviting.entries.remove(&seat.to_u16());
        self.answered.remove(&seat.to_u16());
        self.offered.remove(&seat.to_u16());
        self.kept.deadline = deadline;
        self.touch();
        if sealed {
            self.next_attempt()?;
        }
        self.flush();
        Ok(())
    }

    /// At the inviter: a further attempt with the same members, when one has lost what it had
    /// drawn, or does not go on.
    ///
    /// # Errors
    ///
    /// [`PairingError::NotNow`], as for [`again`](Self::again), or if the roster is not fixed yet.
    pub fn attempt_again(&mut self, now: Moment) -> Result<(), PairingError> {
        self.last = now;
        let is_inviter = matches!(self.kept.role, Role::Inviting(_));
        let is_open = self.kept.sealed.is_some() && !self.kept.agreed && self.kept.end.is_none();
        if !is_inviter || !is_open || self.kept.attempt >= MOST_ATTEMPTS {
            return Err(PairingError::NotNow("there is no further attempt of this pairing now"));
        }
        self.next_attempt()?;
        self.flush();
        Ok(())
    }

    fn next_attempt(&mut self) -> Result<(), PairingError> {
        let attempt = self.kept.attempt + 1;
        self.begin_attempt(attempt).ok_or(PairingError::Randomness)?;
        let Role::Inviting(inviting) = &mut self.kept.role else { return Ok(()) };
        inviting.entries.clear();
        let used =
            |(seat, invited): (&u16, &Invited)| Some((*seat, invited.used.as_ref()?.peer.clone()));
        let all: Vec<(u16, PeerId)> = inviting.invited.iter().filter_map(used).collect();
        self.event(Event::Attempt(attempt));
        all.into_iter().for_each(|(seat, peer)| self.offer(seat, peer));
        Ok(())
    }

    /// When a Hello that came too soon is answered.
    pub(super) fn next_answer(&self) -> Option<Duration> {
        let due = |seat| self.answered.get(seat).map(|last| last.saturating_add(ANSWERS));
        self.late.iter().filter_map(due).min()
    }

    pub(super) fn answer_late(&mut self) {
        if self.next_answer().is_none_or(|due| due > self.last.monotonic) {
            return;
        }
        let Role::Inviting(inviting) = &self.kept.role else { return };
        let used = |(seat, invited): (&u16, &Invited)| {
            let peer = invited.used.as_ref()?.peer.clone();
            self.late.contains(seat).then_some((*seat, peer))
        };
        let late: Vec<(u16, PeerId)> = inviting.invited.iter().filter_map(used).collect();
        self.late.clear();
        for (seat, peer) in late {
            self.answered.insert(seat, self.last.monotonic);
            self.offer(seat, peer);
        }
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
                let now = self.last.monotonic;
                self.here.insert(from.clone());
                let last = self.answered.get(&seat);
                if last.is_some_and(|last| now.saturating_sub(*last) < ANSWERS) {
                    self.late.insert(seat);
                } else {
                    self.answered.insert(seat, now);
                    self.offer(seat, from.clone());
                }
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
        self.check_clock(enter.clock)?;
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

    fn offer(&mut self, seat: u16, to: PeerId) {
        let Role::Inviting(inviting) = &self.kept.role else { return };
        let offer = Offer {
            terms: inviting.terms.clone(),
            attempt: self.kept.attempt,
            seat,
            clock: self.clock(),
            version: self.own.version.clone(),
        };
        self.offered.insert(seat);
        self.send(to, &Frame::Offer(offer));
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

fn draw(own: &mut Own) -> Result<Secret<16>, PairingError> {
    let random = Secret::new((own.entropy)().ok_or(PairingError::Randomness)?);
    let mut secret = [0; 16];
    secret.copy_from_slice(&random.expose()[..16]);
    Ok(Secret::new(secret))
}
