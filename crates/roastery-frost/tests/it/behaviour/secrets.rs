//! What is kept secret, and the bounds of scalars.

use roastery_frost::{
    Contribution, InvalidContribution, NonceGenInputs, PartialSignature, SecretNonce, SecretShare,
    SigningKey, decode_partial_signatures, nonce_gen,
};
use zeroize::Zeroizing;

use crate::behaviour::support::{TestRng, deal, order_plus};

#[test]
fn debug_shows_nothing_of_a_secret() {
    let mut rng = TestRng::new(1);
    let (_, mut shares) = deal(2, 3, &mut rng);
    let share = shares.remove(0);
    let inputs = NonceGenInputs { secret_share: Some(&share), ..Default::default() };
    let (nonce, _) = nonce_gen(&mut rng, &inputs).expect("a nonce");
    let key = SigningKey::generate(&mut rng).expect("a key");
    assert_eq!(format!("{share:?}"), "SecretShare(..)");
    assert_eq!(format!("{share:#?}"), "SecretShare(..)");
    assert_eq!(format!("{nonce:?}"), "SecretNonce(..)");
    assert_eq!(format!("{nonce:#?}"), "SecretNonce(..)");
    assert_eq!(format!("{key:?}"), "SigningKey(..)");
    assert!(format!("{inputs:?}").contains("secret_share: Some(SecretShare(..))"));
}

/// Compiles only where `T` is not `Clone`: otherwise both implementations apply.
trait NotClone<A> {
    const HOLDS: bool = true;
}
impl<T> NotClone<()> for T {}
impl<T: Clone> NotClone<u8> for T {}

#[test]
fn secrets_cannot_be_copied() {
    const { assert!(<SecretShare as NotClone<_>>::HOLDS) };
    const { assert!(<SecretNonce as NotClone<_>>::HOLDS) };
    const { assert!(<SigningKey as NotClone<_>>::HOLDS) };
}

#[test]
fn a_secret_share_is_a_scalar_from_1_to_the_order_minus_1() {
    let mut one = [0; 32];
    one[31] = 1;
    for bytes in [one, order_plus(-1)] {
        let share = SecretShare::from_bytes(Zeroizing::new(bytes)).expect("a share");
        assert_eq!(*share.expose_bytes(), bytes);
    }
    for bytes in [[0; 32], order_plus(0), order_plus(1), [0xff; 32]] {
        assert!(SecretShare::from_bytes(Zeroizing::new(bytes)).is_err());
    }
}

#[test]
fn a_signing_key_is_a_scalar_from_1_to_the_order_minus_1() {
    let key = SigningKey::from_bytes(Zeroizing::new(order_plus(-1))).expect("a key");
    assert_eq!(*key.expose_bytes(), order_plus(-1));
    assert!(key.sign(b"message", &[0; 32]).verify(&key.public_key(), b"message"));
    assert!(!key.sign(b"message", &[0; 32]).verify(&key.public_key(), b"another"));
    for bytes in [[0; 32], order_plus(0), order_plus(1), [0xff; 32]] {
        assert!(SigningKey::from_bytes(Zeroizing::new(bytes)).is_err());
    }
}

#[test]
fn a_partial_signature_is_a_scalar_from_0_to_the_order_minus_1() {
    for bytes in [[0; 32], order_plus(-1)] {
        let psig = PartialSignature::from_bytes(&bytes).expect("a partial signature");
        assert_eq!(psig.to_bytes(), bytes);
    }
    for bytes in [order_plus(0), order_plus(1), [0xff; 32]] {
        assert!(PartialSignature::from_bytes(&bytes).is_err());
        let list = [[0; 32], [1; 32], bytes];
        let blamed = InvalidContribution {
            signer_index: Some(2),
            contribution: Contribution::PartialSignature,
        };
        assert_eq!(decode_partial_signatures(&list), Err(blamed));
    }
}
