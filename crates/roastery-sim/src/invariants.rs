//! What must hold at every step, with any set of faulty members and any behaviour of the network.
//!
//! Each invariant is a type of its own that is given messages and events and knows nothing of the
//! others. They share the messages, parsed once: [`MessageLog`].

mod authorised;
mod blockers;
mod bounded;
mod case;
mod cheap;
mod fault_completeness;
mod message_log;
mod one_nonce;
mod outcome;
mod secrets;
mod termination;
mod truth;

use std::{collections::BTreeMap, fmt, rc::Rc, time::Duration};

use roastery_protocol::{
    Seat,
    signing::{Event, StopReason},
};

pub use self::{
    authorised::OnlyWhatWasAuthorised,
    blockers::Blockers,
    bounded::Bounded,
    case::{Case, ShareCheck},
    cheap::{Cost, HonestRunsAreCheap},
    fault_completeness::FaultCompleteness,
    message_log::{Answer, KnownPackage, MessageLog, News, Statement},
    one_nonce::OneNonce,
    outcome::OutcomeIsMonotone,
    secrets::SecretsEnd,
    termination::{Allowance, Circumstances},
};
use crate::{
    adversary::Packet,
    framing::FramingChecker,
    members::SimulatedEngine,
    signing::{Injection, Step, Watch},
    trace::Trace,
};

/// The ten invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// No proof against an honest seat can be made, out of everything ever sent.
    Accountability,
    /// Each nonce pair answers at most one package, and every share that leaves is right.
    OneNonceOneEquation,
    /// Only what was authorised is signed.
    OnlyWhatWasAuthorised,
    /// Each unfinished package has a blocker of its own.
    Blockers,
    /// The session ends in time once t honest members reach each other.
    Termination,
    /// Every provable fault is found, and nothing else is.
    FaultCompleteness,
    /// A signature stays, and all honest members get it.
    OutcomeIsMonotone,
    /// What is kept, done and answered is bounded.
    Bounded,
    /// Live secret nonces are the unused slots of live attempts.
    SecretsEnd,
    /// A run without faults costs little.
    HonestRunsAreCheap,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Invariant::Accountability => "1, no frame",
            Invariant::OneNonceOneEquation => "2, one nonce, one equation",
            Invariant::OnlyWhatWasAuthorised => "3, only what was authorised is signed",
            Invariant::Blockers => "4, blockers",
            Invariant::Termination => "5, termination",
            Invariant::FaultCompleteness => "6, fault completeness",
            Invariant::OutcomeIsMonotone => "7, outcome is monotone and spreads",
            Invariant::Bounded => "8, bounded",
            Invariant::SecretsEnd => "9, secrets end",
            Invariant::HonestRunsAreCheap => "10, honest runs are cheap",
        })
    }
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation<I = Invariant> {
    /// The invariant.
    pub invariant: I,
    /// What was observed instead, for people.
    pub what: String,
}

impl<I> Violation<I> {
    /// A violation of this invariant.
    pub fn of(invariant: I, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

impl<I: fmt::Display> fmt::Display for Violation<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}: {}", self.invariant, self.what)
    }
}

impl<I: fmt::Debug + fmt::Display> std::error::Error for Violation<I> {}

/// All invariants that can be checked while the simulation goes on. Those about its end are
/// [`Allowance`] and [`HonestRunsAreCheap`].
#[derive(Debug)]
pub struct Invariants {
    /// What is fixed in the session.
    pub case: Rc<Case>,
    /// Messages and events, as text and as a hash.
    pub trace: Trace,
    /// The checker of [`Invariant::Accountability`].
    pub framing: FramingChecker,
    /// The checker of [`Invariant::FaultCompleteness`].
    pub fault_completeness: FaultCompleteness,
    message_log: MessageLog,
    one_nonce: OneNonce,
    authorised: OnlyWhatWasAuthorised,
    blockers: Blockers,
    outcome: OutcomeIsMonotone,
    bounded: Bounded,
    secrets: SecretsEnd,
    /// Which node of a seat issued a package last.
    issuing: BTreeMap<Seat, usize>,
    /// What was found since the last step.
    found: Option<Violation>,
}

impl Invariants {
    /// Checks a session from its beginning.
    pub fn new(case: Case, trace: Trace) -> Self {
        let case = Rc::new(case);
        Self {
            trace,
            framing: FramingChecker::new(case.clone()),
            fault_completeness: FaultCompleteness::new(case.clone()),
            message_log: MessageLog::new(case.clone()),
            one_nonce: OneNonce::new(case.clone()),
            authorised: OnlyWhatWasAuthorised::new(case.clone()),
            blockers: Blockers::new(case.clone()),
            outcome: OutcomeIsMonotone::default(),
            bounded: Bounded::new(case.clone()),
            secrets: SecretsEnd::new(case.group.size(), case.group.most_packages()),
            case,
            issuing: BTreeMap::new(),
            found: None,
        }
    }

    fn note(&mut self, result: Result<(), Violation>) {
        if let Err(violation) = result {
            self.found.get_or_insert(violation);
        }
    }

    fn judge_sent(&mut self, at: Duration, packet: &Packet) -> Result<(), Violation> {
        let from_honest = self.case.is_honest(packet.from);
        if from_honest {
            self.bounded.sent(at, packet)?;
        }
        let (statement, news) = self.message_log.hear(packet);
        let Some(statement) = statement else {
            return self.authorised.unreadable(packet);
        };
        if from_honest {
            self.authorised.said(&statement)?;
        }
        match news {
            News::Said => {}
            News::Claimed => return self.framing.received_claim(&statement),
            News::Old => return Ok(()),
        }
        if from_honest && statement.sender == packet.from {
            if let (Some(_), Some(node)) = (statement.package(), self.issuing.get(&packet.from)) {
                self.message_log.issued(statement.hash, *node);
                self.fault_completeness.issued(*node, &statement);
            }
            self.one_nonce.said(&statement, &self.message_log)?;
            self.blockers.said(&statement, &self.message_log)?;
        }
        self.framing.heard(&statement, &self.message_log)
    }
}

/// With at most n - t faulty members an honest node stops only if its application stops it.
fn no_member_gives_up(event: &Event) -> Result<(), Violation> {
    match event {
        Event::Stopped(reason) if *reason != StopReason::Cancelled => {
            Err(Violation::of(Invariant::Termination, format!("an honest node stops: {reason}")))
        }
        _ => Ok(()),
    }
}

impl<E: SimulatedEngine> Watch<E> for Invariants {
    fn sent(&mut self, at: Duration, packet: &Packet) {
        self.trace.sent(at, packet);
        if self.found.is_none() {
            let result = self.judge_sent(at, packet);
            self.note(result);
        }
    }

    fn delivered(&mut self, at: Duration, node: usize, packet: &Packet) {
        self.trace.delivered(at, node, packet);
        if !self.case.is_honest(packet.to) {
            return;
        }
        self.bounded.delivered(node, packet);
        if let (Some(statement), _) = self.message_log.hear(packet) {
            self.message_log.delivered(node, &statement, packet);
            self.fault_completeness.delivered(node, packet, &statement, &self.message_log);
        }
    }

    fn event(&mut self, at: Duration, node: usize, seat: Seat, event: &Event) {
        self.trace.event(at, node, seat, event);
        if !self.case.is_honest(seat) {
            return;
        }
        if matches!(event, Event::PackageIssued { .. }) {
            self.issuing.insert(seat, node);
        }
        self.secrets.event(node, event);
        let results = [
            no_member_gives_up(event),
            self.authorised.event(node, event),
            self.outcome.event(node, event),
            self.fault_completeness.event(at, node, event),
        ];
        results.into_iter().for_each(|result| self.note(result));
    }

    fn injection(&mut self, at: Duration, injection: &Injection) {
        self.trace.injection(at, injection);
    }

    fn step(&mut self, step: &Step<'_, E>) -> Result<(), Violation> {
        if let Some(violation) = self.found.take() {
            return Err(violation);
        }
        for &at in step.touched {
            let node = &step.nodes[at];
            let Some(session) = node.session().filter(|_| self.case.is_honest(node.seat)) else {
                continue;
            };
            self.secrets.step(at, session)?;
            self.outcome.step(at, session)?;
            self.bounded.step(at, session)?;
            self.fault_completeness.step(at, step.at, session)?;
        }
        Ok(())
    }
}
