//! The investigation of a wrong share: which party made this node's share wrong.

use std::time::Duration;

use roastery_frost::{
    Seat,
    chilldkg::{
        CoordinatorInvestigationMsg, Fault, ParticipantFault, Step2Error, participant_investigate,
    },
};

use super::{
    Keygen, Misbehaviour, Rejected, StopReason, Suspect, Suspicion,
    message::{Body, Investigated, RefusalReason, Want},
    signing::Signing,
};
use crate::{TranscriptHash, clock::Moment, machine::Backoff, machine::Destination};

/// A wrong share in a coordinator's transcript.
#[derive(Debug)]
pub(super) struct OpenInvestigation {
    pub(super) hash: TranscriptHash,
    pub(super) since: Duration,
    /// The retransmission of the request; `None` once it is answered.
    pub(super) repeat: Option<Backoff>,
}

impl Keygen {
    /// Asks the coordinator, and begins to collect all first messages here.
    pub(super) fn open_investigation(
        &mut self,
        coordinator: Seat,
        hash: TranscriptHash,
        now: Moment,
    ) {
        if coordinator == self.fixed.seat {
            return self.settle(hash);
        }
        if self.investigations.contains_key(&coordinator) {
            return;
        }
        let settings = &self.fixed.settings;
        let backoff = Backoff::new(now.monotonic, settings.repeat_min, settings.repeat_max);
        let investigation =
            OpenInvestigation { hash, since: now.monotonic, repeat: Some(backoff.clone()) };
        self.investigations.insert(coordinator, investigation);
        let want = self.seal(&Body::Want(Want::Investigation(hash)));
        let _ = self.answer(coordinator, &want, now);
        if self.collecting.is_none() {
            self.collecting = Some(backoff);
            self.collect(now);
        }
    }

    /// Asks the members whose first message is not here.
    pub(super) fn collect(&mut self, now: Moment) {
        let missing: Vec<Seat> = self.first_messages.missing().collect();
        let want = self.seal(&Body::Want(Want::FirstMessage));
        for seat in missing {
            let _ = self.answer(seat, &want, now);
        }
    }

    pub(super) fn on_investigation(
        &mut self,
        coordinator: Seat,
        investigated: Investigated,
        message: &CoordinatorInvestigationMsg,
    ) -> Result<(), Rejected> {
        let not_asked = Rejected::NotAsked { sender: coordinator };
        let Investigated { transcript: hash, seat } = investigated;
        // The answer to another seat of this peer does not fit this seat's share.
        if seat != self.fixed.seat {
            return Err(not_asked);
        }
        let investigation = self.investigations.get_mut(&coordinator).ok_or(not_asked.clone())?;
        if investigation.hash != hash || investigation.repeat.take().is_none() {
            return Err(not_asked);
        }
        let fault = self.investigate(coordinator, hash, message).ok_or(not_asked)?;
        let suspect = match fault {
            Fault::ParticipantOrCoordinator { participant, .. } => {
                Suspect::Either { participant, coordinator }
            }
            Fault::Coordinator(_) | Fault::Participant { .. } => Suspect::Seat(coordinator),
        };
        self.suspect(Suspicion { suspect, misbehaviour: Misbehaviour::Transcript(fault) });
        Ok(())
    }

    /// The member that caused two transcripts, as far as the first messages here show: each is
    /// signed by its sender, and an honest member sends only one. So where a transcript holds
    /// another nonce, its coordinator has put it there or the member has sent two first messages.
    pub(super) fn suspect_of_two(&self, transcripts: [TranscriptHash; 2]) -> Suspect {
        let own = self.fixed.seat;
        let differing = transcripts.into_iter().find_map(|hash| {
            let known = self.transcripts.get(hash)?;
            let coordinator = known.envelope.sender(&self.fixed.invitation)?;
            Some((self.first_messages.differing(known.transcript.pubnonces())?, coordinator))
        });
        match differing {
            None => Suspect::Unknown,
            // This node has lost its seed.
            Some((participant, coordinator)) if participant == own && coordinator == own => {
                Suspect::Unknown
            }
            Some((participant, coordinator)) if participant == own => Suspect::Seat(coordinator),
            Some((participant, coordinator)) if [participant, own].contains(&coordinator) => {
                Suspect::Seat(participant)
            }
            Some((participant, coordinator)) => Suspect::Either { participant, coordinator },
        }
    }

    /// This node has made the transcript itself, from first messages that their senders have
    /// signed: the sender of the wrong share is beyond doubt, and there is no key without it.
    fn settle(&mut self, hash: TranscriptHash) {
        let Some(message) = self.first_messages.investigation(self.fixed.seat).cloned() else {
            return;
        };
        let Some(fault) = self.investigate(self.fixed.seat, hash, &message) else { return };
        let Fault::ParticipantOrCoordinator { participant: seat, fault } = fault else {
            // This node is the coordinator: its own hardware is at fault.
            return self.suspect(Suspicion::of_unknown(Misbehaviour::Transcript(fault)));
        };
        let beyond_doubt = Fault::Participant { participant: seat, fault };
        self.suspect(Suspicion::of(seat, Misbehaviour::Transcript(beyond_doubt)));
        if matches!(self.signing, Signing::Nothing) {
            self.fail(seat, fault);
        }
    }

    fn fail(&mut self, seat: Seat, fault: ParticipantFault) {
        self.refuse(RefusalReason::Faulty(seat));
        self.end(StopReason::Faulty { seat, fault });
    }

    pub(super) fn refuse(&mut self, reason: RefusalReason) {
        let envelope = self.seal(&Body::Refusal(reason));
        self.send(Destination::Everyone, &envelope);
    }

    /// Repeats the second step, which gives the same wrong share, and investigates it.
    fn investigate(
        &self,
        coordinator: Seat,
        hash: TranscriptHash,
        message: &CoordinatorInvestigationMsg,
    ) -> Option<Fault> {
        let offers = self.transcripts.offers_of(coordinator);
        let offer = offers.iter().rev().find(|offer| offer.hash == hash)?;
        match self.secrets.as_ref()?.second_step(&self.fixed.invitation, &offer.message) {
            Err(Step2Error::Unknown(investigation)) => {
                Some(participant_investigate(&investigation, message))
            }
            _ => None,
        }
    }
}
