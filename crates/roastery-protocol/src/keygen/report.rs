use std::{fmt, time::Duration};

use roastery_frost::Seat;

use super::{Keygen, Phase, StopReason, Suspicion, message::RefusalReason, signing::Signing};
use crate::{GroupId, KeygenId, TranscriptHash};

/// What a node knows of a key generation: its state, and which members are awaited since when.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The key generation.
    pub keygen: KeygenId,
    /// Whether it runs, is done or has ended.
    pub phase: ReportPhase,
    /// Which transcript this node has signed. From then on the host key must be kept.
    pub signed: Option<TranscriptHash>,
    /// The number of coordinators that are live at this node.
    pub live_coordinators: usize,
    /// Members that are awaited, in the order of seats. Waiting is no blame: a slow member is not
    /// at fault.
    pub awaited: Vec<Awaited>,
    /// The members that have refused to go on, with their reasons.
    pub refusals: Vec<(Seat, RefusalReason)>,
    /// The findings, in the order in which they were made; one of each kind for each member at
    /// fault.
    pub findings: Vec<Suspicion>,
}

/// The state of a key generation at this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportPhase {
    /// It runs.
    Running,
    /// The group exists.
    Done(GroupId),
    /// It has ended here without a key.
    Ended(StopReason),
}

/// A member for whose message the key generation waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The member's seat.
    pub seat: Seat,
    /// The message that is awaited from it.
    pub thing: AwaitedThing,
    /// Start of the wait, on the caller's monotonic clock.
    pub since: Duration,
}

/// The kind of message that is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AwaitedThing {
    /// Its first message: this node coordinates.
    FirstMessage,
    /// The transcript: it coordinates.
    Transcript,
    /// Its answer to a wrong share in its transcript.
    Investigation(TranscriptHash),
    /// The first messages that its transcript was made of: there is another transcript.
    OthersFirstMessages,
    /// Its signature of this transcript.
    Signature(TranscriptHash),
    /// The certificate: it coordinates, and this node has signed.
    Certificate,
}

impl fmt::Display for AwaitedThing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AwaitedThing::FirstMessage => f.write_str("its first message"),
            AwaitedThing::Transcript => f.write_str("the transcript"),
            AwaitedThing::Investigation(_) => f.write_str("the investigation of a wrong share"),
            AwaitedThing::OthersFirstMessages => {
                f.write_str("the first messages that its transcript was made of")
            }
            AwaitedThing::Signature(hash) => write!(f, "its signature of transcript {hash:#}"),
            AwaitedThing::Certificate => f.write_str("the certificate"),
        }
    }
}

impl Report {
    /// What the seats of one node know together. It is done when all of them are, and has ended
    /// when one of them has. What they wait for of each other is left out. `None` without a seat.
    pub(super) fn of_node(seats: impl IntoIterator<Item = (Seat, Self)>) -> Option<Self> {
        let (own, reports): (Vec<Seat>, Vec<Self>) = seats.into_iter().unzip();
        let mut reports = reports.into_iter();
        let mut whole = reports.next()?;
        for report in reports {
            whole.phase = whole.phase.with(report.phase);
            whole.signed = whole.signed.or(report.signed);
            whole.live_coordinators = whole.live_coordinators.max(report.live_coordinators);
            whole.awaited.extend(report.awaited);
            whole.refusals.extend(report.refusals);
            let known = whole.findings.clone();
            whole.findings.extend(report.findings.into_iter().filter(|one| !known.contains(one)));
        }
        whole.awaited.retain(|one| !own.contains(&one.seat));
        whole.awaited.sort_by_key(|one| (one.seat, one.thing, one.since));
        whole.awaited.dedup_by_key(|one| (one.seat, one.thing));
        whole.refusals.sort_by_key(|(seat, _)| *seat);
        whole.refusals.dedup_by_key(|(seat, _)| *seat);
        Some(whole)
    }
}

impl ReportPhase {
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Ended(reason), _) | (_, Self::Ended(reason)) => Self::Ended(reason),
            (Self::Running, _) | (_, Self::Running) => Self::Running,
            (Self::Done(group), Self::Done(_)) => Self::Done(group),
        }
    }
}

impl Keygen {
    /// What this node knows of the key generation now. After its end it still names the members
    /// that were awaited when it ended.
    pub fn report(&self) -> Report {
        let phase = match &self.phase {
            Phase::Running => ReportPhase::Running,
            Phase::Done { file, .. } => ReportPhase::Done(file.group().id()),
            Phase::Ended(reason) => ReportPhase::Ended(*reason),
        };
        let awaited = match &self.phase {
            Phase::Running => self.awaited(),
            Phase::Ended(_) => self.awaited_at_end.clone(),
            Phase::Done { .. } => Vec::new(),
        };
        Report {
            keygen: self.id(),
            phase,
            signed: self.signing.hash(),
            live_coordinators: self.schedule.live().min(self.fixed.invitation.size()),
            awaited,
            refusals: self.refusals.iter().map(|(seat, reason)| (*seat, *reason)).collect(),
            findings: self.findings.clone(),
        }
    }

    pub(super) fn awaited(&self) -> Vec<Awaited> {
        let mut awaited = self.awaited_of_coordinators();
        let own = self.fixed.seat;
        // What this node collects as a coordinator: signatures, once it has a transcript, and first
        // messages before.
        let known = self.signing.hash().and_then(|hash| Some((hash, self.transcripts.get(hash)?)));
        match (self.coordinating, known) {
            (Some(turn), Some((hash, known))) => {
                let (thing, since) = (AwaitedThing::Signature(hash), known.since.max(turn));
                let unsigned = known.unsigned().filter(|seat| *seat != own);
                awaited.extend(unsigned.map(|seat| Awaited { seat, thing, since }));
            }
            (Some(since), None) => {
                let thing = AwaitedThing::FirstMessage;
                awaited.extend(self.first_messages.missing().map(|seat| Awaited {
                    seat,
                    thing,
                    since,
                }));
            }
            (None, _) => {}
        }
        for (&seat, investigation) in
            self.investigations.iter().filter(|(_, one)| one.repeat.is_some())
        {
            let thing = AwaitedThing::Investigation(investigation.hash);
            awaited.push(Awaited { seat, thing, since: investigation.since });
        }
        for (&seat, comparison) in &self.comparisons {
            if !comparison.missing.is_empty() {
                let thing = AwaitedThing::OthersFirstMessages;
                awaited.push(Awaited { seat, thing, since: comparison.since });
            }
        }
        awaited.sort_by_key(|one| (one.seat, one.thing));
        awaited
    }

    fn awaited_of_coordinators(&self) -> Vec<Awaited> {
        let awaited = self.links.iter().filter_map(|(&seat, link)| match &self.signing {
            Signing::Nothing | Signing::Remembered(_) => {
                // What was signed before a restart is awaited whatever else a coordinator offers.
                let offered =
                    self.signing.hash().is_none() && !self.transcripts.offers_of(seat).is_empty();
                let thing = AwaitedThing::Transcript;
                (!offered).then_some(Awaited { seat, thing, since: link.since })
            }
            // This node waits for its own store.
            Signing::Waiting(_) => None,
            Signing::Released { since, .. } => {
                let thing = AwaitedThing::Certificate;
                Some(Awaited { seat, thing, since: link.since.max(*since) })
            }
        });
        awaited.collect()
    }
}
