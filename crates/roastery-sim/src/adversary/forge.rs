//! What a coalition makes with its members' keys.

use std::sync::Arc;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use roastery_frost::{
    AggregateNonce, NonceGenInputs, PartialSignature, PublicNonce, SecretNonce, SessionContext,
    danger, nonce_agg, sign,
};
use roastery_protocol::{
    Attempt, Seat, SessionId, SlotHash,
    message::{Body, Envelope, Header, SigningPackage, Slot},
};

use super::View;

/// Secret nonces that a coalition has drawn itself, one for each message.
pub(super) type Secrets = Vec<SecretNonce>;

impl View<'_> {
    /// The session.
    pub(super) fn session(&self) -> SessionId {
        self.request.session_id()
    }

    /// How many messages are signed.
    pub(super) fn messages(&self) -> usize {
        self.shape.messages()
    }

    /// The most packages, n - t + 1.
    pub(super) fn most_packages(&self) -> usize {
        self.members.group.most_packages()
    }

    /// The seats that coordinate this attempt.
    pub(super) fn coordinator(&self, attempt: Attempt) -> Seat {
        self.shape.order().coordinator(attempt)
    }

    /// The first attempt that a seat coordinates.
    pub(super) fn first_attempt(&self, seat: Seat) -> usize {
        self.shape.order().position(seat).unwrap_or_default()
    }

    /// A message of this session.
    pub(super) fn seal(&self, sender: Seat, attempt: Attempt, body: &Body) -> Arc<[u8]> {
        self.seal_elsewhere(sender, self.session(), attempt.number(), body)
    }

    /// A message of any session of the group and of any attempt.
    pub(super) fn seal_elsewhere(
        &self,
        sender: Seat,
        session: SessionId,
        attempt: u32,
        body: &Body,
    ) -> Arc<[u8]> {
        let group = self.members.group.id();
        let header = Header::new(body.kind(), group, session, attempt, sender.to_u16());
        Envelope::seal(header, body, self.members.identity(sender)).as_bytes().clone()
    }

    /// A sound message, with its content.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<(Envelope, Attempt, Body)> {
        let envelope = Envelope::parse(bytes).ok()?;
        if envelope.header().session != self.session() {
            return None;
        }
        let (attempt, body) = self.shape.read(&envelope).ok()?;
        Some((envelope, attempt, body))
    }

    /// The name of a slot.
    pub(super) fn slot_hash(&self, attempt: Attempt, signer: Seat, slot: &Slot) -> SlotHash {
        slot.to_nonces().hash(self.members.group.id(), self.session(), attempt, signer)
    }

    /// The right share of a member for a package that names a slot of its own.
    pub(super) fn sign(
        &self,
        seat: Seat,
        secrets: Secrets,
        package: &SigningPackage,
    ) -> Option<Vec<PartialSignature>> {
        let signers = self.members.group.keys().signers(&package.seats()).ok()?;
        let entries = self.request.messages().iter().zip(&package.aggregates);
        secrets
            .into_iter()
            .zip(entries)
            .map(|(secret, (entry, aggregate))| {
                let tweaks = entry.derivation.tweaks(&self.members.group).ok()?;
                let context =
                    SessionContext::new(&signers, aggregate, &tweaks, &entry.message).ok()?;
                sign(secret, &self.members.share(seat), seat, &context).ok()
            })
            .collect()
    }
}

/// Other scalars: all of them right but one, which is wrong by a power of two that is this seat's
/// own. So the errors of several members never cancel.
pub(super) fn spoiled(scalars: &[PartialSignature], seat: Seat) -> Vec<PartialSignature> {
    let mut scalars = scalars.to_vec();
    let position = seat.index() % scalars.len().max(1);
    if let Some(scalar) = scalars.get_mut(position) {
        let mut bytes = scalar.to_bytes();
        bytes[31 - seat.index() / 8] ^= 1 << (seat.index() % 8);
        // Out of range with a probability of 2^-127.
        *scalar = PartialSignature::from_bytes(&bytes).expect("a scalar beside a scalar");
    }
    scalars
}

/// Fresh nonces with their secrets.
pub(super) fn draw(rng: &mut ChaCha8Rng, messages: usize) -> (Secrets, Slot) {
    let (secrets, public): (Vec<SecretNonce>, Vec<PublicNonce>) = (0..messages)
        .map(|_| {
            let random: [u8; 32] = rng.random();
            danger::nonce_gen_with(&random, &NonceGenInputs::default())
                .expect("zero has a probability of 2^-256")
        })
        .unzip();
    (secrets, Slot(public))
}

/// An aggregate nonce that is the sum of no nonces that were sent.
pub(super) fn other_aggregates(rng: &mut ChaCha8Rng, messages: usize) -> Vec<AggregateNonce> {
    draw(rng, messages).1.0.iter().map(|nonce| nonce_agg([nonce])).collect()
}
