//! Further attempts, and new lines for members that are replaced.

use roastery_frost::Seat;

use super::{
    invite::{Invite, draw},
    kept::{Invited, Role},
    machine::{MOST_ATTEMPTS, Pairing, PairingError},
    output::Event,
};
use crate::{clock::Moment, group::PeerId};

impl Pairing {
    /// At the inviter: a new line for the member of this seat; the old one is void. Once the roster
    /// was fixed a further attempt begins with it.
    ///
    /// # Errors
    ///
    /// [`PairingError::NotNow`] if this node does not invite, there is no such member, words were
    /// compared to the end, or five attempts were made; [`PairingError::AgreedThere`] if another
    /// member agrees already and the roster is fixed.
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
        if sealed {
            self.check_none_agrees(Some(seat))?;
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
        self.later.remove(&seat.to_u16());
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
    /// [`PairingError::NotNow`] and [`PairingError::AgreedThere`], as for [`again`](Self::again),
    /// or if the roster is not fixed yet.
    pub fn attempt_again(&mut self, now: Moment) -> Result<(), PairingError> {
        self.last = now;
        let is_inviter = matches!(self.kept.role, Role::Inviting(_));
        let is_open = self.kept.sealed.is_some() && !self.kept.agreed && self.kept.end.is_none();
        if !is_inviter || !is_open || self.kept.attempt >= MOST_ATTEMPTS {
            return Err(PairingError::NotNow("there is no further attempt of this pairing now"));
        }
        self.check_none_agrees(None)?;
        self.next_attempt()?;
        self.flush();
        Ok(())
    }

    /// A joiner that agrees takes part in no further attempt, which would wait for it for ever. One
    /// that is replaced does not count.
    fn check_none_agrees(&self, replaced: Option<Seat>) -> Result<(), PairingError> {
        let Some(terms) = self.kept.terms() else { return Ok(()) };
        let mut others = terms.seats().filter(|seat| Some(*seat) != replaced);
        let agrees = others.find(|seat| self.agrees(*seat)).and_then(|seat| terms.name(seat));
        agrees.map_or(Ok(()), |name| Err(PairingError::AgreedThere(name.clone())))
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
}
