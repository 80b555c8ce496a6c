//! What a person wishes to erase, what is missing for it, and the erasure.

use std::{collections::BTreeSet, time::Duration};

use roastery_frost::Seat;
use thiserror::Error;

use super::{Event, Record, Switch};
use crate::{
    change::{
        EpochOrder, Erasing, Missing, Party, PersonsWord, Question, Role, SecondCopy,
        message::{Body, Envelope, Want},
    },
    clock::Moment,
    group::PeerId,
    machine::Backoff,
};

/// How far apart the answers to one question may be. After that all members are asked anew.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(600);

/// What the person says with the command to erase what the current epoch supersedes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Where this node's new share exists a second time. It counts if the epoch was adopted before:
    /// a backup from before that does not have the share.
    pub second_copy: Option<SecondCopy>,
    /// The new seats that are not to be waited for.
    pub without: BTreeSet<Seat>,
    /// Whether the host keys of what is erased are destroyed as well, wherever they were kept.
    pub host_key: bool,
}

/// A wish to erase is for an epoch that is not the current one. Nothing is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "epoch {} is not the current one: that is epoch {} ({}) now. Nothing is erased: look again at what stays and what is destroyed, then decide anew",
    .wished, .current.epoch(), .current.fingerprint()
)]
pub struct NotCurrent {
    /// The number of the epoch that the person has looked at.
    pub wished: u32,
    /// The current one.
    pub current: EpochOrder,
}

/// A wish that waits for what is missing. A restart forgets it: the person asks again.
#[derive(Debug)]
pub(super) struct Wishing {
    by: EpochOrder,
    wish: Wish,
    question: Question,
    /// When that was asked first.
    asked: Duration,
    repeat: Backoff,
}

impl Wishing {
    pub(super) fn due(&self) -> Duration {
        self.repeat.due()
    }
}

impl Switch {
    /// The person wishes to erase everything that the epoch `by` supersedes, which the person has
    /// looked at. All members are asked afresh how far they are, and asked again until they have
    /// answered, all within [`ANSWERS_WITHIN`]; what is missing is shown by
    /// [`missing`](Switch::missing). A later wish takes the place of an earlier one, and a wish
    /// ends when another epoch is current. Returns how many places are held that the epoch
    /// supersedes; where there are none nothing happens.
    ///
    /// # Errors
    ///
    /// [`NotCurrent`] if `by` is not the current epoch. A wish that waits goes on.
    pub fn erase(
        &mut self,
        by: EpochOrder,
        mut wish: Wish,
        now: Moment,
    ) -> Result<usize, NotCurrent> {
        let current = self.current();
        if by != current {
            return Err(NotCurrent { wished: by.epoch(), current });
        }
        let count = self.superseded(by).len();
        if count == 0 {
            return Ok(0);
        }
        // What the store has refused before is tried again now.
        self.journal.try_again();
        wish.second_copy = wish.second_copy.filter(|_| self.is_adopted(by));
        let (min, max) = (self.settings.repeat_min, self.settings.repeat_max);
        let repeat = Backoff::new(now.monotonic, min, max);
        let question = self.next_question();
        self.wish = Some(Wishing { by, wish, question, asked: now.monotonic, repeat });
        self.count_own();
        for peer in self.members_of(by) {
            self.ask_for_receipt(&peer);
        }
        self.progress(now);
        Ok(count)
    }

    /// The person takes the wish to erase back. What is erased is gone. Returns whether one waited.
    pub fn stop_erasing(&mut self) -> bool {
        self.wish.take().is_some()
    }

    fn next_question(&mut self) -> Question {
        self.questions = self.questions.saturating_add(1);
        Question { incarnation: self.incarnation, number: self.questions }
    }

    /// The question of the wish that waits.
    pub(super) fn question(&self) -> Option<Question> {
        self.wish.as_ref().map(|wish| wish.question)
    }

    /// The share of this epoch was written anew: where it exists a second time is to be said again.
    pub(super) fn forget_second_copy(&mut self, epoch: EpochOrder) {
        if let Some(wish) = self.wish.as_mut().filter(|wish| wish.by == epoch) {
            wish.wish.second_copy = None;
        }
    }

    /// Whether a wish to erase waits for something.
    pub fn is_erasing(&self) -> bool {
        self.wish.is_some()
    }

    /// What stands against erasing everything that the current epoch supersedes: for the wish that
    /// waits, or for this one, whose receipts may be of any time.
    pub fn missing(&self, wish: &Wish) -> Vec<Missing> {
        let wish = self.wish.as_ref().map_or(wish, |one| &one.wish);
        let superseded = self.superseded(self.current());
        superseded.last().map_or_else(Vec::new, |what| self.missing_for(*what, wish))
    }

    /// The held places below this one, the lowest first. Two transcripts with the same outcome make
    /// one group: a place that has this one's shares is not among them.
    pub(super) fn superseded(&self, by: EpochOrder) -> Vec<EpochOrder> {
        let group = self.lineage.group(by).map(|group| group.id());
        let has_its_shares = |place: &EpochOrder| {
            group.is_some() && self.lineage.group(*place).map(|one| one.id()) == group
        };
        self.held.range(..by).filter(|place| !has_its_shares(place)).copied().collect()
    }

    fn missing_for(&self, what: EpochOrder, wish: &Wish) -> Vec<Missing> {
        let by = self.current();
        let Some(receipts) = &self.receipts else { return vec![Missing::NotSuperseded] };
        let erasing = Erasing {
            by,
            current: by,
            superseded: what,
            has_seat: self.has_seat(by),
            certificate_read_back: self.is_chain_kept(by),
            word: self.word(by),
            share_read_back: self.is_adopted(by),
            second_copy: wish.second_copy,
            receipts,
            question: self.question(),
            own: self.own_set(by),
            without: wish.without.clone(),
        };
        erasing.missing()
    }

    /// How many of the places that are held the current epoch supersedes.
    pub fn superseded_places(&self) -> usize {
        self.superseded(self.current()).len()
    }

    /// Whether the acknowledgement of an epoch is stored.
    pub fn is_acknowledged(&self, epoch: EpochOrder) -> bool {
        self.journal.has(&Record::Acknowledged(epoch))
    }

    /// What this node's own person has done for an epoch.
    pub fn word(&self, epoch: EpochOrder) -> Option<PersonsWord> {
        let acknowledged = self.is_acknowledged(epoch);
        let decided = self.words.get(&epoch.plan()).copied();
        decided.or(acknowledged.then_some(PersonsWord::Acknowledged))
    }

    /// Erases what is superseded, one place after the other, while nothing is missing.
    pub(super) fn erase_superseded(&mut self, now: Moment) {
        let Some(Wishing { by, wish, asked, .. }) = &self.wish else { return };
        let (by, wish) = (*by, wish.clone());
        let is_fresh = now.monotonic.saturating_sub(*asked) < ANSWERS_WITHIN;
        for what in self.superseded(by) {
            if is_fresh && self.missing_for(what, &wish).is_empty() {
                self.keep(Record::Erased { what, by, host_key: wish.host_key });
            }
        }
        if self.superseded(by).is_empty() {
            self.wish = None;
            self.event(Event::Erased(by));
            self.tell_receipts();
        }
    }

    /// Asks those again that have not answered; all of them, with another question, when the last
    /// answer comes too long after the first one may have.
    pub(super) fn repeat_wish(&mut self, now: Moment) {
        let Some(wish) = &mut self.wish else { return };
        if wish.repeat.fire(now.monotonic) {
            if now.monotonic.saturating_sub(wish.asked) >= ANSWERS_WITHIN {
                wish.asked = now.monotonic;
                let question = self.next_question();
                if let Some(wish) = &mut self.wish {
                    wish.question = question;
                }
                self.count_own();
            }
            for peer in self.members_of(self.current()) {
                self.ask_for_receipt(&peer);
            }
        }
    }

    /// Asks this peer for its receipt, if the wish awaits one of it.
    pub(super) fn ask_for_receipt(&mut self, peer: &PeerId) {
        let (Some(wish), Some(receipts)) = (&self.wish, &self.receipts) else { return };
        let (by, question) = (wish.by, wish.question);
        let Some(group) = self.roster(by) else { return };
        let awaited = group.seats().filter(|seat| group.holds(peer, *seat));
        if !awaited.into_iter().any(|seat| !receipts.holds(seat, Some(question))) {
            return;
        }
        if let Some(envelope) = self.seal(by, &Body::Want(Want::Receipt(question))) {
            self.send(peer, envelope.as_bytes());
        }
    }

    /// Signs a body of the plan of an epoch as a member of it, or of the group before it.
    pub(super) fn seal(&self, epoch: EpochOrder, body: &Body) -> Option<Envelope> {
        let parent = self.lineage.get(epoch)?.parent();
        let new = self.own_seats(epoch).into_iter().map(|own| (Role::New, own));
        let old = self.own_seats(parent).into_iter().map(|own| (Role::Old, own));
        let (role, (seat, key)) = new.chain(old).next()?;
        Some(Envelope::seal(epoch.plan(), Party { role, seat }, body, &key))
    }
}
