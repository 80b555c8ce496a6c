//! Coordinators that change what they put together.

use std::sync::Arc;

use roastery_frost::{
    Seat,
    chilldkg::{CoordinatorMsg1, Transcript, coordinator_investigate, coordinator_step1},
};
use roastery_protocol::{
    TranscriptHash,
    keygen::message::{Body, Envelope, Kind, Want},
};

use super::{Coalition, to_all};
use crate::{
    keygen::{Fault, Participants, forging, forging::CoordinatorMessage as At},
    world::Packet,
};

impl Coalition {
    /// A transcript that the honest code of one of its members sends to a member.
    pub(super) fn transcript(
        &mut self,
        participants: &Participants,
        fault: Fault,
        to: Seat,
        from: Seat,
        envelope: &Envelope,
    ) -> Vec<Packet> {
        let params = participants.invitation.params();
        let mut content = envelope.content().to_vec();
        let as_it_is = |bytes: &Arc<[u8]>| vec![Packet { from, to, bytes: bytes.clone() }];
        let Some((victim, _)) = self.victims(from) else { return as_it_is(envelope.as_bytes()) };
        match fault {
            Fault::SplitsTranscripts if to.index() % 2 == 1 => {
                let other_half = self.honest.iter().find(|seat| seat.index() % 2 == 0);
                forging::add_one(&mut content, At::share(params, *other_half.unwrap_or(&victim)));
            }
            Fault::AltersShare | Fault::FramesInInvestigation | Fault::ForgesCertificate => {
                forging::add_one(&mut content, At::share(params, victim));
            }
            _ => return as_it_is(envelope.as_bytes()),
        }
        let mut packets =
            vec![Packet { from, to, bytes: participants.seal(from, Kind::Transcript, &content) }];
        let altered = CoordinatorMsg1::parse(&content, params).ok();
        let altered = altered.and_then(|message| Transcript::new(params, &message).ok());
        if fault.signs_everything()
            && let Some(altered) = altered
            && let Some(hash) = self.meet(participants, altered)
        {
            packets.extend(self.sign(participants, from, hash));
        }
        packets
    }

    /// The transcripts that one of its members makes itself, once it has all first messages.
    pub(super) fn coordinate(
        &mut self,
        participants: &Participants,
        fault: Fault,
        from: Seat,
    ) -> Vec<Packet> {
        let params = participants.invitation.params();
        let messages: Vec<_> = self.book.values().cloned().collect();
        let Ok((_, message)) = coordinator_step1(&messages, params) else { return Vec::new() };
        let Some((victim, _)) = self.victims(from) else { return Vec::new() };
        if !self.coordinated.insert(from) {
            return Vec::new();
        }
        let right = message.to_bytes();
        let changed = |change: &dyn Fn(&mut [u8])| {
            let mut content = right.clone();
            change(&mut content);
            participants.seal(from, Kind::Transcript, &content)
        };
        let wrong_proof = |by| {
            changed(&|content| {
                forging::flip(content, At::proof(params, victim) + 40, by);
            })
        };
        let (first, second) = (wrong_proof(1), wrong_proof(2));
        let wrong_sums = changed(&|content| {
            forging::copy_point(content, At::commitment(from), At::first_sum(params));
        });
        let right = changed(&|_| {});
        let mut packets = Vec::new();
        for to in participants.seats().filter(|to| *to != from) {
            let bytes = match fault {
                Fault::CrashesHalfWay if to.index() % 2 == 0 => vec![right.clone()],
                Fault::AltersSums => vec![wrong_sums.clone()],
                Fault::AltersProof => vec![first.clone()],
                Fault::AltersProofTwice if to == victim => vec![right.clone()],
                Fault::AltersProofTwice => vec![first.clone(), second.clone()],
                Fault::Garbage => {
                    packets.extend(self.garbage(participants, from, to));
                    continue;
                }
                _ => continue,
            };
            packets.extend(bytes.into_iter().map(|bytes| Packet { from, to, bytes }));
        }
        packets
    }

    /// The investigation of a changed share, in which another member seems to have changed it.
    pub(super) fn answer_falsely(
        &mut self,
        participants: &Participants,
        from: Seat,
        to: Seat,
        envelope: &Envelope,
    ) -> Option<Packet> {
        let params = participants.invitation.params();
        let Ok(Body::Want(Want::Investigation(hash))) = Body::read(envelope, params) else {
            return None;
        };
        let (_, scapegoat) = self.victims(from)?;
        let messages: Vec<_> = self.book.values().cloned().collect();
        let investigations = coordinator_investigate(&messages, params).ok()?;
        let mut content = investigations.get(to.index())?.to_bytes();
        forging::add_one(&mut content, forging::partial_in_investigation(scapegoat));
        let content = [hash.as_bytes().as_slice(), &to.to_u16().to_le_bytes(), &content].concat();
        Some(Packet { from, to, bytes: participants.seal(from, Kind::Investigation, &content) })
    }

    /// Certificates of transcripts that all but some honest members have signed.
    pub(super) fn forge_certificates(
        &mut self,
        participants: &Participants,
        from: Seat,
    ) -> Vec<Packet> {
        let ready: Vec<TranscriptHash> = self
            .signed
            .iter()
            .filter(|(hash, signed)| {
                let signs = |seat: &Seat| signed.contains_key(seat);
                self.honest.iter().any(signs)
                    && !self.honest.iter().all(signs)
                    && self.transcripts.contains_key(hash)
                    && !self.forged.contains(hash)
            })
            .map(|(hash, _)| *hash)
            .collect();
        let mut packets = Vec::new();
        for hash in ready {
            let Some(transcript) = self.transcripts.get(&hash) else { continue };
            let mut content = transcript.as_bytes().to_vec();
            let signed = self.signed.get(&hash).cloned().unwrap_or_default();
            let mut missing = 0;
            for seat in participants.seats() {
                let own = self.faults.contains_key(&seat);
                let signature = if own {
                    let host = participants.host_pen(seat);
                    forging::sign_transcript(host, seat, transcript.as_bytes()).to_bytes()
                } else {
                    missing += usize::from(!signed.contains_key(&seat));
                    signed.get(&seat).copied().unwrap_or([1; 64])
                };
                content.extend(signature);
            }
            // One that lacks more is tried later.
            if missing == 1 {
                self.forged.insert(hash);
                packets.extend(to_all(
                    participants,
                    from,
                    &participants.seal(from, Kind::Certificate, &content),
                ));
            }
        }
        packets
    }
}
