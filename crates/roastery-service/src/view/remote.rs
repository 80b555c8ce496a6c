//! Decisions of people elsewhere, with passkeys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::TokenRole;
use crate::Time;

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyStatus {
    /// Its name.
    pub name: String,
    /// What it admits to: to read, or to approve and reject requests as well.
    pub role: TokenRole,
    /// By which two people compare it.
    pub fingerprint: String,
    /// When it was added.
    pub made: Time,
}

/// Whether and where people decide from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemoteStatus {
    /// The origin of the pages that use passkeys; absent if no one decides from elsewhere.
    pub origin: Option<String>,
    /// The passkeys that count.
    pub passkeys: Vec<PasskeyStatus>,
}

/// A passkey to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPasskey {
    /// Its name: 1 to 24 small letters, digits and hyphens.
    #[schema(min_length = 1, max_length = 24)]
    pub name: String,
    /// What it admits to.
    pub role: TokenRole,
}

/// A code by which one passkey is added.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyCode {
    /// The code, which is shown once and counts for ten minutes.
    pub code: String,
    /// The origin of the page where it is typed.
    pub origin: String,
}

impl std::fmt::Debug for PasskeyCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasskeyCode").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// How far the passkey is that is being added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyEnrolment {
    /// Its name; absent if none is being added.
    pub name: Option<String>,
    /// Its fingerprint, once it has come.
    pub fingerprint: Option<String>,
}

/// The passkey that has come is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepPasskey {
    /// Its fingerprint, as the page shows it as well.
    #[schema(max_length = 64)]
    pub fingerprint: String,
}

/// What a person elsewhere does.
///
/// Exhaustive: version 1 of the API has no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PasskeyAct {
    /// To sign in.
    SignIn,
    /// To approve a request.
    Approve,
    /// To reject a request.
    Reject,
}

/// A challenge is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskChallenge {
    /// For what.
    pub act: PasskeyAct,
    /// About what is decided; absent to sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<DecideWith>,
}

/// About what is decided, and with which passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideWith {
    /// The name of the passkey.
    #[schema(min_length = 1, max_length = 24)]
    pub passkey: String,
    /// The session of the request, all 64 digits of it.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub session: String,
    /// What was seen of it.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    pub seen: String,
}

/// A challenge of this node, for one act. It counts for two minutes, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasskeyChallenge {
    /// What is handed back with what was signed.
    pub ticket: String,
    /// What is signed: 32 bytes.
    pub challenge: String,
    /// The name of the site, as browsers need it.
    pub site: String,
    /// The id of the credential that is to sign; absent for any.
    pub credential: Option<String>,
}

/// What a passkey has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedByPasskey {
    /// The ticket of the challenge.
    #[schema(max_length = 1024)]
    pub ticket: String,
    /// The id of the credential.
    #[schema(max_length = 2046)]
    pub credential: String,
    /// What the browser says it was asked for (clientDataJSON).
    #[schema(max_length = 4096)]
    pub client_data: String,
    /// What the authenticator says of itself (authenticatorData).
    #[schema(max_length = 4096)]
    pub authenticator_data: String,
    /// The signature.
    #[schema(max_length = 256)]
    pub signature: String,
}

/// A page has the code of the terminal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginPasskey {
    /// The code.
    #[schema(max_length = 64)]
    pub code: String,
}

impl std::fmt::Debug for BeginPasskey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BeginPasskey").finish_non_exhaustive()
    }
}

/// What a browser needs to make a passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BegunPasskey {
    /// Its name.
    pub name: String,
    /// The challenge: 32 bytes.
    pub challenge: String,
    /// The name of the site, as browsers need it.
    pub site: String,
    /// The ids of the credentials that there are.
    pub others: Vec<String>,
}

/// A passkey that a browser has made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MadePasskey {
    /// The code of the terminal.
    #[schema(max_length = 64)]
    pub code: String,
    /// What the browser says it was asked for (clientDataJSON).
    #[schema(max_length = 4096)]
    pub client_data: String,
    /// What the authenticator says of itself and of the key (authenticatorData).
    #[schema(max_length = 4096)]
    pub authenticator_data: String,
}

impl std::fmt::Debug for MadePasskey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MadePasskey").finish_non_exhaustive()
    }
}

/// A passkey that has come, and waits for the terminal to keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComePasskey {
    /// Its fingerprint.
    pub fingerprint: String,
}
