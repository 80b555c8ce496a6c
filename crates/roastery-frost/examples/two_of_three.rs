//! Two of three sign a Taproot key-path spend, and a third share that was tampered with is found.
//!
//! Run with `cargo run -p roastery-frost --example two_of_three`.

use roastery_frost::hash::tagged_hash;
use roastery_frost::{
    AggregateError, NonceGenInputs, PartialSignature, Seat, SessionContext, Tweak, TweakContext,
    danger_trusted_dealer, nonce_agg, nonce_gen, sign,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = getrandom::SysRng;
    let sighash = [0x42; 32];

    // Key generation. A dealer knows the whole key: good for an example and for nothing else.
    let (group, shares) = danger_trusted_dealer::deal(2, 3, &mut rng)?;

    // BIP-341: the output key commits to an unspendable script path.
    let internal = TweakContext::new(group.threshold_public_key());
    let tap_tweak = tagged_hash("TapTweak", &[&internal.x_only_public_key().to_bytes()]);
    let tweaks = internal.apply(&Tweak::XOnly(tap_tweak))?;
    println!("output key   {}", tweaks.x_only_public_key());

    // Round one.
    let seats = [Seat::new(0)?, Seat::new(2)?];
    let output_key = tweaks.x_only_public_key().to_bytes();
    let mut secret_nonces = Vec::new();
    let mut public_nonces = Vec::new();
    for seat in seats {
        let share = &shares[seat.index()];
        let inputs = NonceGenInputs {
            secret_share: Some(share),
            seat: Some(seat),
            public_share: Some(&share.public_share().serialize()),
            threshold_public_key: Some(&output_key),
            message: Some(&sighash),
            extra_in: None,
        };
        let (secret, public) = nonce_gen(&mut rng, &inputs)?;
        secret_nonces.push(secret);
        public_nonces.push(public);
    }

    // Round two.
    let aggregate = nonce_agg(&public_nonces);
    let signers = group.signers(&seats)?;
    let session = SessionContext::new(&signers, &aggregate, &tweaks, &sighash)?;
    let mut psigs = Vec::new();
    for (seat, nonce) in seats.into_iter().zip(secret_nonces) {
        psigs.push(sign(nonce, &shares[seat.index()], seat, &session)?);
    }
    let signature = session.aggregate_verified(&psigs)?;
    println!("signature    {signature}");

    // Had seat 2 sent something else, the aggregate would fail and its share would be found.
    psigs[1] = PartialSignature::from_bytes(&[7; 32])?;
    assert_eq!(session.aggregate_verified(&psigs), Err(AggregateError::Invalid));
    for ((psig, nonce), seat) in psigs.iter().zip(&public_nonces).zip(seats) {
        match session.verify(psig, nonce, seat) {
            Ok(()) => println!("seat {seat}       its share is valid"),
            Err(error) => println!("seat {seat}       {error}"),
        }
    }
    Ok(())
}
