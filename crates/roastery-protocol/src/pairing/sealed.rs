//! What follows once the roster of an attempt is fixed: whom members reach, what they reveal, and
//! the words.

use roastery_frost::Seat;

use super::{
    Seats,
    comparing::{Checked, CompareError, Comparing},
    frame::{EndReason, Frame, Reach, Reveal, Said},
    kept::{Sealed, inviter},
    live::Live,
    machine::{Pairing, PairingError},
    output::{Event, Rejected},
    reach::is_linked,
    roster::{Roster, commitment},
    words::WordBase,
};
use crate::{clock::Moment, group::PeerId};

/// How long words can be compared once the roster is fixed, in seconds.
const COMPARING: u64 = 7 * 24 * 60 * 60;

/// How often a member may say within an attempt whom it reaches.
const MOST_REACHES: u32 = 256;

impl Pairing {
    /// The caller states whom this node reaches: after each change.
    pub fn reached(&mut self, reached: Seats, now: Moment) {
        self.last = now;
        let Some(own) = self.own_seat().filter(|_| self.kept.end.is_none()) else { return };
        let Some(live) = &mut self.live else { return };
        if live.reach.insert(own, reached) != Some(reached) {
            // With all numbers revealed no rule depends on it any more.
            if live.comparing.is_none() {
                let attempt = self.kept.attempt;
                self.tell(&Frame::Reach(Reach { attempt, seat: own, reached }), None);
                self.reveal();
            }
        }
        self.flush();
    }

    /// Compares a word that a person has heard of this member and typed.
    ///
    /// # Errors
    ///
    /// [`CompareError`] if no word is taken; nothing has changed.
    pub fn compare(
        &mut self,
        seat: Seat,
        text: &str,
        now: Moment,
    ) -> Result<Checked, CompareError> {
        self.last = now;
        if self.kept.end.is_some() {
            return Err(CompareError::NoWords);
        }
        let comparing = self.live.as_ref().and_then(|live| live.comparing);
        let (Some(comparing), Some(sealed)) = (comparing, &mut self.kept.sealed) else {
            return Err(CompareError::NoWords);
        };
        let checked = comparing.check(seat, text, &mut sealed.typed)?;
        match &checked {
            Checked::NotInList { .. } => return Ok(checked),
            Checked::Wrong { tries_left: 0 } => self.end(EndReason::Differ),
            Checked::Wrong { .. } => self.touch(),
            Checked::Right { left } => {
                self.touch();
                if *left == 0 {
                    self.say(None);
                }
            }
        }
        self.flush();
        Ok(checked)
    }

    /// Whether all words of all others were right here.
    pub fn all_right(&self) -> bool {
        let comparing = self.live.as_ref().and_then(|live| live.comparing);
        let sealed = self.kept.sealed.as_ref();
        comparing
            .zip(sealed)
            .is_some_and(|(comparing, sealed)| comparing.is_complete(&sealed.typed))
    }

    /// A person states that each of the others has said, by voice, that this node's words were
    /// right there. With that this node agrees.
    ///
    /// What was typed here shows only that the words of the others are those of this node's roster;
    /// that this node's words are those of theirs only they can say.
    ///
    /// # Errors
    ///
    /// [`PairingError::NotNow`] while words of another member are missing here, or once it has
    /// ended.
    pub fn confirm(&mut self, now: Moment) -> Result<(), PairingError> {
        self.last = now;
        if self.kept.end.is_some() {
            return Err(PairingError::NotNow("this pairing is over"));
        }
        if !self.all_right() {
            let reason = "type the words of all the others first; each of them must be right";
            return Err(PairingError::NotNow(reason));
        }
        if !self.kept.agreed {
            self.kept.agreed = true;
            self.touch();
            self.event(Event::Agreed);
            self.say(None);
        }
        self.flush();
        Ok(())
    }

    /// Fixes the roster of this attempt, which was checked.
    pub(super) fn seal(&mut self, roster: Roster) {
        let entries = roster.entries().to_vec();
        let (revealed, typed) = Default::default();
        self.kept.sealed = Some(Sealed { entries, revealed, typed });
        self.kept.deadline = self.last.wall_seconds().saturating_add(COMPARING);
        self.live = Some(Live::new(roster));
        self.touch();
        self.event(Event::Sealed);
    }

    /// Reveals this node's number, if the roster is fixed and enough members are linked: then, and
    /// only once it is stored that this was done.
    fn reveal(&mut self) {
        let (Some(own), Some(terms)) = (self.own_seat(), self.kept.terms()) else { return };
        let threshold = usize::from(terms.threshold);
        let Some(live) = self.live.as_ref().filter(|live| is_linked(threshold, &live.reach)) else {
            return;
        };
        let roster = *live.roster.hash();
        let (Some(sealed), Some(random)) = (&mut self.kept.sealed, &self.kept.random) else {
            return;
        };
        if sealed.revealed.contains_key(&own.to_u16()) {
            return;
        }
        let random = random.clone();
        sealed.revealed.insert(own.to_u16(), random.clone());
        self.touch();
        let attempt = self.kept.attempt;
        self.tell(&Frame::Reveal(Reveal { attempt, seat: own, roster, random }), None);
        self.find_words();
    }

    /// What a member has said within a fixed roster. Returns whether it is new, and so to be passed
    /// on.
    pub(super) fn hear(&mut self, frame: &Frame) -> Result<bool, Rejected> {
        match frame {
            Frame::Reach(reach) => self.hear_reach(reach),
            Frame::Reveal(reveal) => self.hear_reveal(reveal),
            Frame::Said(said) => self.hear_said(said),
            _ => Err(Rejected::OutOfTurn),
        }
    }

    fn hear_reach(&mut self, said: &Reach) -> Result<bool, Rejected> {
        let live = self.live_of(said.attempt, said.seat)?;
        if live.reach.get(&said.seat) == Some(&said.reached) {
            return Ok(false);
        }
        let reaches = live.reaches.entry(said.seat).or_default();
        if *reaches >= MOST_REACHES {
            return Err(Rejected::TooMany(said.seat));
        }
        *reaches += 1;
        live.reach.insert(said.seat, said.reached);
        Ok(true)
    }

    fn hear_reveal(&mut self, said: &Reveal) -> Result<bool, Rejected> {
        let (attempt, seat) = (said.attempt, said.seat);
        let roster = &self.live_of(attempt, seat)?.roster;
        if said.roster != *roster.hash() {
            return Err(Rejected::OtherRoster);
        }
        let card = roster.entry(seat).map(|entry| (entry.card.clone(), entry.commitment));
        let (Some((card, committed)), Some(terms)) = (card, self.kept.terms()) else {
            return Err(Rejected::OtherSeat);
        };
        if committed != commitment(&terms.pairing, attempt, seat, &card, said.random.expose()) {
            return Err(Rejected::Commitment(seat));
        }
        let Some(sealed) = &mut self.kept.sealed else { return Err(Rejected::OutOfTurn) };
        if sealed.revealed.contains_key(&seat.to_u16()) {
            return Ok(false);
        }
        sealed.revealed.insert(seat.to_u16(), said.random.clone());
        self.touch();
        Ok(true)
    }

    fn hear_said(&mut self, said: &Said) -> Result<bool, Rejected> {
        let live = self.live_of(said.attempt, said.seat)?;
        let members: Seats = live.roster.invitation().seats().collect();
        if !members.includes(&said.compared) {
            return Err(Rejected::OtherSeat);
        }
        // What was right stays right: so a member says at most n times something new.
        let known = live.said.entry(said.seat).or_default();
        if *known == said.compared || !said.compared.includes(known) {
            return Ok(false);
        }
        *known = said.compared;
        self.event(Event::Compared(said.seat));
        Ok(true)
    }

    /// The state of this attempt, if the seat is one of the others'.
    fn live_of(&mut self, attempt: u8, seat: Seat) -> Result<&mut Live, Rejected> {
        if attempt != self.kept.attempt {
            return Err(Rejected::OtherAttempt);
        }
        let own = self.own_seat();
        let live = self.live.as_mut().ok_or(Rejected::OutOfTurn)?;
        match live.roster.entry(seat).is_some() && own != Some(seat) {
            true => Ok(live),
            false => Err(Rejected::OtherSeat),
        }
    }

    /// What may follow from something that was heard.
    pub(super) fn act(&mut self) {
        self.reveal();
        self.find_words();
    }

    /// Makes the words, once all have revealed.
    pub(super) fn find_words(&mut self) {
        let (Some(own), Some(sealed)) = (self.kept.own(), &self.kept.sealed) else { return };
        let Some(live) = &mut self.live else { return };
        let members = live.roster.entries().len();
        if sealed.revealed.len() < members {
            return;
        }
        let revealed: Vec<[u8; 32]> =
            sealed.revealed.values().map(|random| *random.expose()).collect();
        let base = WordBase::new(live.roster.invitation().id(), live.roster.hash(), &revealed);
        let first = live.comparing.is_none();
        live.comparing = Some(Comparing::new(base, own, members, self.bits));
        if first && !self.kept.agreed {
            self.event(Event::Words);
        }
    }

    /// States to the others how far this node has come.
    pub(super) fn say(&mut self, end: Option<EndReason>) {
        let Some(said) = self.own_said(end) else { return };
        self.tell(&Frame::Said(said), None);
    }

    fn own_said(&self, end: Option<EndReason>) -> Option<Said> {
        let seat = self.own_seat()?;
        let mut compared = self.compared(seat);
        if self.kept.agreed {
            compared.put(seat);
        }
        Some(Said { attempt: self.kept.attempt, seat, compared, end })
    }

    /// What this node has said in this attempt, for one that may lack it; the inviter adds what the
    /// others have said.
    pub(super) fn repeat(&mut self, to: &PeerId, but: Option<Seat>) {
        let (Some(live), Some(sealed)) = (&self.live, &self.kept.sealed) else { return };
        let (own, attempt, roster) = (self.own_seat(), self.kept.attempt, *live.roster.hash());
        let all = own == Some(inviter());
        let is_told = |seat: Seat| Some(seat) == own || (all && Some(seat) != but);
        let mut frames = Vec::new();
        let reach = live.reach.iter().filter(|_| live.comparing.is_none());
        for (seat, reached) in reach.filter(|(seat, _)| is_told(**seat)) {
            frames.push(Frame::Reach(Reach { attempt, seat: *seat, reached: *reached }));
        }
        for (seat, random) in &sealed.revealed {
            let Ok(seat) = Seat::new((*seat).into()) else { continue };
            if is_told(seat) {
                let random = random.clone();
                frames.push(Frame::Reveal(Reveal { attempt, seat, roster, random }));
            }
        }
        for (seat, compared) in live.said.iter().filter(|(seat, _)| is_told(**seat)) {
            let (seat, compared) = (*seat, *compared);
            frames.push(Frame::Said(Said { attempt, seat, compared, end: None }));
        }
        frames.extend(self.own_said(None).map(Frame::Said));
        frames.iter().for_each(|frame| self.send(to.clone(), frame));
    }
}
