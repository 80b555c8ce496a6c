//! What must hold at every step, with any set of faulty members and any behaviour of the network
//! (docs/signing.md). Each invariant is a type of its own that knows nothing of the others.

mod authorised;
mod bounded;
mod case;
mod charges;
mod cheap;
mod framing;
mod guilt;
mod outcome;
mod reading;
mod secrets;
mod termination;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    rc::Rc,
    time::Duration,
};

use roastery_protocol::{
    Seat,
    member::{
        machine::{Event, Rejected, StopReason},
        proof::FaultKind,
    },
    request::SigningRequest,
};

use self::{
    authorised::OnlyWhatWasAuthorised, bounded::Bounded, framing::FramingChecker, guilt::Guilt,
    outcome::OutcomeIsMonotone, reading::Reader, secrets::SecretsEnd,
};
pub use self::{
    case::Case,
    cheap::Cost,
    reading::{Heard, Read},
    termination::{Allowance, Circumstances},
};
use super::{Injection, Ledger, Node, Owners, words};
use crate::{trace::Trace, violation::Violation, world::Packet};

/// The invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// No proof against an honest seat can be made, out of everything ever sent.
    NoFrame,
    /// Each nonce answers one equation, over all sessions.
    OneNonceOneEquation,
    /// Only what was authorised and has not expired is signed.
    OnlyWhatWasAuthorised,
    /// Every provable fault that a node has seen is proven by it, whatever follows.
    GuiltIsFound,
    /// A signature stays, and all honest nodes get it.
    OutcomeIsMonotone,
    /// What is sent, given and held is bounded.
    Bounded,
    /// Secret nonces end in time.
    SecretsEnd,
    /// The session ends in time once t honest members reach each other and have approved.
    Termination,
    /// A session that waits is quiet.
    WaitingIsQuiet,
    /// A session without faults costs little.
    HonestSessionsAreCheap,
    /// No link is charged for what another one brings.
    ChargesStayApart,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Invariant::NoFrame => "1, no frame",
            Invariant::OneNonceOneEquation => "2, one nonce, one equation",
            Invariant::OnlyWhatWasAuthorised => "3, only what was authorised is signed",
            Invariant::GuiltIsFound => "4, guilt is found",
            Invariant::OutcomeIsMonotone => "5, outcome is monotone and spreads",
            Invariant::Bounded => "6, bounded",
            Invariant::SecretsEnd => "7, secrets end",
            Invariant::Termination => "8, termination",
            Invariant::WaitingIsQuiet => "9, waiting is quiet",
            Invariant::HonestSessionsAreCheap => "10, honest sessions are cheap",
            Invariant::ChargesStayApart => "11, charges of links stay apart",
        })
    }
}

/// A violation of one of them.
pub type Found = Violation<Invariant>;

/// The state of the simulation after a step.
#[derive(Debug)]
pub struct Step<'a> {
    /// The virtual time since the beginning.
    pub at: Duration,
    /// All nodes, by their first seat.
    pub nodes: &'a [Node],
    /// Those to which something happened in this step.
    pub touched: &'a [usize],
    /// What the owners of the nodes have decided.
    pub owners: &'a Owners,
    /// The requests.
    pub requests: &'a [SigningRequest],
    /// The engine of each node that is up, in the ledger.
    pub lives: &'a BTreeMap<Seat, usize>,
}

/// All invariants that can be checked while the simulation goes on. Those about its end are
/// [`Allowance`] and [`Cost`].
#[derive(Debug)]
pub struct Invariants {
    /// What is fixed in the simulation.
    pub case: Rc<Case>,
    /// Messages and events, as text and as a hash.
    pub trace: Trace,
    /// Faults that honest nodes have proven.
    pub proven: BTreeMap<Seat, BTreeSet<FaultKind>>,
    ledger: Ledger,
    reader: Reader,
    framing: FramingChecker,
    guilt: Guilt,
    authorised: OnlyWhatWasAuthorised,
    outcome: OutcomeIsMonotone,
    bounded: Bounded,
    secrets: SecretsEnd,
    /// What was found since the last step.
    found: Option<Found>,
}

impl Invariants {
    /// Checks a simulation from its beginning.
    pub fn new(case: Case, trace: Trace) -> Self {
        let (case, ledger) = (Rc::new(case), Ledger::default());
        Self {
            trace,
            proven: BTreeMap::new(),
            reader: Reader::new(case.clone()),
            framing: FramingChecker::new(case.clone()),
            guilt: Guilt::new(case.clone()),
            authorised: OnlyWhatWasAuthorised::new(case.clone()),
            outcome: OutcomeIsMonotone::new(case.clone()),
            bounded: Bounded::new(case.clone()),
            secrets: SecretsEnd::new(case.clone()),
            case,
            ledger,
            found: None,
        }
    }

    /// The ledger that the engines of the simulation write.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The number of claims that were tried against honest members.
    pub fn claims(&self) -> usize {
        self.framing.tried()
    }

    fn note(&mut self, result: Result<(), Found>) {
        if let Err(violation) = result {
            self.found.get_or_insert(violation);
        }
    }

    /// A message leaves a node, after the coalition has replaced it.
    pub fn sent(&mut self, at: Duration, packet: &Packet) {
        self.trace.sent(at, packet);
        if self.found.is_some() {
            return;
        }
        let (heard, is_new) = self.reader.read(packet);
        let is_honest = self.case.is_honest(packet.from);
        let mut results = Vec::new();
        if is_honest {
            results.push(self.bounded.sent(at, packet, heard.as_ref()));
        } else if let Some(heard) = &heard {
            self.bounded.heard(heard);
        }
        if let Some(heard) = heard {
            if is_honest && is_new {
                self.authorised.said(packet.from, &heard);
            }
            if is_new {
                results.push(self.framing.heard(&heard));
            }
        }
        results.into_iter().for_each(|result| self.note(result));
    }

    /// A message is about to be given to a node.
    pub fn delivered(&mut self, at: Duration, place: usize, node: &Node, packet: &Packet) {
        self.trace.delivered(at, place, packet);
        if !self.case.is_honest(node.seat) {
            return;
        }
        if let (Some(heard), _) = self.reader.read(packet) {
            self.guilt.delivered(node, packet, &heard);
        }
    }

    /// A message did not do what its sender wanted.
    pub fn rejected(&mut self, node: Seat, packet: &Packet, why: &Rejected) {
        self.note(charges::judge(&self.case, node, packet, why));
    }

    /// A node reports an event.
    pub fn event(&mut self, at: Duration, place: usize, seat: Seat, event: &Event) {
        self.trace.reported(at, place, seat, || words::event(event));
        if !self.case.is_honest(seat) {
            return;
        }
        if let Event::Proven { fault, .. } = event {
            self.proven.entry(fault.accused).or_default().insert(fault.fault);
        }
        let results = [
            self.framing.event(seat, event),
            self.outcome.event(seat, event),
            self.never_gives_up(seat, event),
        ];
        self.guilt.event(seat, event);
        results.into_iter().for_each(|result| self.note(result));
    }

    /// Something is about to happen to nodes or network.
    pub fn injection(&mut self, at: Duration, injection: &Injection) {
        self.trace.injection(at, injection);
        self.secrets.injection(at, injection);
        self.guilt.injection(injection);
    }

    /// A step is over.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub fn step(&mut self, step: &Step<'_>) -> Result<(), Found> {
        if let Some(violation) = self.found.take() {
            return Err(violation);
        }
        let orders = {
            let mut entries = self.ledger.entries();
            if let Some(what) = entries.broken.take() {
                return Err(Violation::of(Invariant::OneNonceOneEquation, what));
            }
            std::mem::take(&mut entries.orders)
        };
        self.authorised.step(step, orders)?;
        for &at in step.touched {
            let node = &step.nodes[at];
            if !self.case.is_honest(node.seat) || !node.is_awake() {
                continue;
            }
            self.outcome.step(node)?;
            self.secrets.step(step, node, &self.ledger)?;
            self.guilt.step(node)?;
        }
        Ok(())
    }

    /// An honest node stops only if its owner stops it or withdraws, its disk fails, its clock is
    /// set, or too many are corrupt.
    fn never_gives_up(&self, seat: Seat, event: &Event) -> Result<(), Found> {
        let Event::Stopped { reason, .. } = event else { return Ok(()) };
        let is_allowed = match reason {
            StopReason::Cancelled
            | StopReason::Withdrawn(_)
            | StopReason::JournalFailed
            | StopReason::Expired => true,
            StopReason::Infeasible { .. } => self.case.is_hopeless,
            _ => false,
        };
        if is_allowed {
            return Ok(());
        }
        let what = format!("the honest node of seat {seat} stops: {reason}");
        Err(Violation::of(Invariant::Termination, what))
    }
}
