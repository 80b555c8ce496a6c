//! The end: the certificate, or none.

use roastery_frost::{Seat, chilldkg::RecoveryData};

use super::{
    Event, Keygen, Misbehaviour, Phase, RecoveryFile, Rejected, StopReason, Suspicion,
    first_messages::FirstMessages,
    message::{Body, Kind, RefusalReason},
    transcripts::Transcripts,
};
use crate::{TranscriptHash, clock::Moment, machine::Destination};

/// After that many invalid certificates of one sender no further one is checked.
const MOST_WRONG_CERTIFICATES: u8 = 4;

impl Keygen {
    /// A node that holds a transcript and the signatures of all members makes the certificate.
    pub(super) fn try_to_finish(&mut self, hash: TranscriptHash) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let certified = self.transcripts.get(hash).and_then(|known| known.certified());
        let Some(data) = certified.and_then(|bytes| RecoveryData::parse(&bytes).ok()) else {
            return;
        };
        if self.is_of_this_keygen(&data) {
            self.finish(data);
            self.broadcast_certificate();
        }
    }

    pub(super) fn on_certificate(&mut self, sender: Seat, bytes: &[u8]) -> Result<(), Rejected> {
        let wrong = self.wrong_certificates.get(&sender).copied().unwrap_or(0);
        if wrong >= MOST_WRONG_CERTIFICATES {
            return Err(Rejected::TooMany { sender });
        }
        let finding = match RecoveryData::parse(bytes) {
            Ok(data) if self.is_of_this_keygen(&data) => {
                self.finish(data);
                return Ok(());
            }
            // It is a certificate. Of which key generation, only members with its nonces know:
            // this node may have lost its seed.
            Ok(data) if data.params() == self.fixed.invitation.params() => {
                Suspicion::of_unknown(Misbehaviour::Certificate)
            }
            _ => Suspicion::of(sender, Misbehaviour::Certificate),
        };
        self.wrong_certificates.insert(sender, wrong + 1);
        self.wrong(finding)
    }

    /// Whether a certificate holds this node's own nonce of this key generation.
    fn is_of_this_keygen(&self, data: &RecoveryData) -> bool {
        let own = data.transcript().pubnonces().get(self.fixed.seat.index());
        data.params() == self.fixed.invitation.params() && own == Some(&self.fixed.pubnonce)
    }

    /// All have signed. The share comes from the certified data, whether this node has seen the
    /// transcript before or not, and everything is verified before it is said to be done.
    fn finish(&mut self, data: RecoveryData) {
        let Some(secrets) = &self.secrets else { return };
        let certificate = data.to_bytes();
        let file = RecoveryFile::new(self.fixed.invitation.clone(), data);
        let recovered = file.and_then(|file| Ok((file.recover(&secrets.host)?, file)));
        let Ok((recovered, file)) = recovered else {
            return self.end(StopReason::NoShare);
        };
        let certificate = self.seal(&Body::Certificate(certificate));
        let share = Some(recovered.share);
        self.phase = Phase::Done { file: Box::new(file), share, certificate };
        self.event(Event::Done(recovered.group.id()));
        self.forget_work();
    }

    fn broadcast_certificate(&mut self) {
        if let Phase::Done { certificate, .. } = &self.phase {
            let certificate = certificate.clone();
            self.send(Destination::Everyone, &certificate);
        }
    }

    /// A member that still sends messages of the key generation lacks the certificate, or does not
    /// know that there will be none.
    pub(super) fn answer_after_the_end(&mut self, sender: Seat, kind: Kind, now: Moment) {
        if matches!(kind, Kind::Certificate | Kind::Refusal) || now.monotonic >= self.expiry {
            return;
        }
        let envelope = match &self.phase {
            Phase::Running | Phase::Ended(StopReason::Expired | StopReason::NoShare) => return,
            Phase::Done { certificate, .. } => certificate.clone(),
            Phase::Ended(StopReason::Cancelled) => {
                self.seal(&Body::Refusal(RefusalReason::Operator))
            }
            Phase::Ended(StopReason::Faulty { seat, .. }) => {
                self.seal(&Body::Refusal(RefusalReason::Faulty(*seat)))
            }
        };
        let _ = self.answer(sender, &envelope, now);
    }

    pub(super) fn expire(&mut self, now: Moment) {
        if now.monotonic >= self.expiry {
            self.end(StopReason::Expired);
        }
    }

    /// Ends without a key. Secrets end here.
    pub(super) fn end(&mut self, reason: StopReason) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        self.awaited_at_end = self.awaited();
        self.phase = Phase::Ended(reason);
        self.event(Event::Ended(reason));
        self.forget_work();
    }

    fn forget_work(&mut self) {
        self.secrets = None;
        self.links.clear();
        self.made = None;
        self.first_messages = FirstMessages::new(self.fixed.invitation.params().clone());
        self.transcripts = Transcripts::default();
        self.investigations.clear();
        self.collecting = None;
        // A signature that is not stored does not leave any more.
        self.outbox.retain(|output| !matches!(output, super::Output::Persist(_)));
    }
}
