use secp::{G, MaybePoint, MaybeScalar, Point};

use super::DegenerateKey;
use crate::GroupKeys;
use crate::evaluation::evaluate;
use crate::hash::tagged_hash;

/// The public outcome of a session, from the summed commitments.
pub(super) struct Outcome {
    /// What is added to the shared secret, and so to every share.
    pub(super) tweak: MaybeScalar,
    pub(super) threshold_pubkey: Point,
    /// The public shares with the tweak, by participant.
    pub(super) pubshares: Vec<MaybePoint>,
}

impl Outcome {
    pub(super) fn new(sum_coms: &[MaybePoint], n: usize) -> Result<Outcome, DegenerateKey> {
        let (tweak, threshold_pubkey) = taproot_tweak(sum_coms)?;
        let mut tweaked = sum_coms.to_vec();
        tweaked[0] = threshold_pubkey.into();
        Ok(Outcome { tweak, threshold_pubkey, pubshares: evaluate(&tweaked, n) })
    }

    pub(super) fn into_group(self, t: usize) -> Result<GroupKeys, DegenerateKey> {
        let pubshares: Option<Vec<Point>> =
            self.pubshares.into_iter().map(MaybePoint::into_option).collect();
        let pubshares = pubshares.ok_or(DegenerateKey)?;
        Ok(GroupKeys::on_one_polynomial(t, self.threshold_pubkey, pubshares))
    }
}

/// What is added to the shared secret, so that the threshold public key, which is returned with it,
/// commits to an unspendable script path: *invalid_taproot_commit*.
pub(super) fn taproot_tweak(
    sum_coms: &[MaybePoint],
) -> Result<(MaybeScalar, Point), DegenerateKey> {
    let untweaked = sum_coms[0].into_option().ok_or(DegenerateKey)?;
    let tweak = tagged_hash("TapTweak", &[&untweaked.serialize_xonly()]);
    let tweak = MaybeScalar::from_slice(&tweak).map_err(|_| DegenerateKey)?;
    let threshold_pubkey = (untweaked + tweak * G).into_option().ok_or(DegenerateKey)?;
    Ok((tweak, threshold_pubkey))
}
