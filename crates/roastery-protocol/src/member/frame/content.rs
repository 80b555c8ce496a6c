//! What the bodies of signing carry, by kind: statements first, then control frames.

use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{AggregateNonce, PartialSignature, Seat, Signature};

use crate::{
    BodyHash, GroupId, SessionId, SlotHash,
    member::{Incarnation, Run},
    request::RefusalReason,
    tags::Tag,
    wire,
};

/// The most slots that are shown in one frame.
pub const MAX_BATCH: usize = 64;

/// The most sessions that one Ready lists.
pub const MAX_READY: usize = 256;

/// The name of the slots that a package takes of one signer: the tagged hash (`roastery/2/slots`)
/// of group (32 bytes), coordinator (2, little-endian), signer (2) and the nonces, one for each
/// message of the request (66 each).
pub fn slot_hash(group: GroupId, coordinator: Seat, signer: Seat, nonces: &[[u8; 66]]) -> SlotHash {
    let coordinator = coordinator.to_u16().to_le_bytes();
    let signer = signer.to_u16().to_le_bytes();
    let parts = [&group.as_bytes()[..], &coordinator, &signer, nonces.as_flattened()];
    SlotHash::from_bytes(Tag::NamedSlots.hash(&parts))
}

/// The slots of one signer that one package names, as bytes (66 each), not yet checked to be
/// points. Their number is the request's number of messages.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NamedSlots(
    #[borsh(deserialize_with = "wire::take_at_most::<{ MAX_BATCH as u32 }, _, _>")]
    pub  Vec<[u8; 66]>,
);

/// A coordinator's statement of which seats sign, with which slots and aggregate nonces.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SigningPackage {
    /// The coordinator's reign.
    pub run: Run,
    /// The package's number in this run, at most n - t.
    pub number: u16,
    /// Exactly t signers in ascending order, each with the slots that it is to use.
    #[borsh(deserialize_with = "wire::take_at_most::<128, _, _>")]
    pub signers: Vec<SignerSlots>,
    /// One aggregate nonce for each message; infinity is allowed, as BIP-445 has it.
    #[borsh(serialize_with = "wire::put_list", deserialize_with = "wire::take_list")]
    pub aggregates: Vec<AggregateNonce>,
}

/// One signer of a package and the slots that it is to use: as many as the request has messages,
/// from `first` on.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct SignerSlots {
    /// The signer's seat.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub seat: Seat,
    /// The index of the first slot, in the signer's present incarnation.
    pub first: u32,
    /// The hash that names the slots ([`slot_hash`]).
    pub hash: SlotHash,
}

impl SigningPackage {
    /// The slots that this seat is to use, if it is one of the signers.
    pub fn entry_of(&self, seat: Seat) -> Option<&SignerSlots> {
        let at = self.signers.binary_search_by_key(&seat, |entry| entry.seat).ok()?;
        Some(&self.signers[at])
    }

    /// The signers in ascending order.
    pub fn seats(&self) -> Vec<Seat> {
        self.signers.iter().map(|entry| entry.seat).collect()
    }
}

/// A signer's answer to a package.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SignatureShare {
    /// The body hash of the package that it answers.
    pub package: BodyHash,
    /// One partial signature for each message.
    #[borsh(serialize_with = "wire::put_list", deserialize_with = "wire::take_list")]
    pub scalars: Vec<PartialSignature>,
}

/// The outcome: one BIP-340 signature for each message. It proves itself; its sender does not
/// matter.
#[derive(Clone, Debug, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct FinalSignature {
    /// The body hash of the package that led to it, as the sender says. It is a hint, and may be
    /// wrong.
    pub package: BodyHash,
    /// The signatures, in the order of the messages.
    #[borsh(serialize_with = "wire::put_list", deserialize_with = "wire::take_list")]
    pub signatures: Vec<Signature>,
}

/// States that a member does not take part in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Refusal {
    /// The member's incarnation.
    pub incarnation: Incarnation,
    /// The member's counter of the session, which goes up at each change of mind. Ready has the
    /// same counter.
    pub counter: u32,
    /// Why it does not take part.
    pub reason: RefusalReason,
}

/// Shows slots to the coordinator to whom the frame is addressed. It belongs to the group and to no
/// session.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Slots {
    /// The signer's incarnation, within which indexes count.
    pub incarnation: Incarnation,
    /// The least index that the signer still holds, or the next index if it holds none: every slot
    /// below is void.
    pub oldest: u32,
    /// The index of the first nonce.
    pub first: u32,
    /// Public nonces of consecutive indexes, as bytes: none, to tell `oldest` alone, to
    /// [`MAX_BATCH`]. The index after the last one is at most 2^32 - 1.
    #[borsh(deserialize_with = "wire::take_at_most::<{ MAX_BATCH as u32 }, _, _>")]
    pub nonces: Vec<[u8; 66]>,
}

/// Says to a coordinator which sessions are open at the sender. It belongs to the group and to no
/// session.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ready {
    /// The signer's incarnation.
    pub incarnation: Incarnation,
    /// The least index that the signer still holds for this coordinator, as in [`Slots`].
    pub oldest: u32,
    /// The sessions: 1 to [`MAX_READY`].
    #[borsh(deserialize_with = "take_sessions")]
    pub sessions: Vec<ReadySession>,
}

/// A session that is open at the sender of a Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReadySession {
    /// The session.
    pub session: SessionId,
    /// The sender's counter of the session, which goes up at each change of mind.
    pub counter: u32,
    /// The newest package of this coordinator that names the sender, if the sender can never answer
    /// it.
    pub cannot: Option<Cannot>,
}

/// A package that a signer can never answer: its slots are void, or of another incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Cannot {
    /// The package's run.
    pub run: Run,
    /// The package's number in it.
    pub number: u16,
}

/// What the sender asks for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Want {
    /// New slots for the sender. It belongs to the group and to no session.
    Slots,
    /// Whether the session is open at the receiver.
    Ready,
    /// The package of this name.
    Package(BodyHash),
    /// The receiver's share for the package of this name.
    Share(BodyHash),
    /// The nonces of the receiver's slots of this name.
    Nonces(SlotHash),
    /// The final signatures.
    Outcome,
}

/// Shows the nonces of the sender's slots that a package names.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Nonces {
    /// The name of the slots.
    pub hash: SlotHash,
    /// The nonces, as bytes.
    pub nonces: NamedSlots,
}

fn take_sessions<R: io::Read>(reader: &mut R) -> io::Result<Vec<ReadySession>> {
    let sessions = wire::take_at_most::<{ MAX_READY as u32 }, _, R>(reader)?;
    if sessions.is_empty() {
        let why = "a list of 0 sessions; at least 1 is needed";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(sessions)
}
