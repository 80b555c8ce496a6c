use secp::{MaybePoint, MaybeScalar, Point, Scalar};

use super::{ChangeParams, Dealing, DealingHead};
use crate::evaluation::evaluate;
use crate::hash::tagged_hash;
use crate::lagrange::Lagrange;
use crate::{GroupKeys, MAX_SEATS, Seat, Signature, schnorr};

/// The public outcome of a change, which all new members sign: *t* dealings, weighted and summed.
///
/// 32 bytes of plan id, 67 for each of *t* dealings in the order of their dealers, the summed
/// commitments, and the summed encrypted shares: 32 + 67 *t* + 33 (*t'* - 1) + 32 *n'* bytes. The
/// dealers' signatures are kept beside it and are no part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transcript {
    params: ChangeParams,
    parts: Parts,
    bytes: Vec<u8>,
    hash: [u8; 32],
    group: GroupKeys,
}

/// What a transcript is made of, with the dealers' signatures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Parts {
    /// *t* heads, by dealer, each with the signature by the dealer's share.
    pub(super) heads: Vec<(DealingHead, Signature)>,
    /// The summed commitments to the coefficients above the constant one.
    pub(super) sum_coms: Vec<MaybePoint>,
    /// The summed encrypted shares, by new seat.
    pub(super) enc_secshares: Vec<MaybeScalar>,
}

impl Transcript {
    /// The length of every transcript of the change, in bytes.
    pub fn len_bytes(params: &ChangeParams) -> usize {
        let heads = DealingHead::LEN_BYTES * params.old().threshold();
        32 + heads + 33 * (params.t() - 1) + 32 * params.n()
    }

    /// The transcript of exactly *t* dealings, in any order.
    ///
    /// Costs *t* (*t'* - 1) point multiplications, not in constant time: all inputs are public.
    ///
    /// # Errors
    ///
    /// [`TranscriptError`] if these are not *t* dealings of *t* dealers in this change, or if no
    /// key follows from them: then other dealers must be chosen.
    pub fn new(
        params: &ChangeParams,
        dealings: &[&Dealing],
    ) -> Result<Transcript, TranscriptError> {
        let mut dealings = dealings.to_vec();
        dealings.sort_by_key(|dealing| dealing.dealer());
        check_choice(params, &dealings)?;
        let heads: Vec<_> = dealings.iter().map(|d| (*d.head(), *d.signature())).collect();
        let weights = weights(&heads);
        let sum_coms = (0..params.t() - 1).map(|k| {
            let terms = dealings.iter().zip(&weights);
            let terms = terms.map(|(d, &w)| d.content().commitments[k] * w);
            Point::sum(terms.collect::<Vec<Point>>())
        });
        let sum_coms = sum_coms.collect();
        let enc_secshares = params.members().map(|receiver| {
            let terms = dealings.iter().zip(&weights);
            terms.map(|(d, &w)| d.content().enc_shares[receiver.index()] * w).sum()
        });
        let enc_secshares = enc_secshares.collect();
        Ok(Transcript::from_parts(params, Parts { heads, sum_coms, enc_secshares })?)
    }

    /// The heads must be of *t* different dealers, ascending and verified, and the lists have the
    /// lengths that the parameters give.
    pub(super) fn from_parts(
        params: &ChangeParams,
        parts: Parts,
    ) -> Result<Transcript, DegenerateChoice> {
        if parts.sum_coms.last().is_none_or(MaybePoint::is_infinity) {
            return Err(DegenerateChoice::TopCoefficient);
        }
        let group = new_group(params, &parts.sum_coms)?;
        let mut bytes = params.plan().to_vec();
        parts.heads.iter().for_each(|(head, _)| bytes.extend_from_slice(&head.to_bytes()));
        parts.sum_coms.iter().for_each(|point| bytes.extend_from_slice(&point.serialize()));
        parts.enc_secshares.iter().for_each(|c| bytes.extend_from_slice(&c.serialize()));
        let hash = Transcript::hash_of(&bytes);
        Ok(Transcript { params: params.clone(), parts, bytes, hash, group })
    }

    pub(super) fn hash_of(bytes: &[u8]) -> [u8; 32] {
        tagged_hash("roastery/1/change/transcript", &[bytes])
    }

    /// The parameters of the change.
    pub fn params(&self) -> &ChangeParams {
        &self.params
    }

    /// The transcript's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The transcript hash, 32 bytes: what each new member signs with its host key.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The heads of the dealings that count, by dealer; *t* of them.
    pub fn heads(&self) -> impl ExactSizeIterator<Item = &DealingHead> {
        self.parts.heads.iter().map(|(head, _)| head)
    }

    /// The keys of the new group: the new threshold, the old threshold public key, and the new
    /// public shares, by new seat.
    ///
    /// They are the keys of a group only with a [`Certificate`](super::Certificate).
    pub fn group(&self) -> &GroupKeys {
        &self.group
    }

    /// Whether this is the signature of the new member `member` of this transcript.
    #[must_use]
    pub fn verify_signature(&self, member: Seat, signature: &Signature) -> bool {
        let Some(&key) = self.params.points().get(member.index()) else { return false };
        schnorr::verify("BIP0340/challenge", key, &[&self.hash], &signature.to_bytes())
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The weight of each head, in their order.
    pub(super) fn weights(&self) -> Vec<Scalar> {
        weights(&self.parts.heads)
    }
}

/// The keys at 1 to *n'* of the polynomial whose constant term is the threshold public key.
fn new_group(
    params: &ChangeParams,
    sum_coms: &[MaybePoint],
) -> Result<GroupKeys, DegenerateChoice> {
    let key = params.old().threshold_public_key();
    let coefficients = [&[MaybePoint::Valid(key)], sum_coms].concat();
    let shares = params.members().zip(evaluate(&coefficients, params.n()));
    let shares = shares
        .map(|(member, share)| share.into_option().ok_or(DegenerateChoice::PublicShare { member }))
        .collect::<Result<_, _>>()?;
    Ok(GroupKeys::on_one_polynomial(params.t(), key, shares))
}

/// The interpolating values at zero of the dealers of these heads.
fn weights(heads: &[(DealingHead, Signature)]) -> Vec<Scalar> {
    let mut present = [false; MAX_SEATS];
    heads.iter().for_each(|(head, _)| present[head.dealer.index()] = true);
    let lagrange = Lagrange::new(&present);
    heads.iter().map(|(head, _)| lagrange.value(head.dealer.x())).collect()
}

/// Whether these dealings, sorted by dealer, are *t* of *t* dealers in this change.
fn check_choice(params: &ChangeParams, dealings: &[&Dealing]) -> Result<(), TranscriptError> {
    let (got, expected) = (dealings.len(), params.old().threshold());
    if got != expected {
        return Err(TranscriptError::Count { got, expected });
    }
    if let Some(other) = dealings.iter().find(|dealing| dealing.params() != params) {
        return Err(TranscriptError::OtherChange { dealer: other.dealer() });
    }
    match dealings.windows(2).find(|pair| pair[0].dealer() == pair[1].dealer()) {
        Some(pair) => Err(TranscriptError::Duplicate { dealer: pair[0].dealer() }),
        None => Ok(()),
    }
}

/// Why dealings make no transcript.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TranscriptError {
    /// The number of dealings is not the old threshold.
    #[error("{got} dealings, exactly {expected} are needed")]
    Count {
        /// The number of dealings.
        got: usize,
        /// The threshold of the old group.
        expected: usize,
    },
    /// A dealing belongs to another change.
    #[error("the dealing of old seat {dealer} belongs to another change")]
    OtherChange {
        /// The old seat that dealt.
        dealer: Seat,
    },
    /// A dealer is there twice.
    #[error("two dealings of old seat {dealer}")]
    Duplicate {
        /// The old seat that dealt.
        dealer: Seat,
    },
    /// No key follows from these dealings.
    #[error("{0}")]
    Degenerate(#[from] DegenerateChoice),
}

/// The chosen dealings give a point at infinity where a key must be. Another choice of dealers is
/// to be taken. Honest dealers get there by chance with probability 1 in the group order, and no
/// dealer can be named.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DegenerateChoice {
    /// The summed commitment to the highest coefficient: the threshold would be lower.
    #[error("the highest summed commitment is the point at infinity: take other dealers")]
    TopCoefficient,
    /// A new public share.
    #[error("the public share of new seat {member} is the point at infinity: take other dealers")]
    PublicShare {
        /// The new seat.
        member: Seat,
    },
}
