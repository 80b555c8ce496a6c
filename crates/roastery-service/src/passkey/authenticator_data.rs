//! What an authenticator says of itself: WebAuthn, section 6.1.

use roastery_store::{MAX_CREDENTIAL, PasskeyKey};

use super::{MAX_AUTHENTICATOR_DATA, PasskeyError, check_length, key};

/// Hash of the site's name, flags, and counter.
const FIXED: usize = 32 + 1 + 4;

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const HAS_CREDENTIAL: u8 = 1 << 6;
const HAS_EXTENSIONS: u8 = 1 << 7;

/// The length of the id of an authenticator's model, which counts for nothing here.
const MODEL: usize = 16;

struct Head<'a> {
    flags: u8,
    count: u32,
    rest: &'a [u8],
}

fn head<'a>(bytes: &'a [u8], site: &[u8; 32]) -> Result<Head<'a>, PasskeyError> {
    check_length("the authenticator data", bytes, MAX_AUTHENTICATOR_DATA)?;
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Err(PasskeyError::AuthenticatorData("is too short"));
    };
    let [of_site @ .., flags, c0, c1, c2, c3] = fixed;
    if of_site != site {
        return Err(PasskeyError::OtherSite);
    }
    if flags & USER_PRESENT == 0 {
        return Err(PasskeyError::NotPresent);
    }
    if flags & USER_VERIFIED == 0 {
        return Err(PasskeyError::NotVerified);
    }
    Ok(Head { flags: *flags, count: u32::from_be_bytes([*c0, *c1, *c2, *c3]), rest })
}

/// That of an assertion: its counter. Nothing else was asked for, so nothing else may be there.
pub(super) fn of_assertion(bytes: &[u8], site: &[u8; 32]) -> Result<u32, PasskeyError> {
    let Head { flags, count, rest } = head(bytes, site)?;
    if flags & (HAS_CREDENTIAL | HAS_EXTENSIONS) != 0 || !rest.is_empty() {
        return Err(PasskeyError::AuthenticatorData("has more than was asked for"));
    }
    Ok(count)
}

/// That of a new passkey: the id of its credential, its key and its counter. Some authenticators
/// add extensions without being asked; they count for nothing.
pub(super) fn of_new(
    bytes: &[u8],
    site: &[u8; 32],
) -> Result<(Vec<u8>, PasskeyKey, u32), PasskeyError> {
    let bad = PasskeyError::AuthenticatorData;
    let Head { flags, count, rest } = head(bytes, site)?;
    if flags & HAS_CREDENTIAL == 0 {
        return Err(bad("has no passkey"));
    }
    let rest = rest.get(MODEL..).ok_or(bad("is too short"))?;
    let (length, rest) = rest.split_first_chunk().ok_or(bad("is too short"))?;
    let length = usize::from(u16::from_be_bytes(*length));
    if !(1..=MAX_CREDENTIAL).contains(&length) {
        return Err(bad("has a credential whose id is empty or longer than 1023 bytes"));
    }
    let (credential, rest) = rest.split_at_checked(length).ok_or(bad("is too short"))?;
    let (key, rest) = key::read(rest)?;
    if flags & HAS_EXTENSIONS == 0 && !rest.is_empty() {
        return Err(bad("has more than was asked for"));
    }
    Ok((credential.to_vec(), key, count))
}
