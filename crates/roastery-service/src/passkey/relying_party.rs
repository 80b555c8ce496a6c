use std::str::FromStr;

use bitcoin::hashes::{Hash as _, sha256};
use roastery_store::PasskeyKey;
use serde::Deserialize;
use thiserror::Error;

use super::{
    Assertion, MAX_SIGNATURE, PasskeyError, authenticator_data, check_length, client_data, key,
};

const GET: &str = "webauthn.get";
const CREATE: &str = "webauthn.create";

/// The longest name of a host.
const MAX_HOST: usize = 253;

/// The site whose pages use passkeys, by its one origin.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RelyingParty {
    origin: String,
    host: String,
}

/// A text that is no origin whose pages may use passkeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "it is no origin of a page: allowed are https://NAME or https://NAME:PORT with a name in small \
     letters, no address, without a path and without the port 443; and http://localhost:PORT"
)]
pub struct BadOrigin;

/// What a new passkey is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCredential {
    /// The id of its credential.
    pub credential: Vec<u8>,
    /// Its public key.
    pub key: PasskeyKey,
    /// Its counter.
    pub count: u32,
}

impl FromStr for RelyingParty {
    type Err = BadOrigin;

    fn from_str(origin: &str) -> Result<Self, BadOrigin> {
        let (rest, default_port, is_local) = match origin.split_once("://") {
            Some(("https", rest)) => (rest, 443, false),
            // Browsers take this name for the machine itself, and no other one.
            Some(("http", rest)) => (rest, 80, true),
            _ => return Err(BadOrigin),
        };
        let (host, port) = match rest.split_once(':') {
            None => (rest, None),
            Some((host, port)) => {
                let number = port.parse::<u16>().map_err(|_| BadOrigin)?;
                // As a browser writes it: no sign, no leading zero, and not the usual one.
                if number.to_string() != port || number == 0 || number == default_port {
                    return Err(BadOrigin);
                }
                (host, Some(number))
            }
        };
        let is_name = (1..=MAX_HOST).contains(&host.len()) && host.split('.').all(is_label);
        // A browser takes a name that ends in a number for an address, and refuses addresses.
        let last = host.rsplit('.').next().unwrap_or_default();
        let is_address = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
        if !is_name || is_address || is_local && (host != "localhost" || port.is_none()) {
            return Err(BadOrigin);
        }
        Ok(Self { origin: origin.to_owned(), host: host.to_owned() })
    }
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl TryFrom<String> for RelyingParty {
    type Error = BadOrigin;

    fn try_from(origin: String) -> Result<Self, BadOrigin> {
        origin.parse()
    }
}

impl RelyingParty {
    /// The origin of its pages.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The name of its host, which is the name of the site for passkeys (rpId).
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Verifies that a passkey with this key has signed this challenge, with a person present whom
    /// the authenticator has verified, and returns its counter.
    ///
    /// # Errors
    ///
    /// [`PasskeyError`] says what is not so.
    pub fn verify(
        &self,
        assertion: &Assertion,
        challenge: &[u8; 32],
        key: &PasskeyKey,
    ) -> Result<u32, PasskeyError> {
        let Assertion { client_data, authenticator_data, signature, .. } = assertion;
        client_data::check(client_data, GET, &base64url(challenge), &self.origin)?;
        let count = authenticator_data::of_assertion(authenticator_data, &self.site())?;
        check_length("the signature", signature, MAX_SIGNATURE)?;
        let hash = sha256::Hash::hash(client_data).to_byte_array();
        key::verify(key, &[authenticator_data, &hash[..]].concat(), signature)?;
        Ok(count)
    }

    /// Reads a new passkey that was made for this challenge. No attestation is asked for: that the
    /// person has made it, the person says.
    ///
    /// # Errors
    ///
    /// [`PasskeyError`] says what is not so.
    pub fn read_new(
        &self,
        client_data: &[u8],
        authenticator_data: &[u8],
        challenge: &[u8; 32],
    ) -> Result<NewCredential, PasskeyError> {
        client_data::check(client_data, CREATE, &base64url(challenge), &self.origin)?;
        let (credential, key, count) =
            authenticator_data::of_new(authenticator_data, &self.site())?;
        Ok(NewCredential { credential, key, count })
    }

    fn site(&self) -> [u8; 32] {
        sha256::Hash::hash(self.host.as_bytes()).to_byte_array()
    }
}

/// Base64 for addresses, without padding, as browsers write challenges.
pub(super) fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=three.len()].copy_from_slice(three);
        let number = u32::from_be_bytes(group);
        for at in 0..=three.len() {
            let letter = number >> (18 - 6 * at) & 63;
            text.push(char::from(LETTERS[letter as usize]));
        }
    }
    text
}
