//! A signer's state in one attempt: its one unused slot, what it has released, and the one message
//! that it retransmits.

use std::time::Duration;

use roastery_frost::Seat;

use super::{DeclineReason, Settings};
use crate::{
    BodyHash, SlotHash,
    clock::Moment,
    machine::Backoff,
    message::{Envelope, SigningPackage},
};

/// One attempt as this signer sees it. It uses no engine: the caller draws the nonces and makes the
/// shares.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) coordinator: Seat,
    /// When the signer entered the attempt.
    pub(crate) entered: Duration,
    slot: Option<OwnSlot>,
    next_index: u32,
    released: usize,
    most_shares: usize,
    /// The one message that carries the unused slot: commitments at first, then the last share.
    current: Option<Envelope>,
    repeat: Backoff,
    last_share: Option<LastShare>,
    /// The slots that were used, and the messages that showed them: at most `most_shares`.
    used: Vec<(SlotHash, Envelope)>,
}

/// The slot that may be used next. Its secret nonces are in the engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnSlot {
    pub(crate) index: u32,
    pub(crate) hash: SlotHash,
    pub(crate) born: Moment,
}

#[derive(Debug)]
struct LastShare {
    package: BodyHash,
    envelope: Envelope,
    at: Duration,
    shown_to_all: bool,
}

impl Signer {
    /// A signer that has not shown a slot yet. `most_shares` is n - t + 1.
    pub(crate) fn new(
        coordinator: Seat,
        most_shares: usize,
        settings: &Settings,
        now: Duration,
    ) -> Self {
        Self {
            coordinator,
            entered: now,
            slot: None,
            next_index: 0,
            released: 0,
            most_shares,
            current: None,
            repeat: Backoff::new(now, settings.repeat_min, settings.repeat_max),
            last_share: None,
            used: Vec::new(),
        }
    }

    /// The index of the next slot to be drawn; each is given out once.
    pub(crate) fn take_index(&mut self) -> u32 {
        let index = self.next_index;
        self.next_index = index.saturating_add(1);
        index
    }

    /// The unused slot.
    pub(crate) fn slot(&self) -> Option<OwnSlot> {
        self.slot
    }

    /// Whether a slot may be drawn to follow the next share: not after the last share that may be
    /// given.
    pub(crate) fn may_follow_up(&self) -> bool {
        self.released + 1 < self.most_shares
    }

    /// Shows a slot with a message that is retransmitted until another message replaces it.
    pub(crate) fn show(
        &mut self,
        slot: OwnSlot,
        message: Envelope,
        settings: &Settings,
        now: Duration,
    ) {
        self.slot = Some(slot);
        self.repeat_from_now(message, settings, now);
    }

    fn repeat_from_now(&mut self, message: Envelope, settings: &Settings, now: Duration) {
        self.current = Some(message);
        self.repeat = Backoff::new(now, settings.repeat_min, settings.repeat_max);
    }

    /// Whether this signer signs this package: it is picked, with its one unused slot, and may
    /// still give a share. All of this is checked before anything is used up.
    pub(crate) fn judge(
        &self,
        package: &SigningPackage,
        own: Seat,
    ) -> Result<OwnSlot, DeclineReason> {
        let named = package.slot_of(own).ok_or(DeclineReason::NotPicked)?;
        if self.released >= self.most_shares {
            return Err(DeclineReason::Spent { released: self.released });
        }
        self.slot.filter(|slot| slot.hash == named).ok_or(DeclineReason::OtherSlot)
    }

    /// Whether a slot's age allows its use: not too old, and of the same age by both clocks. A
    /// restored memory image may show in this or not at all: it is a second defence, not a
    /// guarantee.
    pub(crate) fn is_fresh(slot: &OwnSlot, settings: &Settings, now: Moment) -> bool {
        let age = now.monotonic.saturating_sub(slot.born.monotonic);
        let wall_expected = slot.born.wall.saturating_add(age);
        age <= settings.slot_age && now.wall.abs_diff(wall_expected) <= settings.clock_tolerance
    }

    /// Drops the unused slot: it was used, or replaced.
    pub(crate) fn drop_slot(&mut self) {
        self.slot = None;
    }

    /// A share has been released; `next` is the slot that went with it.
    pub(crate) fn release(
        &mut self,
        package: BodyHash,
        envelope: Envelope,
        next: Option<OwnSlot>,
        settings: &Settings,
        now: Duration,
    ) {
        self.released += 1;
        let used = self.slot.map(|slot| slot.hash);
        self.slot = next;
        self.used.extend(used.zip(self.current.take()));
        let last = LastShare { package, envelope: envelope.clone(), at: now, shown_to_all: false };
        self.last_share = Some(last);
        self.repeat_from_now(envelope, settings, now);
    }

    /// The message to retransmit, if it is due.
    pub(crate) fn repetition(&mut self, now: Duration) -> Option<&Envelope> {
        self.current.as_ref().filter(|_| self.repeat.fire(now))
    }

    /// When the message is to be retransmitted next.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.current.as_ref().map(|_| self.repeat.due())
    }

    /// The message that carries the unused slot or the last share.
    pub(crate) fn current(&self) -> Option<&Envelope> {
        self.current.as_ref()
    }

    /// The last share, once: it goes to all when a further attempt begins, so that a coordinator
    /// that withholds the signature is passed by.
    pub(crate) fn share_for_all(&mut self) -> Option<&Envelope> {
        let last = self.last_share.as_mut().filter(|last| !last.shown_to_all)?;
        last.shown_to_all = true;
        Some(&last.envelope)
    }

    /// The share for this package, if it is the last one.
    pub(crate) fn share_for(&self, package: BodyHash) -> Option<&Envelope> {
        self.last_share.as_ref().filter(|last| last.package == package).map(|last| &last.envelope)
    }

    /// The message that showed a slot that was used.
    pub(crate) fn shown(&self, slot: SlotHash) -> Option<&Envelope> {
        self.used.iter().find(|(used, _)| *used == slot).map(|(_, shown_by)| shown_by)
    }

    /// When the last share was released.
    pub(crate) fn answered_at(&self) -> Option<Duration> {
        self.last_share.as_ref().map(|last| last.at)
    }
}
