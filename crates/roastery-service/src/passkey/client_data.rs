use serde::Deserialize;

use super::{MAX_CLIENT_DATA, PasskeyError, check_length};

/// What a browser says that it was asked for. Browsers may add further fields; one that is there
/// twice is an error.
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
    #[serde(rename = "topOrigin", default)]
    top_origin: Option<String>,
}

/// Checks that it is of this type, for this challenge (base64url), at a page of this origin.
pub(super) fn check(
    bytes: &[u8],
    expected: &'static str,
    challenge: &str,
    origin: &str,
) -> Result<(), PasskeyError> {
    check_length("the client data", bytes, MAX_CLIENT_DATA)?;
    let data: ClientData = serde_json::from_slice(bytes)
        .map_err(|error| PasskeyError::ClientData(error.to_string()))?;
    if data.kind != expected {
        return Err(PasskeyError::Type { found: data.kind, expected });
    }
    if data.challenge != challenge {
        return Err(PasskeyError::Challenge);
    }
    if data.origin != origin {
        let allowed = origin.to_owned();
        return Err(PasskeyError::Origin { found: data.origin, allowed });
    }
    if data.cross_origin || data.top_origin.is_some() {
        return Err(PasskeyError::InFrame);
    }
    Ok(())
}
