//! Behaviours that send too much: garbage, mutations, replays, false claims.

use std::sync::Arc;

use rand::{Rng as _, RngExt as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;
use roastery_frost::{
    Seat,
    chilldkg::{
        Certificate, HostSecretKey, ParticipantMsg2, coordinator_step1, participant_step1,
        participant_step2,
    },
};
use roastery_protocol::{
    KeygenId, TranscriptHash,
    keygen::{
        Invitation,
        message::{Envelope, Kind},
    },
};

use super::{Coalition, to_all};
use crate::{
    keygen::{Fault, Participants, forging, participants::copy},
    world::Packet,
};

/// The most messages that are kept for replays.
const MOST_RECORDED: usize = 64;

/// Another key generation of the same members, that has come to its end.
#[derive(Debug)]
pub(super) struct Foreign {
    id: KeygenId,
    contents: Vec<(Kind, Vec<u8>)>,
}

impl Foreign {
    pub(super) fn make(participants: &Participants, rng: &mut ChaCha8Rng) -> Option<Self> {
        let here = &participants.invitation;
        let invitation =
            Invitation::new(here.name(), 1, here.threshold(), here.named_members()).ok()?;
        let params = invitation.params();
        let hosts: Vec<HostSecretKey> = participants
            .seats()
            .map(|seat| HostSecretKey::from(copy(participants.host_pen(seat))))
            .collect();
        let random: [u8; 32] = rng.random();
        let steps = hosts.iter().map(|host| participant_step1(host, params, &random).ok());
        let (states, messages): (Vec<_>, Vec<_>) =
            steps.collect::<Option<Vec<_>>>()?.into_iter().unzip();
        let (state, message) = coordinator_step1(&messages, params).ok()?;
        let seconds = hosts.iter().zip(states).map(|(host, state)| {
            participant_step2(host, state, &message, &random).ok().map(|(_, second)| second)
        });
        let seconds: Vec<ParticipantMsg2> = seconds.collect::<Option<_>>()?;
        let transcript = state.transcript().as_bytes();
        let certificate = Certificate::new(&seconds).to_bytes();
        let signature = [[7; 32].as_slice(), &seconds[0].to_bytes()].concat();
        let contents = vec![
            (Kind::Transcript, message.to_bytes()),
            (Kind::Signature, signature),
            (Kind::Certificate, [transcript, &certificate].concat()),
        ];
        Some(Self { id: invitation.id(), contents })
    }
}

impl Coalition {
    pub(super) fn keep(&mut self, bytes: &Arc<[u8]>) {
        if self.recorded.len() < MOST_RECORDED {
            self.recorded.push(bytes.clone());
        }
    }

    /// The messages of the noisy members when it is their turn.
    pub fn turn(&mut self, participants: &Participants) -> Vec<Packet> {
        let noisy: Vec<(Seat, Fault)> =
            self.faults.iter().map(|(seat, fault)| (*seat, *fault)).collect();
        let mut packets = Vec::new();
        for (seat, fault) in noisy {
            match fault {
                Fault::Slanders => packets.extend(self.slander(participants, seat)),
                Fault::Replays => packets.extend(self.replay(participants, seat)),
                Fault::Garbage => {
                    if let Some(&to) = self.honest.choose(&mut self.rng) {
                        packets.extend(self.garbage(participants, seat, to));
                    }
                }
                _ => {}
            }
        }
        packets
    }

    /// One message with a few bits changed, signed anew or not.
    pub(super) fn mutated(
        &mut self,
        participants: &Participants,
        from: Seat,
        envelope: &Envelope,
    ) -> Arc<[u8]> {
        let mut content = envelope.content().to_vec();
        if content.is_empty() || self.rng.random_ratio(1, 2) {
            return envelope.as_bytes().clone();
        }
        let at = self.rng.random_range(0..content.len());
        forging::flip(&mut content, at, 1 << self.rng.random_range(0..8));
        if self.rng.random_ratio(1, 3) {
            content.truncate(at);
        }
        let bytes = participants.seal(from, envelope.kind(), &content);
        if self.rng.random_ratio(3, 4) {
            return bytes;
        }
        let mut bytes = bytes.to_vec();
        forging::flip(&mut bytes, self.rng.random_range(0..100), 1);
        bytes.into()
    }

    pub(super) fn garbage(
        &mut self,
        participants: &Participants,
        from: Seat,
        to: Seat,
    ) -> Vec<Packet> {
        let mut content = vec![0; self.rng.random_range(0..600)];
        self.rng.fill_bytes(&mut content);
        let bytes = match self.rng.random_range(0..3) {
            0 => content.into(),
            1 => participants.seal(from, Kind::Transcript, &content),
            _ => {
                let kinds = [Kind::Transcript, Kind::Certificate, Kind::Investigation, Kind::Want];
                let kind = *kinds.choose(&mut self.rng).unwrap_or(&Kind::Want);
                let params = participants.invitation.params();
                let length = roastery_protocol::keygen::message::Body::exact_length(kind, params);
                content.resize(length.unwrap_or(8), 2);
                participants.seal(from, kind, &content)
            }
        };
        vec![Packet { from, to, bytes }]
    }

    fn slander(&mut self, participants: &Participants, from: Seat) -> Vec<Packet> {
        let Some(&victim) = self.honest.choose(&mut self.rng) else { return Vec::new() };
        let params = participants.invitation.params();
        let hash = self.transcripts.keys().next().copied();
        let hash = *hash.unwrap_or(TranscriptHash::from_bytes([9; 32])).as_bytes();
        let bytes = match self.rng.random_range(0..4) {
            // A refusal: the victim is faulty.
            0 => {
                let [low, high] = victim.to_u16().to_le_bytes();
                participants.seal(from, Kind::Refusal, &[1, low, high])
            }
            // The answer to an investigation that was not asked for.
            1 => {
                let mut content = hash.to_vec();
                content.resize(34 + 65 * params.n(), 0);
                participants.seal(from, Kind::Investigation, &content)
            }
            // Something wrong in the victim's name.
            2 => {
                let own = participants.seal(from, Kind::Signature, &[&hash[..], &[3; 64]].concat());
                let mut bytes = own.to_vec();
                bytes[64 + 34..64 + 36].copy_from_slice(&victim.to_u16().to_le_bytes());
                bytes.into()
            }
            // Questions.
            _ => participants.seal(
                from,
                Kind::Want,
                &[&[self.rng.random_range(1..3)][..], &hash].concat(),
            ),
        };
        to_all(participants, from, &bytes)
    }

    fn replay(&mut self, participants: &Participants, from: Seat) -> Vec<Packet> {
        let mut packets = Vec::new();
        if let Some(bytes) = self.recorded.choose(&mut self.rng).cloned() {
            packets.extend(to_all(participants, from, &bytes));
        }
        if let Some(Foreign { id, contents }) = &self.foreign
            && let Some((kind, content)) = contents.choose(&mut self.rng)
        {
            packets.extend(to_all(
                participants,
                from,
                &participants.seal_in(*id, from, *kind, content),
            ));
            packets.extend(to_all(participants, from, &participants.seal(from, *kind, content)));
        }
        packets
    }
}
