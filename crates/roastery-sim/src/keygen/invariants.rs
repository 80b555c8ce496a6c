//! What must hold in a key generation, with any set of faulty members and any behaviour of the
//! network.

mod blame;
mod bounded;
mod certificates;
mod completion;
mod keys;
mod signatures;
mod termination;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use roastery_protocol::{
    Seat,
    keygen::{Event, Misbehaviour, Settings, StopReason},
};

use self::{
    blame::Blame, bounded::Bounded, certificates::OneCertificate, signatures::OneSignature,
};
pub use self::{
    completion::Completion,
    keys::{Keys, Shares},
    termination::{Allowance, Circumstances},
};
use super::{Injection, Node, Participants};
use crate::{trace::Trace, violation::Violation, world::Packet};

/// The nine invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// No two honest members hold certificates of different transcripts, and every honest member
    /// has signed what a certificate is of.
    OneCertificate,
    /// An honest member signs at most one transcript, over all its restarts.
    OneSignature,
    /// No honest member holds an honest one to be at fault.
    Accountability,
    /// Every share matches the group, and any t of them sign.
    SharesFit,
    /// The recovery file and the host key bring back the same share and group.
    Recovery,
    /// All get the certificate in time, unless a member can prevent it.
    Termination,
    /// Without a certificate there is no share, and the report names the members that are awaited.
    NoKeyNoShare,
    /// What is sent and recorded is bounded.
    Bounded,
    /// The `Debug` text of a key generation shows no secret.
    Secrets,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Invariant::OneCertificate => "1, one certificate",
            Invariant::OneSignature => "2, one signature",
            Invariant::Accountability => "3, no frame",
            Invariant::SharesFit => "4, shares fit and sign",
            Invariant::Recovery => "5, recovery",
            Invariant::Termination => "6, termination",
            Invariant::NoKeyNoShare => "7, no key, no share",
            Invariant::Bounded => "8, bounded",
            Invariant::Secrets => "9, secrets",
        })
    }
}

/// All invariants that can be checked while the simulation goes on. Those about its end are
/// [`Allowance`], [`Completion`] and [`Keys`].
#[derive(Debug)]
pub struct Invariants {
    /// Messages and events, as text and as a hash.
    pub trace: Trace,
    faulty: BTreeSet<Seat>,
    certificates: OneCertificate,
    signatures: OneSignature,
    blame: Blame,
    bounded: Bounded,
    found: Option<Violation<Invariant>>,
}

impl Invariants {
    /// Checks a key generation in which these members are faulty, from its beginning.
    pub fn new(faulty: BTreeSet<Seat>, settings: &Settings, trace: Trace) -> Self {
        Self {
            trace,
            certificates: OneCertificate::default(),
            signatures: OneSignature::default(),
            blame: Blame::new(faulty.clone()),
            bounded: Bounded::new(settings.repeat_min),
            faulty,
            found: None,
        }
    }

    /// The findings of honest members, by kind.
    pub fn misbehaviours(&self) -> &BTreeMap<&'static str, usize> {
        self.blame.misbehaviours()
    }

    /// All findings of honest members.
    pub fn found(&self) -> &[(Seat, roastery_protocol::keygen::Suspicion)] {
        self.blame.found()
    }

    fn is_honest(&self, seat: Seat) -> bool {
        !self.faulty.contains(&seat)
    }

    fn note(&mut self, result: Result<(), Violation<Invariant>>) {
        if let Err(violation) = result {
            self.found.get_or_insert(violation);
        }
    }

    pub(super) fn sent(&mut self, at: Duration, participants: &Participants, packet: &Packet) {
        self.trace.sent(at, packet);
        if self.is_honest(packet.from) {
            let results = [
                self.signatures.sent(participants, packet),
                self.bounded.sent(at, participants, packet),
            ];
            results.into_iter().for_each(|result| self.note(result));
        }
    }

    pub(super) fn delivered(&mut self, at: Duration, packet: &Packet) {
        self.trace.delivered(at, packet.to.index(), packet);
    }

    pub(super) fn event(&mut self, at: Duration, seat: Seat, event: &Event) {
        self.trace.reported(at, seat.index(), seat, || describe(event));
        if self.is_honest(seat) {
            let result = self.blame.event(seat, event);
            self.note(result);
        }
    }

    pub(super) fn injection(&mut self, at: Duration, injection: &Injection) {
        self.trace.injection(at, injection);
    }

    pub(super) fn step(
        &mut self,
        _at: Duration,
        participants: &Participants,
        nodes: &[Node],
    ) -> Result<(), Violation<Invariant>> {
        if let Some(violation) = self.found.take() {
            return Err(violation);
        }
        for node in nodes.iter().filter(|node| !self.faulty.contains(&node.seat)) {
            if let Some(machine) = node.machine() {
                self.certificates.step(
                    participants,
                    node,
                    machine,
                    &self.signatures,
                    &self.faulty,
                )?;
            }
        }
        Ok(())
    }
}

fn describe(event: &Event) -> String {
    match event {
        Event::Coordinating(hash) => format!("coordinates, with transcript {hash:#}"),
        Event::Signed(hash) => format!("has signed transcript {hash:#}"),
        Event::Found(finding) => format!("finds: {finding}"),
        Event::Refused { seat, reason } => format!("hears that seat {seat} refuses: {reason}"),
        Event::Done(group) => format!("HAS THE CERTIFICATE, of group {group:#}"),
        Event::Ended(reason) => format!("ENDS without a key: {reason}"),
        other => format!("{other:?}"),
    }
}

/// The kind of a breach, for counting.
fn kind_of(misbehaviour: &Misbehaviour) -> &'static str {
    match misbehaviour {
        Misbehaviour::FirstMessage(_) => "first message of no use",
        Misbehaviour::TwoFirstMessages => "two first messages",
        Misbehaviour::Transcript(_) => "transcript with something wrong",
        Misbehaviour::NoKey => "transcript without a key",
        Misbehaviour::TwoTranscripts { .. } => "two transcripts",
        Misbehaviour::OtherTranscript { .. } => "transcript beside the signed one",
        Misbehaviour::Signature(_) => "wrong signature",
        Misbehaviour::TwoSignatures { .. } => "two signatures",
        Misbehaviour::Certificate => "wrong certificate",
        _ => "other",
    }
}

/// The member that a reason names, if it names one.
fn seat_at_fault(reason: &StopReason) -> Option<Seat> {
    match reason {
        StopReason::Faulty { seat, .. } => Some(*seat),
        _ => None,
    }
}
