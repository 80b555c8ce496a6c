//! Tweaks of the threshold public key.

use roastery_frost::{
    Scalar, SessionContext, SessionError, Tweak, TweakContext, TweakError, nonce_agg,
};
use zeroize::Zeroizing;

use crate::behaviour::support::{TestRng, deal, order_plus, seat};

#[test]
fn a_tweak_is_below_the_group_order() {
    let (group, _) = deal(2, 3, &mut TestRng::new(1));
    let context = TweakContext::new(group.threshold_public_key());
    for tweak in [Tweak::Plain, Tweak::XOnly] {
        assert!(context.apply(&tweak(order_plus(-1))).is_ok());
        assert_eq!(context.apply(&tweak(order_plus(0))), Err(TweakError::OutOfRange));
        assert_eq!(context.apply(&tweak([0xff; 32])), Err(TweakError::OutOfRange));
    }
}

#[test]
fn a_plain_tweak_of_zero_changes_nothing() {
    let (group, _) = deal(2, 3, &mut TestRng::new(2));
    let context = TweakContext::new(group.threshold_public_key());
    assert_eq!(context.apply(&Tweak::Plain([0; 32])), Ok(context));
}

#[test]
fn a_tweak_cannot_lead_to_infinity() {
    let secret = Zeroizing::new([5; 32]);
    let mut rng = TestRng::new(3);
    let (group, _) =
        roastery_frost::danger_trusted_dealer::deal_secret(&secret, 2, 3, &mut rng).expect("keys");
    let key = group.threshold_public_key();
    let scalar = Scalar::from_slice(secret.as_ref()).expect("a scalar");
    let context = TweakContext::new(key);
    let plain = Tweak::Plain((-scalar).serialize());
    assert_eq!(context.apply(&plain), Err(TweakError::Infinity));
    let even = if key.has_even_y() { scalar } else { -scalar };
    let x_only = Tweak::XOnly((-even).serialize());
    assert_eq!(context.apply(&x_only), Err(TweakError::Infinity));
    assert!(context.apply(&Tweak::XOnly(even.serialize())).is_ok());
}

#[test]
fn tweaks_of_another_key_make_no_session() {
    let mut rng = TestRng::new(4);
    let (group, _) = deal(2, 3, &mut rng);
    let (other, _) = deal(2, 3, &mut rng);
    let signers = group.signers(&[seat(0), seat(1)]).expect("signers");
    let tweaks = TweakContext::new(other.threshold_public_key());
    let session = SessionContext::new(&signers, &nonce_agg([]), &tweaks, b"").map(drop);
    assert_eq!(session, Err(SessionError::OtherKey));
}
