//! Nothing shows a secret (row 48).

use std::{convert::Infallible, fmt::Debug};

use rand_core::{TryCryptoRng, TryRng};
use roastery_frost::{NonceGenInputs, SecretShare, SigningKey, danger};
use roastery_protocol::{
    Seat,
    engine::{Engine, EngineSession, FrostEngine, SlotContext, SlotId},
    keys::{HostKey, IdentityKey},
    signing::{Session, Settings},
};

use roastery_testkit::{byzantine::*, *};

/// A random generator that always returns the same 32 bytes and does not show them.
#[derive(Clone)]
struct Stuck;

const STUCK: [u8; 32] = [0x5a; 32];

impl Debug for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stuck")
    }
}

impl TryRng for Stuck {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0x5a5a_5a5a)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0x5a5a_5a5a_5a5a_5a5a)
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0x5a);
        Ok(())
    }
}

impl TryCryptoRng for Stuck {}

/// The secret nonces of a first slot that is drawn with [`Stuck`], from the written rule for
/// `extra_in`.
fn nonces_drawn(fixture: &Fixture, seat: Seat, slot: SlotId, context: &SlotContext) -> Vec<u8> {
    let request = fixture.request(1);
    let key = &request.keys()[0];
    let mut extra = Vec::new();
    extra.extend(context.session.as_bytes());
    extra.extend(slot.attempt.number().to_le_bytes());
    extra.extend(borsh::to_vec(&context.incarnation).unwrap());
    extra.extend(slot.index.to_le_bytes());
    extra.push(0);
    extra.extend(context.now.monotonic.as_nanos().to_le_bytes());
    extra.extend(context.now.wall.as_nanos().to_le_bytes());
    let inputs = NonceGenInputs {
        secret_share: Some(&fixture.share(seat)),
        public_share: Some(&fixture.group.keys().public_share(seat).unwrap().serialize()),
        threshold_public_key: Some(&key.public_key().to_bytes()),
        message: Some(&key.message),
        extra_in: Some(&extra),
    };
    let (secret, _) = danger::nonce_gen_with(&STUCK, &inputs).unwrap();
    danger::secret_nonce_to_bytes(&secret).to_vec()
}

fn assert_silent(what: &dyn Debug, secrets: &[Vec<u8>]) {
    for text in [format!("{what:?}"), format!("{what:#?}")] {
        // However the bytes are separated: as digits, as a list of numbers, as a list of digits.
        let shown: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        for secret in secrets {
            for window in secret.windows(6) {
                let hex: String = window.iter().map(|byte| format!("{byte:02x}")).collect();
                let decimal: String = window.iter().map(u8::to_string).collect();
                assert!(!shown.to_lowercase().contains(&hex), "{text}");
                assert!(!shown.contains(&decimal), "{text}");
            }
        }
    }
}

#[test]
fn no_debug_output_shows_a_byte_of_a_secret() {
    // Identity keys of a pattern that nothing public has.
    let fixture = Fixture::with_identities(2, 3, 0xb3);
    let seat = fixture.coordinator_of(0);
    let identity_secret = || {
        let mut bytes = zeroize::Zeroizing::new([0xb3; 32]);
        bytes[31] = seat.index() as u8;
        SigningKey::from_bytes(bytes).unwrap()
    };
    let keys = fixture.group.keys().clone();
    let engine = FrostEngine::with_rng(seat, keys, fixture.share(seat), Stuck);
    let request = fixture.request(1);
    let opening = fixture.opening(seat, &request, 0, Settings::default());
    let (id, incarnation) = (request.session_id(), opening.incarnation);

    let slot = SlotId { attempt: attempt(0), index: 0 };
    let context = SlotContext { session: id, incarnation, now: fixture.now };
    let mut session = engine.open(&request).unwrap();
    let public = session.commit(slot, &context).unwrap();
    let nonces = nonces_drawn(&fixture, seat, slot, &context);
    let bytes = zeroize::Zeroizing::new(nonces.clone().try_into().unwrap());
    let drawn = danger::secret_nonce_from_bytes(&bytes).unwrap();
    // The right secrets are looked for.
    assert_eq!(drawn.public_nonce(), &public[0]);

    let identity = identity_secret().expose_bytes().to_vec();
    let share = fixture.shares[seat.index()].to_vec();
    let secrets = [nonces[..32].to_vec(), nonces[32..].to_vec(), identity, share];
    assert_silent(&opening, &secrets);
    let whole = Session::open(opening, &engine, fixture.now).unwrap();
    assert_eq!(whole.live_slots(), 1);
    assert_silent(&whole, &secrets);
    assert_silent(&session, &secrets);
    assert_silent(&engine, &secrets);
    assert_silent(&drawn, &secrets);
    assert_silent(&request, &secrets);
    assert_silent(&SecretShare::from_bytes(fixture.shares[seat.index()].clone()), &secrets);
    assert_silent(&identity_secret(), &secrets);
    assert_silent(&IdentityKey::new(identity_secret()), &secrets);
    assert_silent(&HostKey::new(identity_secret()), &secrets);
}
