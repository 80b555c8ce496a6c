use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use roastery_frost::{
    Seat,
    chilldkg::{HostSecretKey, ParticipantMsg1, Step1Error, participant_step1},
};
use thiserror::Error;

use super::{
    Fixed, Invitation, Keygen, Phase, Secrets, Seed, Settings,
    first_messages::FirstMessages,
    message::{Body, Envelope},
    seed::Draw,
    signing::Signing,
    transcripts::Transcripts,
};
use crate::{
    SessionId, TranscriptHash,
    clock::Moment,
    election::Order,
    keys::{HostKey, IdentityKey},
    machine::{ReplyLimiter, Schedule},
};

/// Everything that a key generation needs to be opened.
#[derive(Debug)]
pub struct Opening {
    /// The invitation that all members agreed on.
    pub invitation: Invitation,
    /// The host key of this node's seat.
    pub host: HostKey,
    /// The identity key that signs this seat's messages; it must be the one on its card.
    pub identity: Arc<IdentityKey>,
    /// The random bytes of this node and key generation. They are stored before the key generation
    /// is opened, and the same ones open it again.
    pub seed: Seed,
    /// The transcript that this node has stored as signed
    /// ([`Output::Persist`](super::Output::Persist)) in this key generation, if any. A node that
    /// leaves it out after a restart can sign two.
    pub signed: Option<TranscriptHash>,
    /// Intervals and time limits.
    pub settings: Settings,
}

/// Why a key generation cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The host key is on no member's card.
    #[error("the host key is that of no member")]
    NotInvited,
    /// The identity key is not the one on the card.
    #[error("seat {seat}: the identity key is not the one on its card")]
    OtherIdentity {
        /// The node's seat.
        seat: Seat,
    },
    /// The seed is one of the few that give no valid first message.
    #[error("the seed is not random")]
    Seed,
}

impl Keygen {
    /// Opens a key generation. This node's seat is that of its host key.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the keys are those of no seat, or the seed is invalid.
    pub fn open(opening: Opening, now: Moment) -> Result<Self, OpenError> {
        let Opening { invitation, host, identity, seed, signed, settings } = opening;
        let secrets = Secrets { host: HostSecretKey::from(host), seed };
        let host_key = secrets.host.hostpubkey_gen();
        let seat = invitation.params().participant_of(&host_key).ok_or(OpenError::NotInvited)?;
        let card = invitation.member(seat).ok_or(OpenError::NotInvited)?;
        if card.identity_key != identity.public_key() {
            return Err(OpenError::OtherIdentity { seat });
        }
        let message = secrets.first_message(&invitation)?;
        let first_message =
            Envelope::seal(invitation.id(), seat, &Body::FirstMessage(message.clone()), &identity);
        let mut first_messages = FirstMessages::new(invitation.params().clone());
        let pubnonce = *message.pubnonce();
        first_messages.enter(seat, message, first_message.clone());
        // Both names are hashes under tags of their own, so that no session has the order of a
        // key generation.
        let order = SessionId::from_bytes(*invitation.id().as_bytes());
        let order = Order::of(order, invitation.seats());
        let longest_envelope = Envelope::longest(&invitation);
        let mut opened = Self {
            secrets: Some(secrets),
            phase: Phase::Running,
            expiry: now.monotonic.saturating_add(settings.lifetime),
            schedule: Schedule::new(invitation.size(), settings.interval, now.monotonic),
            links: BTreeMap::new(),
            coordinating: None,
            first_messages,
            transcripts: Transcripts::default(),
            signing: signed.map_or(Signing::Nothing, Signing::Remembered),
            made: None,
            investigations: BTreeMap::new(),
            collecting: None,
            comparisons: BTreeMap::new(),
            findings: Vec::new(),
            wrong_certificates: BTreeMap::new(),
            refusals: BTreeMap::new(),
            awaited_at_end: Vec::new(),
            disconnected: BTreeSet::new(),
            replies: ReplyLimiter::default(),
            outbox: VecDeque::new(),
            fixed: Fixed {
                invitation,
                seat,
                identity,
                settings,
                order,
                longest_envelope,
                first_message,
                pubnonce,
            },
        };
        opened.escalate(now);
        Ok(opened)
    }
}

impl Secrets {
    /// The first step of ChillDKG, whose outcome is the same each time.
    fn first_message(&self, invitation: &Invitation) -> Result<ParticipantMsg1, OpenError> {
        let random = self.seed.draw(invitation.id(), Draw::Polynomial);
        match participant_step1(&self.host, invitation.params(), &random) {
            Ok((_, message)) => Ok(message),
            Err(Step1Error::Randomness) => Err(OpenError::Seed),
            Err(Step1Error::HostSeckey(_)) => Err(OpenError::NotInvited),
        }
    }
}
