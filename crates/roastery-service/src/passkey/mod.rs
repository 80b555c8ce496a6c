//! What a passkey signs (WebAuthn), and whether that is what this node has asked for.
//!
//! A value without clock, store or socket: it is given the challenge and the key. Everything that
//! it reads comes from a browser, or from a program that says it is one.

mod authenticator_data;
mod client_data;
mod key;
mod refused;
mod relying_party;
#[cfg(test)]
pub(crate) mod tests;

use thiserror::Error;

pub use self::{
    refused::RemoteError,
    relying_party::{BadOrigin, NewCredential, RelyingParty},
};

/// The longest client data, in bytes.
pub const MAX_CLIENT_DATA: usize = 2048;

/// The longest authenticator data, in bytes.
pub const MAX_AUTHENTICATOR_DATA: usize = 2048;

/// The longest signature, in bytes.
pub const MAX_SIGNATURE: usize = 128;

/// What an authenticator has signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assertion {
    /// The id of the credential.
    pub credential: Vec<u8>,
    /// clientDataJSON.
    pub client_data: Vec<u8>,
    /// authenticatorData.
    pub authenticator_data: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// Why what a browser brings is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PasskeyError {
    /// A part of it is too long.
    #[error("{what} has {length} bytes; at most {most} are allowed")]
    TooLong {
        /// The part.
        what: &'static str,
        /// Its length.
        length: usize,
        /// The longest that is allowed.
        most: usize,
    },
    /// The client data is no JSON of the form that browsers write.
    #[error("the client data is not what a browser writes: {0}")]
    ClientData(String),
    /// It was made for another purpose.
    #[error("it is a {found:?}, where a {expected:?} is needed")]
    Type {
        /// What it is.
        found: String,
        /// What is needed.
        expected: &'static str,
    },
    /// It signs another challenge.
    #[error("it signs another challenge than the one of this act")]
    Challenge,
    /// It was made at a page of another origin.
    #[error("it was made at {found:?}; allowed is {allowed}")]
    Origin {
        /// The origin.
        found: String,
        /// The one that the configuration names.
        allowed: String,
    },
    /// It was made in a frame of a page of another origin.
    #[error("it was made in a frame of another page")]
    InFrame,
    /// The authenticator data has another form.
    #[error("the authenticator data {0}")]
    AuthenticatorData(&'static str),
    /// The passkey is one of another site.
    #[error("the passkey is one of another site than remote.origin names")]
    OtherSite,
    /// No person was present at the authenticator.
    #[error("the authenticator does not say that a person was present")]
    NotPresent,
    /// The authenticator has not verified the person.
    #[error("the authenticator has not verified the person, by a PIN, a finger or a face")]
    NotVerified,
    /// The key is of a kind that this node does not know.
    #[error("the passkey's key is of another kind; allowed are ES256 and Ed25519")]
    Key,
    /// The signature is not by this key.
    #[error("the signature is not one by this passkey")]
    Signature,
}

fn check_length(what: &'static str, bytes: &[u8], most: usize) -> Result<(), PasskeyError> {
    match bytes.len() {
        length if length > most => Err(PasskeyError::TooLong { what, length, most }),
        _ => Ok(()),
    }
}
