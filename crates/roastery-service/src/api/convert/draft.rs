use bitcoin::hex::FromHex as _;
use roastery_protocol::request::{Derivation, Taproot};

use crate::{DraftSubject, NotSeen, RequestDraft, Role, api::error::ApiError, view::Propose};

/// Reads what a client of this role asks the group to sign.
pub(in crate::api) fn draft_of(what: Propose, role: Role) -> Result<RequestDraft, ApiError> {
    let Propose { text, psbt, hashes, path, untweaked, expires_in, once, seen, send } = what;
    let seen = seen.map(|seen| seen.parse().map_err(|error: NotSeen| error.to_string()));
    let seen = seen.transpose().map_err(ApiError::invalid)?;
    if seen.is_some() && psbt.is_none() {
        return Err(ApiError::invalid("seen is for a transaction that was examined"));
    }
    let taproot = if untweaked { Taproot::Untweaked } else { Taproot::KeyPathOnly };
    let derivation = Derivation { path: read_path(&path)?, taproot };
    let subject = match (text, psbt, hashes) {
        (Some(_), None, None) if untweaked => {
            let reason =
                "a text is signed as an address, whose key is tweaked: untweaked is for hashes";
            return Err(ApiError::invalid(reason));
        }
        (Some(text), None, None) => DraftSubject::Text(text, derivation.path),
        (None, Some(psbt), None) => DraftSubject::Transaction(psbt.into_bytes()),
        (None, None, Some(hashes)) => {
            let read = |hash: String| {
                <[u8; 32]>::from_hex(&hash)
                    .map_err(|_| ApiError::invalid("a hash has 64 hexadecimal digits"))
            };
            DraftSubject::Hashes(
                hashes.into_iter().map(read).collect::<Result<_, _>>()?,
                derivation,
            )
        }
        _ => {
            let reason = "exactly one of text, psbt and hashes is to be given";
            return Err(ApiError::invalid(reason));
        }
    };
    let waits = !role.may(Role::Approver);
    Ok(RequestDraft { subject, life: expires_in, once, seen, send, waits })
}

/// Reads "m/0/7", "0/7" or nothing.
fn read_path(path: &str) -> Result<Vec<u32>, ApiError> {
    let steps = path.strip_prefix("m").unwrap_or(path);
    let steps = steps.strip_prefix('/').unwrap_or(steps);
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let read = |step: &str| {
        step.parse::<u32>().ok().filter(|index| *index < 1 << 31).ok_or_else(|| {
            let allowed = "unhardened steps below 2147483648, like 0/7";
            ApiError::invalid(format!("step {step:?} of the path: allowed are {allowed}"))
        })
    };
    steps.split('/').map(read).collect()
}
