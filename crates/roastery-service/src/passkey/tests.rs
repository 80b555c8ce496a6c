use bitcoin::hashes::{Hash as _, sha256};
use proptest::{collection::vec, prelude::*};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use roastery_store::PasskeyKey;
use serde_json::json;

use super::{relying_party::base64url, *};

const ORIGIN: &str = "https://treasury.anna.example";
const CHALLENGE: [u8; 32] = [7; 32];

fn party() -> RelyingParty {
    ORIGIN.parse().unwrap()
}

fn site(host: &str) -> Vec<u8> {
    sha256::Hash::hash(host.as_bytes()).to_byte_array().to_vec()
}

/// An authenticator with one key.
pub(crate) enum Authenticator {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Authenticator {
    pub(crate) fn p256() -> Self {
        let (kind, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let key = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).unwrap())
    }

    fn ed25519() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    pub(crate) fn key(&self) -> PasskeyKey {
        match self {
            Self::P256(key) => PasskeyKey::P256(key.public_key().as_ref().try_into().unwrap()),
            Self::Ed25519(key) => {
                PasskeyKey::Ed25519(key.public_key().as_ref().try_into().unwrap())
            }
        }
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => key.sign(&SystemRandom::new(), bytes).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(bytes).as_ref().to_vec(),
        }
    }

    /// Signs whatever client data and authenticator data it is given.
    pub(crate) fn assert(&self, client_data: Vec<u8>, authenticator_data: Vec<u8>) -> Assertion {
        let hash = site_hash(&client_data);
        let signature = self.sign(&[&authenticator_data[..], &hash].concat());
        Assertion { credential: vec![1; 16], client_data, authenticator_data, signature }
    }

    /// What it says of itself and of a new credential of this id.
    pub(crate) fn new_data(&self, host: &str, id: &[u8]) -> Vec<u8> {
        let length = u16::try_from(id.len()).unwrap().to_be_bytes();
        let head = authenticator_data(host, SEEN | 0x40, 0);
        [&head[..], &[0; 16], &length, id, &self.cose()].concat()
    }

    fn cose(&self) -> Vec<u8> {
        match self.key() {
            PasskeyKey::P256(point) => [
                &[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20][..],
                &point[1..33],
                &[0x22, 0x58, 0x20],
                &point[33..],
            ]
            .concat(),
            PasskeyKey::Ed25519(key) => {
                [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 0x20][..], &key].concat()
            }
        }
    }
}

fn site_hash(bytes: &[u8]) -> [u8; 32] {
    sha256::Hash::hash(bytes).to_byte_array()
}

pub(crate) fn client_data(kind: &str, challenge: &[u8; 32], origin: &str) -> Vec<u8> {
    let challenge = base64url(challenge);
    json!({ "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false })
        .to_string()
        .into_bytes()
}

pub(crate) fn authenticator_data(host: &str, flags: u8, count: u32) -> Vec<u8> {
    [&site(host)[..], &[flags], &count.to_be_bytes()].concat()
}

/// Present and verified.
const SEEN: u8 = 5;

fn good() -> (Vec<u8>, Vec<u8>) {
    (
        client_data("webauthn.get", &CHALLENGE, ORIGIN),
        authenticator_data("treasury.anna.example", SEEN, 9),
    )
}

/// What is said of what an authenticator has rightly signed.
fn verified(client_data: Vec<u8>, authenticator_data: Vec<u8>) -> Result<u32, PasskeyError> {
    let key = Authenticator::p256();
    party().verify(&key.assert(client_data, authenticator_data), &CHALLENGE, &key.key())
}

#[test]
fn a_passkey_of_either_kind_signs_the_challenge_and_gives_its_counter() {
    for key in [Authenticator::p256(), Authenticator::ed25519()] {
        let (client_data, authenticator_data) = good();
        let assertion = key.assert(client_data, authenticator_data);
        assert_eq!(party().verify(&assertion, &CHALLENGE, &key.key()), Ok(9));
        // One that is copied, or says that it can be, is a passkey as well.
        let synced = authenticator_data_with(SEEN | 0x18);
        let assertion = key.assert(good().0, synced);
        assert_eq!(party().verify(&assertion, &CHALLENGE, &key.key()), Ok(9));
    }
}

fn authenticator_data_with(flags: u8) -> Vec<u8> {
    authenticator_data("treasury.anna.example", flags, 9)
}

#[test]
fn an_assertion_of_another_origin_type_challenge_or_frame_is_refused() {
    let said = |client: Vec<u8>| verified(client, good().1).unwrap_err();
    for origin in [
        "https://anna.example",
        "https://treasury.anna.example.evil.example",
        "http://treasury.anna.example",
        "https://treasury.anna.example:8443",
        "https://treasury.anna.example/",
        "https://Treasury.anna.example",
        "null",
        "",
    ] {
        let error = said(client_data("webauthn.get", &CHALLENGE, origin));
        assert!(matches!(error, PasskeyError::Origin { .. }), "{origin}: {error}");
    }
    let error = said(client_data("webauthn.create", &CHALLENGE, ORIGIN));
    assert!(matches!(error, PasskeyError::Type { .. }), "{error}");
    let error = said(client_data("webauthn.get", &[8; 32], ORIGIN));
    assert_eq!(error, PasskeyError::Challenge);
    let challenge = base64url(&CHALLENGE);
    for more in [json!({ "crossOrigin": true }), json!({ "topOrigin": "https://evil.example" })] {
        let mut data = json!({ "type": "webauthn.get", "challenge": challenge, "origin": ORIGIN });
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(said(data.to_string().into_bytes()), PasskeyError::InFrame);
    }
    // The same field twice: a reader that takes the other one sees another origin.
    let twice = format!(
        "{{\"type\":\"webauthn.get\",\"challenge\":\"{challenge}\",\
         \"origin\":\"https://evil.example\",\"origin\":\"{ORIGIN}\"}}"
    );
    let error = said(twice.into_bytes());
    assert!(matches!(error, PasskeyError::ClientData(_)), "{error}");
}

#[test]
fn an_assertion_of_another_site_or_without_a_verified_person_is_refused() {
    let said = |data: Vec<u8>| verified(good().0, data).unwrap_err();
    for host in ["anna.example", "evil.example", "https://treasury.anna.example"] {
        assert_eq!(said(authenticator_data(host, SEEN, 9)), PasskeyError::OtherSite);
    }
    assert_eq!(said(authenticator_data_with(4)), PasskeyError::NotPresent);
    assert_eq!(said(authenticator_data_with(1)), PasskeyError::NotVerified);
    assert_eq!(said(authenticator_data_with(0)), PasskeyError::NotPresent);
    // Neither a credential nor extensions were asked for.
    for flags in [SEEN | 0x40, SEEN | 0x80] {
        let error = said(authenticator_data_with(flags));
        assert!(matches!(error, PasskeyError::AuthenticatorData(_)), "{error}");
    }
}

#[test]
fn what_another_key_has_signed_or_was_altered_afterwards_is_refused() {
    let (key, other) = (Authenticator::p256(), Authenticator::p256());
    let (client_data, authenticator_data) = good();
    let assertion = key.assert(client_data, authenticator_data);
    let said = |assertion: &Assertion, key: &Authenticator| {
        party().verify(assertion, &CHALLENGE, &key.key()).unwrap_err()
    };
    assert_eq!(said(&assertion, &other), PasskeyError::Signature);
    let mut higher = assertion.clone();
    *higher.authenticator_data.last_mut().unwrap() += 1;
    assert_eq!(said(&higher, &key), PasskeyError::Signature);
    let mut spaced = assertion.clone();
    spaced.client_data.push(b' ');
    assert_eq!(said(&spaced, &key), PasskeyError::Signature);
    for signature in [Vec::new(), vec![0; 70], vec![0x30, 6, 2, 1, 0, 2, 1, 0]] {
        let forged = Assertion { signature, ..assertion.clone() };
        assert_eq!(said(&forged, &key), PasskeyError::Signature);
    }
    // A key that is no point of the curve.
    let none = PasskeyKey::P256([4; 65]);
    let refused = party().verify(&assertion, &CHALLENGE, &none);
    assert_eq!(refused, Err(PasskeyError::Signature));
}

#[test]
fn what_is_cut_short_or_too_long_is_refused_before_it_is_read() {
    let (client, data) = good();
    for length in 0..data.len() {
        let error = verified(client.clone(), data[..length].to_vec()).unwrap_err();
        assert_eq!(error, PasskeyError::AuthenticatorData("is too short"));
    }
    let more = verified(client.clone(), [&data[..], &[0]].concat()).unwrap_err();
    assert!(matches!(more, PasskeyError::AuthenticatorData(_)), "{more}");
    for length in 0..client.len() {
        let error = verified(client[..length].to_vec(), data.clone()).unwrap_err();
        assert!(matches!(error, PasskeyError::ClientData(_)), "{error}");
    }
    let padded = [&client[..], &vec![b' '; MAX_CLIENT_DATA]].concat();
    let long = verified(padded, data.clone()).unwrap_err();
    assert!(matches!(long, PasskeyError::TooLong { what: "the client data", .. }), "{long}");
    let long = verified(client.clone(), vec![0; MAX_AUTHENTICATOR_DATA + 1]).unwrap_err();
    assert!(matches!(long, PasskeyError::TooLong { .. }), "{long}");
    let key = Authenticator::p256();
    let long = Assertion { signature: vec![0; MAX_SIGNATURE + 1], ..key.assert(client, data) };
    let long = party().verify(&long, &CHALLENGE, &key.key()).unwrap_err();
    assert!(matches!(long, PasskeyError::TooLong { what: "the signature", .. }), "{long}");
}

fn new_data(cose: &[u8], flags: u8, id: &[u8]) -> Vec<u8> {
    let head = authenticator_data_with(flags);
    let length = u16::try_from(id.len()).unwrap().to_be_bytes();
    [&head[..], &[0; 16], &length, id, cose].concat()
}

#[test]
fn a_new_passkey_is_read_in_its_one_form_and_cut_short_anywhere_it_is_none() {
    let client = client_data("webauthn.create", &CHALLENGE, ORIGIN);
    let read = |data: &[u8]| party().read_new(&client, data, &CHALLENGE);
    for key in [Authenticator::p256(), Authenticator::ed25519()] {
        let data = new_data(&key.cose(), SEEN | 0x40, &[3; 20]);
        let new = read(&data).unwrap();
        assert_eq!(new, NewCredential { credential: vec![3; 20], key: key.key(), count: 9 });
        for length in 0..data.len() {
            read(&data[..length]).unwrap_err();
        }
        read(&[&data[..], &[0]].concat()).unwrap_err();
        // Extensions that were not asked for count for nothing.
        let more = [&new_data(&key.cose(), SEEN | 0xc0, &[3; 20])[..], &[0xa1, 0x60, 1]].concat();
        assert_eq!(read(&more).unwrap(), new);
        read(&new_data(&key.cose(), SEEN, &[3; 20])).unwrap_err();
        read(&new_data(&key.cose(), 0x41, &[3; 20])).unwrap_err();
        read(&new_data(&key.cose(), SEEN | 0x40, &[])).unwrap_err();
        read(&new_data(&key.cose(), SEEN | 0x40, &[3; 1024])).unwrap_err();
    }
    // RSA (RS256), and a key of P-256 for another algorithm.
    let mut other = Authenticator::p256().cose();
    other[4] = 0x27;
    assert_eq!(read(&new_data(&other, SEEN | 0x40, &[3])), Err(PasskeyError::Key));
    let rsa = new_data(&[0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59], SEEN | 0x40, &[3]);
    assert_eq!(read(&rsa), Err(PasskeyError::Key));
    let of_get = client_data("webauthn.get", &CHALLENGE, ORIGIN);
    let data = new_data(&Authenticator::p256().cose(), SEEN | 0x40, &[3]);
    let error = party().read_new(&of_get, &data, &CHALLENGE).unwrap_err();
    assert!(matches!(error, PasskeyError::Type { .. }), "{error}");
}

#[test]
fn an_origin_is_one_of_a_name_over_tls_or_of_this_machine() {
    for (good, host) in [
        (ORIGIN, "treasury.anna.example"),
        ("https://treasury.anna.example:8443", "treasury.anna.example"),
        ("http://localhost:7403", "localhost"),
    ] {
        let party: RelyingParty = good.parse().unwrap();
        assert_eq!((party.origin(), party.host()), (good, host));
    }
    for bad in [
        "",
        "treasury.anna.example",
        "http://treasury.anna.example",
        "http://localhost",
        "http://localhost:80",
        "https://treasury.anna.example/",
        "https://treasury.anna.example:443",
        "https://treasury.anna.example:0443",
        "https://treasury.anna.example:+8443",
        "https://treasury.anna.example:0",
        "https://Treasury.anna.example",
        "https://anna@example",
        "https://203.0.113.7",
        "https://[::1]",
        "https://example.",
        "https://-a.example",
        "https://tre\u{e4}sury.example",
        "ftp://treasury.anna.example",
    ] {
        assert_eq!(bad.parse::<RelyingParty>(), Err(BadOrigin), "{bad}");
    }
}

#[test]
fn base64_for_addresses_is_that_of_browsers() {
    for (bytes, text) in
        [(&b""[..], ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (&[0xfb, 0xff], "-_8")]
    {
        assert_eq!(base64url(bytes), text);
    }
}

proptest! {
    #[test]
    fn whatever_bytes_come_nothing_panics_and_nothing_is_taken(
        client_data in vec(any::<u8>(), 0..300),
        data in vec(any::<u8>(), 0..300),
        signature in vec(any::<u8>(), 0..200),
    ) {
        let key = PasskeyKey::P256([4; 65]);
        let assertion = Assertion {
            credential: Vec::new(), client_data: client_data.clone(),
            authenticator_data: data.clone(), signature,
        };
        prop_assert!(party().verify(&assertion, &CHALLENGE, &key).is_err());
        prop_assert!(party().read_new(&client_data, &data, &CHALLENGE).is_err());
        let client = self::client_data("webauthn.create", &CHALLENGE, ORIGIN);
        let of_site = [&site("treasury.anna.example")[..], &[SEEN | 0x40], &data].concat();
        // Random bytes are no canonical key.
        prop_assert!(party().read_new(&client, &of_site, &CHALLENGE).is_err());
    }
}
