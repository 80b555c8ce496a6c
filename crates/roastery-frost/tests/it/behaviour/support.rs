//! A reproducible random generator and whole signing runs.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use roastery_frost::hash::tagged_hash;
use roastery_frost::{
    GroupKeys, NonceGenInputs, PartialSignature, PublicNonce, Scalar, Seat, SecretNonce,
    SecretShare, SessionContext, TweakContext, danger_trusted_dealer, nonce_agg, nonce_gen, sign,
};

/// Hashes of a seed and a counter.
pub(crate) struct TestRng {
    seed: u64,
    counter: u64,
}

impl TestRng {
    pub(crate) fn new(seed: u64) -> TestRng {
        TestRng { seed, counter: 0 }
    }

    pub(crate) fn bytes(&mut self) -> [u8; 32] {
        self.counter += 1;
        let parts: [&[u8]; 2] = [&self.seed.to_be_bytes(), &self.counter.to_be_bytes()];
        tagged_hash("test rng", &parts)
    }

    /// `items` in random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let random = u64::from_be_bytes(self.bytes()[..8].try_into().expect("8 bytes"));
            items.swap(i, (random % (i as u64 + 1)) as usize);
        }
    }
}

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_be_bytes(self.bytes()[..4].try_into().expect("4 bytes")))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(self.bytes()[..8].try_into().expect("8 bytes")))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            let random = self.bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

pub(crate) fn seat(id: u32) -> Seat {
    Seat::new(id).expect("a seat")
}

pub(crate) fn deal(t: usize, n: usize, rng: &mut TestRng) -> (GroupKeys, Vec<SecretShare>) {
    danger_trusted_dealer::deal(t, n, rng).expect("a group")
}

/// The first `count` seats of a random order of all.
pub(crate) fn some_seats(n: usize, count: usize, rng: &mut TestRng) -> Vec<Seat> {
    let mut seats: Vec<Seat> = (0..n as u32).map(seat).collect();
    rng.shuffle(&mut seats);
    seats.truncate(count);
    seats
}

/// A signing run with one share per signer.
pub(crate) struct Run {
    pub(crate) seats: Vec<Seat>,
    pub(crate) nonces: Vec<PublicNonce>,
    pub(crate) session: SessionContext,
    pub(crate) psigs: Vec<PartialSignature>,
}

impl Run {
    pub(crate) fn new(
        group: &GroupKeys,
        shares: &[SecretShare],
        seats: &[Seat],
        tweaks: &TweakContext,
        message: &[u8],
        rng: &mut TestRng,
    ) -> Run {
        let inputs = NonceGenInputs { message: Some(message), ..Default::default() };
        let nonces = seats.iter().map(|_| nonce_gen(rng, &inputs).expect("a nonce").0).collect();
        Run::with_nonces(group, shares, seats, tweaks, message, nonces)
    }

    pub(crate) fn with_nonces(
        group: &GroupKeys,
        shares: &[SecretShare],
        seats: &[Seat],
        tweaks: &TweakContext,
        message: &[u8],
        secret_nonces: Vec<SecretNonce>,
    ) -> Run {
        let nonces: Vec<PublicNonce> =
            secret_nonces.iter().map(|nonce| nonce.public_nonce().clone()).collect();
        let signers = group.signers(seats).expect("signers");
        let session =
            SessionContext::new(&signers, &nonce_agg(&nonces), tweaks, message).expect("a session");
        let psigs = secret_nonces
            .into_iter()
            .zip(seats)
            .map(|(nonce, &seat)| {
                sign(nonce, &shares[seat.index()], seat, &session).expect("a share")
            })
            .collect();
        Run { seats: seats.to_vec(), nonces, session, psigs }
    }

    /// The seats whose shares do not verify.
    pub(crate) fn culprits(&self) -> Vec<Seat> {
        let shares = self.psigs.iter().zip(&self.nonces).zip(&self.seats);
        shares
            .filter(|((psig, nonce), seat)| self.session.verify(psig, nonce, **seat).is_err())
            .map(|(_, seat)| *seat)
            .collect()
    }
}

/// The group order plus `offset`, 32 bytes.
pub(crate) fn order_plus(offset: i8) -> [u8; 32] {
    let mut bytes = Scalar::max().serialize();
    // The order ends in 0x41, so a small offset stays in the last byte.
    bytes[31] = 0x41u8.wrapping_add_signed(offset);
    bytes
}
