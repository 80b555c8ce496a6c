//! Proofs of possession: BIP-340 signatures under tags of their own.

use secp::MaybePoint;
use zeroize::Zeroizing;

use super::ParticipantFault;
use crate::Seat;
use crate::hash::tagged_hash;
use crate::schnorr::{self, Tags};
use crate::secret_scalar::SecretScalar;

const TAGS: Tags = Tags {
    aux: "BIP DKG/pop message/aux",
    nonce: "BIP DKG/pop message/nonce",
    challenge: "BIP DKG/pop message/challenge",
};

/// *pop_prove*: proves that the participant knows `secret`; in constant time.
///
/// `None` with probability 1 in the group order.
pub(super) fn pop_prove(
    seed: &[u8; 32],
    secret: &SecretScalar,
    participant: Seat,
) -> Option<[u8; 64]> {
    let message = u32::from(participant).to_be_bytes();
    let aux_rand = Zeroizing::new(tagged_hash("BIP DKG/simplpedpop aux", &[seed]));
    schnorr::sign(&TAGS, secret, &message, &aux_rand)
}

/// Checks that a commitment to a secret is one, and that the participant knows the secret:
/// *pop_verify*.
pub(super) fn check_pop(
    pop: &[u8; 64],
    com_to_secret: MaybePoint,
    participant: Seat,
) -> Result<(), ParticipantFault> {
    let MaybePoint::Valid(com_to_secret) = com_to_secret else {
        return Err(ParticipantFault::Commitment);
    };
    let message = u32::from(participant).to_be_bytes();
    if !schnorr::verify(TAGS.challenge, com_to_secret, &[&message], pop) {
        return Err(ParticipantFault::ProofOfPossession);
    }
    Ok(())
}
