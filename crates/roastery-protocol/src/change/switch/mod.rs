//! The switch to new epochs of one key at one node, as a pure state machine: which epochs exist,
//! which is current, how far the members are, and when old shares are erased.
//!
//! A node opens it for each key, and keeps it for as long as it has a share of it. The machine
//! holds no secret. A [`Change`](super::machine::Change) ends with its certificate; the caller
//! gives that to [`Switch::certified`], and the messages of the plan to the switch from then on.
//! Where a peer has told the switch of the epoch first, the caller ends the change that runs for
//! its plan, once [`Record::Certified`] is stored: it would read neither questions nor receipts.
//!
//! # How it goes
//!
//! The greatest certified epoch that is known is *current* from the moment at which it is known
//! ([`Event::Current`]), approved here or not: the caller tells it to every change that is under
//! way ([`set_current`](super::machine::Change::set_current)) and bars dealing in those of another
//! parent. Its recovery file is stored ([`Record::Certified`]). A node with a seat in it then
//! adopts it: it stores the group with its share, reads both back and compares the share with its
//! public share ([`Record::Adopted`]). Where it has neither the share nor the host key that gives
//! it, it says so ([`Switch::lacks`]). It tells all members how far it is.
//!
//! Everything below is served until it is erased ([`Switch::held`]). Nothing is erased by itself: a
//! person asks for it ([`Switch::erase`]), all members are asked afresh how far they are, and only
//! when nothing is missing of the rules of [`Erasing`](super::Erasing) the caller is told to erase,
//! one held share after the other ([`Record::Erased`]).
//!
//! # Lineage
//!
//! On a new link, when another epoch is current, and from then on more and more rarely up to once
//! an hour, a node tells its peers which epoch is current at it. One that knows less asks, and gets
//! the recovery files one by one, each verified under the one before. One that knows the same
//! answers how far it is; a question of a person's wish to erase is answered only once the share
//! is read back ([`Record::Adopted`] again). A file that was not asked for is not read.
//!
//! # What is kept, at most
//!
//! | what | bound |
//! |---|---|
//! | certified epochs that lead neither to the current one nor to the last one added | [`MAX_FORKS`](super::MAX_FORKS) |
//! | files asked for, of each peer | 1 |
//! | files and certificates of one peer that do not verify, before no more are read | 4 |
//! | files of one peer that add nothing, from one new epoch to the next | 16 and the length of the chain |
//! | events of one member's receipts for an epoch; the receipts count all the same | 8 |
//! | receipts, of each new seat of the current epoch: the newest | 1 |
//! | answers to one peer within the minimum interval | 8, no two alike |

mod adopting;
mod announcing;
mod erasing;
mod opening;
mod output;
mod reading;
mod receive;
mod seats;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use roastery_frost::{Seat, change::Certificate};

use self::{erasing::Wishing, reading::Reading};
pub use self::{
    erasing::{ANSWERS_WITHIN, NotCurrent, Wish},
    opening::{OpenError, Opening},
    output::{Event, Output, Record, Rejected},
    reading::READ_EVERY,
};
use super::{
    Added, EpochFile, EpochOrder, EpochRefused, Holding, Lineage, PersonsWord, Plan, Question,
    Receipts,
    journal::{Journal, Kept},
    machine::Settings,
};
use crate::{
    PlanId,
    clock::Moment,
    group::{Group, PeerId},
    keys::IdentityKey,
    machine::{Backoff, Link, Machine, ReplyLimiter},
    member::Incarnation,
};

/// The longest time between two of a node's statements of which epoch is current at it.
pub const ANNOUNCE_MAX: Duration = Duration::from_secs(3600);

/// The epochs of one key at one node. See the [module](self).
#[derive(Debug)]
pub struct Switch {
    lineage: Lineage,
    /// Newer rosters than those of the cards, by place.
    rosters: BTreeMap<EpochOrder, Arc<Group>>,
    identities: Vec<Arc<IdentityKey>>,
    journal: Journal<Record>,
    held: BTreeSet<EpochOrder>,
    words: BTreeMap<PlanId, PersonsWord>,
    acknowledged: BTreeSet<EpochOrder>,
    lacking: BTreeSet<EpochOrder>,
    said: BTreeSet<Reported>,
    /// Those of the current epoch; none while that is the first group.
    receipts: Option<Receipts>,
    incarnation: Incarnation,
    counter: u32,
    /// How many questions for receipts were asked in this start.
    questions: u32,
    wish: Option<Wishing>,
    reading: Reading,
    asked: BTreeMap<PeerId, u32>,
    wrong: BTreeMap<PeerId, u8>,
    /// Files of each peer that have added nothing since the last epoch was added.
    useless: BTreeMap<PeerId, u32>,
    /// How many events were told of each new seat's receipts for the current epoch.
    told: BTreeMap<Seat, u8>,
    announcing: Backoff,
    replies: ReplyLimiter<Reply, PeerId>,
    settings: Settings,
    outbox: VecDeque<Output>,
}

/// What is reported or told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reported {
    Adopted(EpochOrder),
    Acknowledged(EpochOrder),
}

/// What is answered, as its rate limit knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reply {
    Ask(u32),
    Epoch(EpochOrder),
    Certificate(EpochOrder),
    Receipt(EpochOrder, Option<Question>),
}

impl Switch {
    /// A change has come to its certificate, here or by a message. The caller has it from
    /// [`Change::certificate`](super::machine::Change::certificate).
    ///
    /// # Errors
    ///
    /// [`EpochRefused`] if it is no new epoch of the lineage.
    pub fn certified(
        &mut self,
        plan: &Plan,
        certificate: &Certificate,
        now: Moment,
    ) -> Result<(), EpochRefused> {
        self.enter(&EpochFile::new(plan.clone(), certificate), now)
    }

    /// Verifies a recovery file and takes it as an epoch, wherever it is from.
    ///
    /// # Errors
    ///
    /// [`EpochRefused`] if it is no new epoch of the lineage.
    pub fn enter(&mut self, file: &EpochFile, now: Moment) -> Result<(), EpochRefused> {
        let epoch = self.lineage.verify(file)?;
        let order = epoch.order();
        let receipts = Receipts::new(epoch.plan(), order.transcript());
        let Added { is_current, dropped } = self.lineage.add(epoch);
        dropped.into_iter().for_each(|fork| self.event(Event::Dropped(fork)));
        self.event(Event::Certified(order));
        self.useless.clear();
        if is_current {
            self.receipts = Some(receipts);
            self.told.clear();
            self.wish = None;
            self.reading = Reading::default();
            self.event(Event::Current(order));
            self.announce_again(now);
        }
        self.progress(now);
        Ok(())
    }

    /// A share of this place is in the store from now on: a transcript was signed
    /// ([`Record::Signed`](super::machine::Record::Signed)), or a host key of a plan is there
    /// ([`EpochOrder::last_of`]). It is kept until it is erased for something greater.
    pub fn hold(&mut self, place: EpochOrder) {
        self.held.insert(place);
        self.forget_erasure(place);
    }

    /// What was erased of this place is there again, and is to be erased again.
    fn forget_erasure(&mut self, place: EpochOrder) {
        let is_its =
            |record: &Record| matches!(record, Record::Erased { what, .. } if *what == place);
        self.journal.forget(is_its);
    }

    /// What the caller could not do for [`Record::Adopted`]: the store has neither the share nor
    /// the host key that gives it. All members learn of it.
    pub fn lacks(&mut self, epoch: EpochOrder, now: Moment) {
        let is_current = epoch == self.current();
        if is_current && self.reading.under_way {
            self.could_not_be_read(epoch);
        }
        if is_current && !self.is_adopted(epoch) && self.lacking.insert(epoch) {
            self.journal.answer(Record::Adopted(epoch), false);
            self.event(Event::Lacking(epoch));
            self.tell_receipts();
        }
        self.progress(now);
    }

    /// The share or the host key was found: the current epoch is to be adopted again.
    pub fn adopt_again(&mut self, now: Moment) {
        self.lacking.clear();
        self.journal.try_again();
        self.progress(now);
    }

    /// The person of this node has approved a plan, or accepted it by hand.
    pub fn decided(&mut self, plan: PlanId, word: PersonsWord) {
        self.words.insert(plan, word);
    }

    /// The person of this node has taken its approval of a plan back. That it has approved or
    /// accepted it is not its word for erasing any more.
    pub fn withdrawn(&mut self, plan: PlanId) {
        self.words.remove(&plan);
    }

    /// The person of this node has typed the fingerprint of an epoch. It
    /// counts once it is stored. Returns whether such an epoch is known.
    pub fn acknowledge(&mut self, epoch: EpochOrder, now: Moment) -> bool {
        let known = self.lineage.get(epoch).is_some();
        if known {
            self.journal.try_again();
            self.acknowledged.insert(epoch);
            self.progress(now);
        }
        known
    }

    /// All epochs that are known here.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The greatest certified epoch that this node knows, approved here or not.
    pub fn current(&self) -> EpochOrder {
        self.lineage.current()
    }

    /// Whether this node has its shares of the epoch, read back from its store. Of the first group
    /// it has them if they are held.
    pub fn is_adopted(&self, epoch: EpochOrder) -> bool {
        let stored =
            epoch == self.lineage.root_order() || self.journal.has(&Record::Adopted(epoch));
        stored && self.held.contains(&epoch)
    }

    /// The places of all shares and host keys in this node's store, the lowest first. Those of
    /// epochs that were adopted are served until they are erased.
    pub fn held(&self) -> impl Iterator<Item = EpochOrder> + '_ {
        self.held.iter().copied()
    }

    /// What members say of the current epoch; none while that is the first group.
    pub fn receipts(&self) -> Option<&Receipts> {
        self.receipts.as_ref()
    }

    /// How far this node is with the current epoch; none if it has no seat in it or adopts it now.
    pub fn holding(&self) -> Option<Holding> {
        let current = self.current();
        if !self.has_seat(current) || self.receipts.is_none() {
            return None;
        }
        if self.lacking.contains(&current) {
            return Some(Holding::Lacking);
        }
        let erased = self.journal.kept().filter_map(|record| match record {
            Record::Erased { by, host_key, .. } if *by == current => Some(*host_key),
            _ => None,
        });
        let host_key = erased.fold(None, |any: Option<bool>, one| Some(any.unwrap_or(one) && one));
        let is_done = self.superseded(current).is_empty();
        self.is_adopted(current).then(|| match host_key.filter(|_| is_done) {
            Some(host_key) => Holding::Erased { host_key },
            None => Holding::Adopted,
        })
    }

    /// Does all that can be done now.
    fn progress(&mut self, now: Moment) {
        self.keep_files();
        self.adopt();
        for epoch in self.acknowledged.clone() {
            if self.keep(Record::Acknowledged(epoch))
                && self.said.insert(Reported::Acknowledged(epoch))
            {
                self.event(Event::Acknowledged(epoch));
            }
        }
        self.erase_superseded(now);
    }

    /// Stores the recovery files in the order of their chains, so that the store never has one
    /// without the one before it, under which it is verified at the next start.
    fn keep_files(&mut self) {
        let known = self.lineage.epochs().map(|epoch| (epoch.order(), epoch.parent()));
        let known: Vec<(EpochOrder, EpochOrder)> = known.collect();
        for (epoch, parent) in known {
            let is_next =
                self.lineage.get(parent).is_none() || self.journal.has(&Record::Certified(parent));
            if is_next {
                self.keep(Record::Certified(epoch));
            }
        }
    }

    /// Whether the recovery files of this epoch and of all that lead to it, from the first group
    /// on, are stored.
    fn is_chain_kept(&self, epoch: EpochOrder) -> bool {
        let mut place = epoch;
        while let Some(one) = self.lineage.get(place) {
            if !self.journal.has(&Record::Certified(place)) {
                return false;
            }
            place = one.parent();
        }
        place == self.lineage.root_order()
    }

    /// Whether this record is stored; if not, it is given to the caller.
    fn keep(&mut self, record: Record) -> bool {
        match self.journal.require(&record) {
            Kept::Yes => return true,
            Kept::Ask => self.outbox.push_back(Output::Persist(record)),
            Kept::NotYet => {}
        }
        false
    }

    fn event(&mut self, event: Event) {
        self.outbox.push_back(Output::Event(event));
    }
}

impl Machine for Switch {
    type Event = Event;
    type Address = PeerId;
    type Record = Record;
    type Rejected = Rejected;

    /// The most costly message is a recovery file that was asked for: the cards of its plan are
    /// verified, t + n' signatures, and t' points for each new member.
    fn handle_message(&mut self, from: &PeerId, bytes: &[u8], now: Moment) -> Result<(), Rejected> {
        let result = self.receive(from, bytes, now);
        self.progress(now);
        result
    }

    fn handle_timeout(&mut self, now: Moment) {
        if self.announcing.fire(now.monotonic) {
            self.journal.try_again();
            self.announce();
        }
        self.repeat_wish(now);
        self.progress(now);
    }

    /// A peer that can be reached again learns which epoch is current here, and is asked for what
    /// is still awaited of it.
    fn handle_link(&mut self, peer: &PeerId, link: Link, now: Moment) {
        if link == Link::Up && self.knows(peer) {
            self.ask(peer, self.current().epoch().saturating_add(1), now);
            self.ask_for_receipt(peer);
        }
        self.progress(now);
    }

    fn persisted(&mut self, record: Record, kept: bool, now: Moment) {
        let was_kept = self.journal.has(&record);
        self.journal.answer(record, kept);
        match record {
            Record::Adopted(epoch) if was_kept => self.was_read_again(epoch, kept, now),
            _ if !kept => self.event(Event::NotKept(record)),
            Record::Adopted(epoch) => {
                self.hold(epoch);
                self.forget_second_copy(epoch);
                self.was_read(epoch, now);
            }
            Record::Erased { what, .. } => {
                self.held.remove(&what);
            }
            Record::Certified(_) | Record::Acknowledged(_) => {}
        }
        self.progress(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    fn next_timeout(&self) -> Option<Duration> {
        let wish = self.wish.as_ref().map(Wishing::due);
        Some(wish.map_or(self.announcing.due(), |due| due.min(self.announcing.due())))
    }
}
