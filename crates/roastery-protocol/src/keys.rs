//! The secret keys of a seat that sign statements (the secret share of the threshold key is another
//! thing and stays in the engine).
//!
//! Both sign tagged hashes under the project's own tags and nothing else: no method takes bytes to
//! be signed that a peer or a caller chose. The signatures are BIP-340's without auxiliary
//! randomness (32 zero bytes), which BIP-340 allows: the same statement has the same bytes, as a
//! retransmission must. Signing is constant time in the key (libsecp256k1); both keys are zeroized
//! on drop and show nothing in `Debug`.

use roastery_frost::{
    Point, Seat, SecretShare, Signature, SigningKey, XOnlyPublicKey, chilldkg::HostSecretKey,
};

use zeroize::Zeroizing;

use crate::{
    PlanId,
    group::{Group, NamedMember, PeerId, SeatKeysError, binding_digest},
    tags::Tag,
};

const NO_AUXILIARY_RANDOMNESS: [u8; 32] = [0; 32];

/// A seat's identity key: signs envelopes, and the card that names it.
#[derive(Debug)]
pub struct IdentityKey(SigningKey);

impl IdentityKey {
    /// The identity key with this secret.
    pub fn new(key: SigningKey) -> Self {
        Self(key)
    }

    /// The identity key of a further seat of the same node, by its number among the node's seats.
    /// It follows from this key, so that a node whose number of seats grows has it in every backup.
    /// None for a number whose hash is no key, which happens with probability 2^-127.
    pub fn further(&self, number: u16) -> Option<Self> {
        let secret = self.0.expose_bytes();
        let hash = Tag::FurtherIdentity.hash(&[secret.as_ref(), &number.to_le_bytes()]);
        SigningKey::from_bytes(Zeroizing::new(hash)).ok().map(Self)
    }

    /// The x-only public key, as the roster holds it.
    pub fn public_key(&self) -> XOnlyPublicKey {
        self.0.public_key()
    }

    /// Signs that this key is the one on this card.
    pub fn sign_card(&self, card: &NamedMember) -> Signature {
        self.0.sign(&card.identity_digest(), &NO_AUXILIARY_RANDOMNESS)
    }

    pub(crate) fn sign(&self, tag: Tag, body: &[u8]) -> Signature {
        self.0.sign(&tag.hash(&[body]), &NO_AUXILIARY_RANDOMNESS)
    }
}

/// A seat's host key: made for key generation and recovery, offline otherwise. Beside these it
/// signs two things: the binding of identity key and transport peer to the seat, and that its
/// holder accepts a plan.
#[derive(Debug)]
pub struct HostKey(SigningKey);

impl HostKey {
    /// The host key with this secret.
    pub fn new(key: SigningKey) -> Self {
        Self(key)
    }

    /// The public key in the plain form that ChillDKG and the roster use.
    pub fn public_key(&self) -> Point {
        self.0.plain_public_key()
    }

    /// Signs that the holder of this key accepts a plan as the member of this new seat. A host key
    /// accepts one plan, ever.
    pub fn accept(&self, plan: PlanId, seat: Seat) -> Signature {
        self.0.sign(&acceptance_digest(plan, seat), &NO_AUXILIARY_RANDOMNESS)
    }

    /// Signs that this host's seat uses this identity key and this transport peer. Of two
    /// bindings the one with the higher sequence number counts.
    pub fn bind(&self, identity_key: &XOnlyPublicKey, peer: &PeerId, sequence: u64) -> Signature {
        let digest = binding_digest(&self.public_key(), identity_key, peer, sequence);
        self.0.sign(&digest, &NO_AUXILIARY_RANDOMNESS)
    }
}

impl HostKey {
    /// The key as the arithmetic of a change takes it.
    pub(crate) fn for_change(&self) -> HostSecretKey {
        HostSecretKey::from_bytes(self.0.expose_bytes()).expect("a signing key is in range")
    }
}

/// For ChillDKG, which signs its transcript with this key and nothing else.
impl From<HostKey> for HostSecretKey {
    fn from(host: HostKey) -> Self {
        HostSecretKey::from(host.0)
    }
}

/// What a new member's host key signs when its holder accepts a plan (tag
/// `roastery/1/change/acceptance`): plan id (32 bytes) || new seat (2, little-endian).
pub fn acceptance_digest(plan: PlanId, seat: Seat) -> [u8; 32] {
    Tag::Acceptance.hash(&[plan.as_bytes(), &seat.to_u16().to_le_bytes()])
}

impl Group {
    /// Checks that a node's own keys are those of its seat.
    ///
    /// # Errors
    ///
    /// [`SeatKeysError`] names the key that is not the one in the group.
    pub fn check_seat_keys(
        &self,
        seat: Seat,
        identity: &IdentityKey,
        share: &SecretShare,
    ) -> Result<(), SeatKeysError> {
        let members = self.size();
        let member = self.member(seat).ok_or(SeatKeysError::NoSuchSeat { seat, members })?;
        if member.identity_key != identity.public_key() {
            return Err(SeatKeysError::Identity { seat });
        }
        if !share.matches(self.keys(), seat) {
            return Err(SeatKeysError::Share { seat });
        }
        Ok(())
    }
}
