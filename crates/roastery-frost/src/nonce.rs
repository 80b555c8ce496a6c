use std::fmt;

use rand_core::TryCryptoRng;
use secp::{MaybePoint, Point};
use zeroize::Zeroizing;

use crate::curve::decode_maybe_point;
use crate::hash::{TaggedHash, tagged_hash};
use crate::randomness::draw;
use crate::secret_scalar::SecretScalar;
use crate::{RandomnessError, Seat, SecretShare, decode_point};

/// A secret nonce: *secnonce* of BIP-445, for one signature and no more.
///
/// Neither `Clone` nor `Copy`; [`sign`](crate::sign()) takes it by value, and it is overwritten on
/// drop. It has no encoding: a nonce that is stored can be used twice, and that gives the secret
/// share away. The scalars are at one place in memory from the beginning to the end: a move of this
/// value moves a pointer to them, and leaves no copy behind.
pub struct SecretNonce(Box<Parts>);

struct Parts {
    first: SecretScalar,
    second: SecretScalar,
    public: PublicNonce,
}

impl SecretNonce {
    pub(crate) fn new(first: SecretScalar, second: SecretScalar) -> SecretNonce {
        let public = PublicNonce { first: first.public(), second: second.public() };
        SecretNonce(Box::new(Parts { first, second, public }))
    }

    /// The nonce of two scalars whose points the caller has computed before.
    pub(crate) fn of_known_points(
        (first, first_point): (SecretScalar, Point),
        (second, second_point): (SecretScalar, Point),
    ) -> SecretNonce {
        let public = PublicNonce { first: first_point, second: second_point };
        SecretNonce(Box::new(Parts { first, second, public }))
    }

    /// The public nonce that belongs to this secret nonce.
    pub fn public_nonce(&self) -> &PublicNonce {
        &self.0.public
    }

    /// A nonce whose public and secret side do not fit, as after a memory fault.
    #[cfg(test)]
    pub(crate) fn with_public(mut self, public: PublicNonce) -> SecretNonce {
        self.0.public = public;
        self
    }

    pub(crate) fn scalars(&self) -> (&SecretScalar, &SecretScalar) {
        (&self.0.first, &self.0.second)
    }
}

impl fmt::Debug for SecretNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretNonce(..)")
    }
}

/// A public nonce: *pubnonce* of BIP-445, two compressed points, 66 bytes.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct PublicNonce {
    first: Point,
    second: Point,
}

impl PublicNonce {
    /// The nonce of these two points.
    pub fn from_points(first: Point, second: Point) -> PublicNonce {
        PublicNonce { first, second }
    }

    /// Decodes a public nonce. Neither half may be the point at infinity.
    ///
    /// # Errors
    ///
    /// [`NonceError`] names the half that is not a compressed point.
    pub fn from_bytes(bytes: &[u8; 66]) -> Result<PublicNonce, NonceError> {
        let (first, second) = halves(bytes);
        Ok(PublicNonce {
            first: decode_point(&first).map_err(|_| NonceError(NonceHalf::First))?,
            second: decode_point(&second).map_err(|_| NonceError(NonceHalf::Second))?,
        })
    }

    /// The 66 bytes: two compressed points.
    pub fn to_bytes(&self) -> [u8; 66] {
        joined(self.first.serialize(), self.second.serialize())
    }

    pub(crate) fn points(&self) -> (&Point, &Point) {
        (&self.first, &self.second)
    }
}

/// An aggregate nonce: *aggnonce* of BIP-445, 66 bytes. A half that is 33 zero bytes is the point
/// at infinity, which is legal: a signer that commits last can cause it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AggregateNonce {
    first: MaybePoint,
    second: MaybePoint,
}

impl AggregateNonce {
    /// Decodes an aggregate nonce.
    ///
    /// # Errors
    ///
    /// [`NonceError`] names the half that is neither a compressed point nor 33 zero bytes.
    pub fn from_bytes(bytes: &[u8; 66]) -> Result<AggregateNonce, NonceError> {
        let (first, second) = halves(bytes);
        Ok(AggregateNonce {
            first: decode_maybe_point(&first).map_err(|_| NonceError(NonceHalf::First))?,
            second: decode_maybe_point(&second).map_err(|_| NonceError(NonceHalf::Second))?,
        })
    }

    /// The 66 bytes: two compressed points, of which a point at infinity is 33 zero bytes.
    pub fn to_bytes(&self) -> [u8; 66] {
        joined(self.first.serialize(), self.second.serialize())
    }

    pub(crate) fn points(&self) -> (MaybePoint, MaybePoint) {
        (self.first, self.second)
    }
}

fn halves(bytes: &[u8; 66]) -> ([u8; 33], [u8; 33]) {
    let (mut first, mut second) = ([0; 33], [0; 33]);
    first.copy_from_slice(&bytes[..33]);
    second.copy_from_slice(&bytes[33..]);
    (first, second)
}

fn joined(first: [u8; 33], second: [u8; 33]) -> [u8; 66] {
    let mut bytes = [0; 66];
    bytes[..33].copy_from_slice(&first);
    bytes[33..].copy_from_slice(&second);
    bytes
}

/// The optional inputs of *NonceGen*.
///
/// They are the second line of defence: should the random generator ever repeat itself, nonces
/// still differ as long as one input does. Give all that are known.
#[derive(Clone, Copy, Default, Debug)]
pub struct NonceGenInputs<'a> {
    /// The signer's secret share, *secshare*.
    pub secret_share: Option<&'a SecretShare>,
    /// The signer's seat, *signer_id*.
    pub seat: Option<Seat>,
    /// The signer's public share, *pubshare*, as a compressed point.
    pub public_share: Option<&'a [u8; 33]>,
    /// *thresh_pk*, x-only; ideally the tweaked one.
    pub threshold_public_key: Option<&'a [u8; 32]>,
    /// *m*. An empty message is not the same as none.
    pub message: Option<&'a [u8]>,
    /// *extra_in*, up to 2^32 - 1 bytes: whatever changes from one call to the next.
    pub extra_in: Option<&'a [u8]>,
}

/// *NonceGen* of BIP-445. `rng` must be a high-quality random generator; 32 bytes are drawn.
///
/// The multiplications `k * G` are constant-time.
///
/// # Errors
///
/// [`NonceGenError`] if `rng` fails or `extra_in` is too long.
pub fn nonce_gen<R: TryCryptoRng>(
    rng: &mut R,
    inputs: &NonceGenInputs<'_>,
) -> Result<(SecretNonce, PublicNonce), NonceGenError> {
    nonce_gen_from(&*draw(rng)?, inputs)
}

/// *NonceGen* of BIP-445 with *rand'* given.
pub(crate) fn nonce_gen_from(
    random: &[u8; 32],
    inputs: &NonceGenInputs<'_>,
) -> Result<(SecretNonce, PublicNonce), NonceGenError> {
    let extra_in = inputs.extra_in.unwrap_or_default();
    let extra_len = u32::try_from(extra_in.len())
        .map_err(|_| NonceGenError::ExtraInput { length: extra_in.len() })?;

    let mut rand = Zeroizing::new(*random);
    if let Some(share) = inputs.secret_share {
        *rand = tagged_hash("BIP0445/aux", &[random]);
        for (byte, secret) in rand.iter_mut().zip(share.expose_bytes().iter()) {
            *byte ^= secret;
        }
    }
    let mut hash = TaggedHash::new("BIP0445/nonce").chain(rand.as_ref());
    match inputs.seat {
        Some(seat) => hash = hash.chain(&[4]).chain(&u32::from(seat.to_u16()).to_be_bytes()),
        None => hash.update(&[0]),
    }
    match inputs.public_share {
        Some(share) => hash = hash.chain(&[33]).chain(share),
        None => hash.update(&[0]),
    }
    match inputs.threshold_public_key {
        Some(key) => hash = hash.chain(&[32]).chain(key),
        None => hash.update(&[0]),
    }
    match inputs.message {
        Some(message) => {
            hash = hash.chain(&[1]).chain(&(message.len() as u64).to_be_bytes()).chain(message)
        }
        None => hash.update(&[0]),
    }
    let hash = hash.chain(&extra_len.to_be_bytes()).chain(extra_in);

    let scalar = |index: u8| {
        let bytes = Zeroizing::new(hash.clone().chain(&[index]).finalize());
        SecretScalar::from_bytes_wrapping(&bytes).ok_or(NonceGenError::Zero)
    };
    let secret = SecretNonce::new(scalar(0)?, scalar(1)?);
    let public = secret.public_nonce().clone();
    Ok((secret, public))
}

/// *NonceAgg* of BIP-445, on nonces that are decoded already. Halves that cancel give the point at
/// infinity; so does an empty list.
pub fn nonce_agg<'a>(nonces: impl IntoIterator<Item = &'a PublicNonce>) -> AggregateNonce {
    let (first, second): (Vec<&Point>, Vec<&Point>) =
        nonces.into_iter().map(PublicNonce::points).unzip();
    AggregateNonce { first: Point::sum(first), second: Point::sum(second) }
}

/// One of the two halves of a nonce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NonceHalf {
    /// Bytes 0 to 32.
    First,
    /// Bytes 33 to 65.
    Second,
}

impl fmt::Display for NonceHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NonceHalf::First => "first",
            NonceHalf::Second => "second",
        })
    }
}

/// Bytes that are not a nonce.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the {0} half of the nonce is not a compressed point")]
pub struct NonceError(NonceHalf);

impl NonceError {
    /// The half that does not decode.
    pub fn half(&self) -> NonceHalf {
        self.0
    }
}

/// Why no nonce could be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NonceGenError {
    /// The random generator failed.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The additional input is too long.
    #[error("extra_in has {length} bytes, allowed are up to 2^32 - 1")]
    ExtraInput {
        /// The length of the input in bytes.
        length: usize,
    },
    /// A nonce came out as zero, which happens with probability 2^-256: draw again.
    #[error("a nonce came out as zero")]
    Zero,
}
