//! A signature by some members of a group, without a session between them.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use roastery_frost::{
    GroupKeys, NonceGenInputs, SecretShare, SessionContext, TweakContext, nonce_agg, nonce_gen,
    sign,
};
use roastery_protocol::Seat;

/// These seats sign a message with their shares. Nothing if it comes to no valid signature.
pub(crate) fn sign_with(
    keys: &GroupKeys,
    shares: &BTreeMap<Seat, SecretShare>,
    seats: &[Seat],
    rng: &mut ChaCha8Rng,
) -> Option<()> {
    let message = b"these shares are of one key";
    let inputs = NonceGenInputs { message: Some(message), ..NonceGenInputs::default() };
    let nonces = seats.iter().map(|_| nonce_gen(rng, &inputs).ok());
    let (secret, public): (Vec<_>, Vec<_>) =
        nonces.collect::<Option<Vec<_>>>()?.into_iter().unzip();
    let aggregate = nonce_agg(&public);
    let signers = keys.signers(seats).ok()?;
    let tweaks = TweakContext::new(keys.threshold_public_key());
    let session = SessionContext::new(&signers, &aggregate, &tweaks, message).ok()?;
    let parts = secret
        .into_iter()
        .zip(seats)
        .map(|(nonce, seat)| sign(nonce, shares.get(seat)?, *seat, &session).ok());
    let parts: Vec<_> = parts.collect::<Option<_>>()?;
    let signature = session.aggregate_verified(&parts).ok()?;
    signature.verify(&session.public_key(), message).then_some(())
}
