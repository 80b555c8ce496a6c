//! One change at one node, as a pure state machine: from a plan that was shown to its certificate.
//!
//! A node opens it when it knows a plan, as a member of the parent, as a new member, or as both,
//! and calls [`Change::approve`] and [`Change::accept`] when its person (or what decides for it)
//! says so. The machine holds no secret: its [`Engine`] does.
//!
//! A node may hold several old seats and several new ones. It decides for all of them at once,
//! deals the share of each old seat, and signs a transcript with all new seats or with none. What
//! its seats say to each other does not leave the node.
//!
//! # How it goes
//!
//! Approvals and acceptances go to everyone until they make a roll. Then the old members that have
//! approved deal, to all new members. The new seats coordinate in the order of the plan id, first
//! one, then twice as many with each interval. A coordinator names t dealings without complaints;
//! each new member computes the transcript itself, stores which one it signs and its share, and
//! sends its signature to that coordinator. With the signatures of all the coordinator has the
//! certificate and sends it to all. A node that holds a certificate answers everything with it, and
//! one that holds a roll answers approvals and acceptances with the roll.
//!
//! A member signs one transcript for each coordinator. Different coordinators may come to two
//! certificates; then the order of epochs decides, and no member holds less than it has signed.
//!
//! Nothing is dealt without a roll, an own approval, before its record is stored, after the expiry,
//! where the parent is not the current epoch ([`Change::set_current`]), or after the caller has
//! [barred](Change::bar_dealing) it. Nothing is signed without a roll and
//! an own acceptance that is stored, or below the current epoch ([`Change::set_current`]), and
//! after the expiry only where this node has signed in the plan before.
//!
//! # What is kept, at most
//!
//! | what | bound |
//! |---|---|
//! | dealings, of each old seat: the first | 1 |
//! | complaints, of each new seat | 1 for each dealing held |
//! | choices, of each coordinator: the first that was signed, else the last | 1 |
//! | signatures of this node's own choice, of each new seat | 1 |
//! | choices of one coordinator that come to nothing after a transcript was made of them | 4 |
//! | invalid certificates of one sender, before no more are checked | 4 |
//! | answers to one seat of one side within the minimum interval | 8, no two alike |

mod coordinating;
mod dealing;
mod dealings;
mod engine;
mod opening;
mod output;
mod own;
mod receive;
mod signing;
mod timers;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use roastery_frost::{
    Seat,
    change::{Certificate, ChangeParams, Dealing},
};

use self::{coordinating::Coordinating, dealings::Dealings, signing::Choice};
pub use self::{
    engine::{Engine, FrostEngine},
    opening::{OpenError, Opening, Settings},
    output::{Decided, Event, Output, Record, Rejected},
};
use super::{
    EpochOrder, Party, Plan, RollCall,
    journal::{Journal, Kept},
    message::{Body, DealingName, Envelope},
};
use crate::{
    BodyHash,
    clock::Moment,
    election::Order,
    group::{Group, PeerId},
    keys::IdentityKey,
    machine::{Backoff, Destination, Link, Machine, ReplyLimiter, Schedule},
};

/// One change at one node. See the [module](self).
#[derive(Debug)]
pub struct Change<E> {
    fixed: Fixed,
    engine: E,
    journal: Journal<Record>,
    /// The approval that was given last stands. The old seats whose dealing is stored go on without
    /// it.
    wants_to_approve: bool,
    /// What is stored before an approval counts.
    approval: Record,
    wants_to_accept: bool,
    /// It takes its approval back, but for the old seats whose dealing is stored: from then on,
    /// whether or not that is stored.
    withdraws: bool,
    call: RollCall,
    /// The roll was complete in this life.
    called: bool,
    /// Since the roll is complete; after a restart at once where it was complete before.
    running: Option<Running>,
    dealings: Dealings,
    /// The dealings of its old seats.
    own_dealings: BTreeMap<Seat, (Dealing, Envelope)>,
    /// The old seats that cannot deal, or would deal otherwise than before.
    cannot_deal: BTreeSet<Seat>,
    may_deal: bool,
    choices: BTreeMap<Seat, Choice>,
    /// Choices that cost a transcript and come to nothing, whichever coordinator chooses them.
    refused: BTreeSet<Vec<DealingName>>,
    /// How many of them each coordinator has shown.
    trials: BTreeMap<Seat, u8>,
    /// A signature has left, or its record was stored in an earlier life: others may leave after
    /// the expiry.
    has_signed: bool,
    /// The turns of its new seats that have come.
    coordinating: BTreeMap<Seat, Coordinating>,
    certificate: Option<(Certificate, Envelope)>,
    /// The certificate was stored in an earlier life: all are told of it once in this one.
    tells_stored: bool,
    current: EpochOrder,
    announcing: Backoff,
    said: BTreeSet<SaidOnce>,
    wrong_certificates: BTreeMap<Party, u8>,
    disconnected: BTreeSet<PeerId>,
    replies: ReplyLimiter<Reply, Party>,
    expired: bool,
    /// When it is reported that the plan can still take effect: an hour after the first signature,
    /// or after the change was opened again with one.
    open_at: Option<Duration>,
    reported_open: bool,
    outbox: VecDeque<Output>,
}

/// What never changes.
#[derive(Debug)]
struct Fixed {
    plan: Plan,
    parent: Arc<Group>,
    place: EpochOrder,
    params: ChangeParams,
    old: BTreeMap<Seat, Arc<IdentityKey>>,
    new: BTreeMap<Seat, Arc<IdentityKey>>,
    approving: usize,
    deadline: Duration,
    settings: Settings,
    order: Order,
}

/// The turns of the coordinators.
#[derive(Debug)]
struct Running {
    schedule: Schedule,
    /// The live coordinators but those of this node, and when they are sent what they must get.
    live: BTreeMap<Seat, Backoff>,
    /// When those are asked for the certificate that leave, once all coordinators are live and this
    /// node has signed.
    asking: Option<Backoff>,
}

/// What is said once by itself; everything else is repeated or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SaidOnce {
    Approval,
    Withdrawal,
    Acceptance,
    /// That of an old seat.
    Dealing(Seat),
    Certificate,
}

/// What is answered, as its rate limit knows it: what has to be signed first is told by what it
/// says, so that it is not signed in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reply {
    Envelope(BodyHash),
    Roll,
    Want(DealingName),
    Complaint(DealingName),
    /// A question for the certificate, to a member that says that there is one.
    Certified,
}

impl<E: Engine> Change<E> {
    /// Approves the plan as an old member. It takes effect once it is stored. Nothing happens at a
    /// node without an old seat, after a withdrawal, or where the parent is not the current epoch.
    pub fn approve(&mut self, now: Moment) {
        self.wants_to_approve = true;
        self.progress(now);
    }

    /// Takes the approval back, at once at this node, with each old seat whose dealing is not
    /// stored: such a seat does not deal any more. A dealing that is stored stays. Returns whether
    /// all of the approval is taken back: it is not once a dealing is stored, nor where the store
    /// is from a backup with the approval, since the dealing may have left after it. It is kept
    /// and told to all as soon as the store works ([`Event::Withdrawn`]); until then a restart
    /// forgets it.
    pub fn withdraw(&mut self, now: Moment) -> bool {
        let is_whole = !self.may_have_dealt();
        let undealt = self.undealt();
        if is_whole || undealt.iter().any(|seat| !self.is_excluded(*seat)) {
            for seat in &undealt {
                self.call.withdraw(*seat);
            }
            self.wants_to_approve = false;
            self.withdraws = !undealt.is_empty();
            self.progress(now);
        }
        is_whole && !undealt.is_empty()
    }

    /// Accepts the plan as a new member. The caller has stored the host key before; it accepts one
    /// plan, ever. Nothing happens where the store is from a backup without the acceptance
    /// ([`Record::Restored`]): this node would sign nothing, and the change would come to nothing.
    pub fn accept(&mut self, now: Moment) {
        self.wants_to_accept = true;
        self.progress(now);
    }

    /// The same by a rule of this node, and not by its person: nothing happens where the person has
    /// taken the approval back, stored or not.
    pub fn accept_by_rule(&mut self, now: Moment) {
        if !self.withdraws {
            self.accept(now);
        }
    }

    /// Another plan with a higher number was approved here: this node does not deal in this plan
    /// from now on, and does not repeat what it has dealt. The caller says so again when it opens
    /// the change again ([`Opening::may_deal`]).
    pub fn bar_dealing(&mut self) {
        self.may_deal = false;
    }

    /// The greatest certified epoch that this node knows, of any plan. Nothing below it is signed,
    /// and nothing is dealt or repeated of a dealing where the parent is another one.
    pub fn set_current(&mut self, current: EpochOrder) {
        self.current = self.current.max(current);
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.fixed.plan
    }

    /// The group that it changes.
    pub fn parent(&self) -> &Arc<Group> {
        &self.fixed.parent
    }

    /// The engine, which holds the new share.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// Who has approved and accepted, as far as this node knows.
    pub fn roll_call(&self) -> &RollCall {
        &self.call
    }

    /// The certificate, once it is there. Of two of one plan it is the one of the greater epoch.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref().map(|(certificate, _)| certificate)
    }

    /// Whether the plan has no certificate and can still take effect although an hour has passed,
    /// or its time is over: this node has signed a transcript, or may have. Share and host key are
    /// to be kept, and the machine as well; another try is a plan with the next number.
    pub fn is_open(&self) -> bool {
        self.certificate.is_none() && self.may_have_signed() && (self.reported_open || self.expired)
    }

    /// Whether nothing can become of it: it has expired without a certificate, which is stored, and
    /// this node has neither dealt nor signed in it, so that no other one waits for it.
    pub fn is_over(&self) -> bool {
        self.certificate.is_none() && self.journal.has(&Record::Expired) && !self.is_bound()
    }

    /// The new group, once there is a certificate.
    pub fn group(&self) -> Option<Group> {
        Some(self.fixed.plan.group(&self.fixed.parent, self.certificate()?))
    }

    /// Does all that can be done now; called after everything that changes something.
    fn progress(&mut self, now: Moment) {
        if self.certificate.is_none() {
            self.expire(now);
            self.report_open(now);
            self.announce(now);
            self.call_roll(now);
            self.deal(now);
            self.choose(now);
            self.sign(now);
            self.certify();
        }
        self.tell_certificate();
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

    fn send(&mut self, to: Destination<Party>, envelope: &Envelope) {
        self.outbox.push_back(Output::Send { to, bytes: envelope.as_bytes().clone() });
    }

    /// Sends to the holder of a seat, unless that is this node.
    fn send_to(&mut self, to: Party, envelope: &Envelope) {
        if !self.is_own(to) {
            self.send(Destination::Seat(to), envelope);
        }
    }

    /// Sends an answer at most once within the minimum interval. Returns whether it was sent.
    fn answer(&mut self, to: Party, envelope: &Envelope, now: Moment) -> bool {
        let sent = self.may_answer(to, Reply::Envelope(envelope.body_hash()), now);
        if sent {
            self.send(Destination::Seat(to), envelope);
        }
        sent
    }

    /// Whether this may be answered now; if so it is taken as sent.
    fn may_answer(&mut self, to: Party, what: Reply, now: Moment) -> bool {
        let floor = self.fixed.settings.repeat_min;
        !self.is_own(to) && self.replies.try_acquire(to, what, now.monotonic, floor)
    }

    /// Sends to the holders of all new seats but those of this node.
    fn send_to_new(&mut self, envelope: &Envelope) {
        for receiver in self.fixed.plan.seats() {
            self.send_to(Party::new(receiver), envelope);
        }
    }

    /// Signs a body as a seat of this node. None if the seat is not its own.
    fn seal(&self, sender: Party, body: &Body) -> Option<Envelope> {
        let key = self.own_side(sender.role).get(&sender.seat)?;
        Some(Envelope::seal(self.fixed.plan.id(), sender, body, key))
    }

    /// Signs a body that both sides send, with one of this node's seats.
    fn seal_as_any(&self, body: &Body) -> Envelope {
        let sealed = self.own_parties().last().and_then(|party| self.seal(*party, body));
        sealed.expect("a change is opened with a seat")
    }
}

impl<E: Engine> Machine for Change<E> {
    type Event = Event;
    type Address = Party;
    type Record = Record;
    type Rejected = Rejected;

    /// The most costly message is the one that completes a choice at a member: t dealings are
    /// opened again, and t (t' - 1) points are multiplied. A certificate costs t + n' checks of
    /// signatures.
    fn handle_message(&mut self, from: &PeerId, bytes: &[u8], now: Moment) -> Result<(), Rejected> {
        let result = self.receive(from, bytes, now);
        self.progress(now);
        result
    }

    fn handle_timeout(&mut self, now: Moment) {
        self.wake(now);
    }

    /// A member that has come back is sent again what it may have missed; a coordinator that is
    /// gone is passed over.
    fn handle_link(&mut self, peer: &PeerId, link: Link, now: Moment) {
        let back = match link {
            Link::Up => self.disconnected.remove(peer),
            Link::Down => {
                self.disconnected.insert(peer.clone());
                false
            }
            Link::RoundTrip(_) => false,
        };
        if back {
            self.reconnected(peer, now);
        }
        self.escalate(now);
        self.progress(now);
    }

    fn persisted(&mut self, record: Record, kept: bool, now: Moment) {
        self.journal.answer(record.clone(), kept);
        if !kept {
            self.event(Event::NotKept(record));
        }
        self.progress(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    fn next_timeout(&self) -> Option<Duration> {
        self.due()
    }
}
