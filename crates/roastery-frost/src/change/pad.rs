//! The encryption of shares: a pad for each dealer and receiver, from a key exchange between the
//! dealer's nonce and the receiver's host key.

use secp::Point;
use zeroize::Zeroizing;

use super::ChangeParams;
use crate::Seat;
use crate::hash::TaggedHash;
use crate::maybe_secret::MaybeSecret;
use crate::secret_scalar::SecretScalar;

/// The pad between `dealer`, which has published `nonce`, and `receiver`; in constant time.
///
/// The dealer computes it with its secret nonce and the receiver's host public key, the receiver
/// with its host secret key and `nonce`: `secret` and `point` are one or the other.
pub(super) fn pad(
    secret: &SecretScalar,
    point: &Point,
    params: &ChangeParams,
    dealer: Seat,
    nonce: &Point,
    receiver: Seat,
) -> MaybeSecret {
    let hash = TaggedHash::new("roastery/1/change/pad")
        .chain(secret.shared_point(point).as_slice())
        .chain(params.plan())
        .chain(&dealer.to_u16().to_le_bytes())
        .chain(&nonce.serialize())
        .chain(&params.hostpubkeys()[receiver.index()])
        .chain(&receiver.to_u16().to_le_bytes());
    MaybeSecret::reduce(&Zeroizing::new(hash.finalize()))
}
