use std::collections::BTreeMap;

use roastery_protocol::{
    Seat, TranscriptHash,
    keygen::message::{Body, Envelope, Kind},
};

use super::{Invariant, Participants};
use crate::{violation::Violation, world::Packet};

/// Of all signatures that ever left an honest seat, all are of one transcript.
#[derive(Debug, Default)]
pub(super) struct OneSignature(BTreeMap<Seat, TranscriptHash>);

impl OneSignature {
    pub(super) fn of(&self, seat: Seat) -> Option<TranscriptHash> {
        self.0.get(&seat).copied()
    }

    pub(super) fn sent(
        &mut self,
        participants: &Participants,
        packet: &Packet,
    ) -> Result<(), Violation<Invariant>> {
        let Ok(envelope) = Envelope::parse(&packet.bytes) else { return Ok(()) };
        let own = participants.seats_of(packet.from);
        let (hash, signers) = match envelope.kind() {
            Kind::Signature => match Body::read(&envelope, participants.invitation.params()) {
                Ok(Body::Signature(content)) => {
                    let sender = envelope.sender(&participants.invitation);
                    let sender = sender.filter(|sender| own.contains(sender));
                    (content.transcript, vec![sender.unwrap_or(packet.from)])
                }
                _ => return Ok(()),
            },
            // The signatures of a coordinator's own node leave in the certificate that it makes.
            Kind::Certificate => {
                let signatures = 64 * participants.invitation.size();
                let Some(length) = envelope.content().len().checked_sub(signatures) else {
                    return Ok(());
                };
                (participants.name_of(&envelope.content()[..length]), own.to_vec())
            }
            _ => return Ok(()),
        };
        signers.into_iter().try_for_each(|seat| self.signed(seat, hash))
    }

    /// A seat's signature of this transcript has become known.
    fn signed(&mut self, seat: Seat, hash: TranscriptHash) -> Result<(), Violation<Invariant>> {
        let first = *self.0.entry(seat).or_insert(hash);
        if first == hash {
            return Ok(());
        }
        let what = format!("honest seat {seat} has signed transcripts {first:#} and {hash:#}");
        Err(Violation::of(Invariant::OneSignature, what))
    }
}
