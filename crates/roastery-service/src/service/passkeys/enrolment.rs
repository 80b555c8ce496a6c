//! The one passkey that is being added: a code from the terminal lets one in, and the terminal
//! keeps it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use roastery_store::KeptPasskey;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::passkey::RemoteError;

/// How long a code counts.
const LIFE: Duration = Duration::from_secs(600);

/// The wrong codes after which a code is void.
const TRIES: u32 = 5;

/// The letters of a code: 32 that are not mistaken for each other.
const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The length of a code: 60 bits.
const CODE: usize = 12;

/// What is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) struct Added {
    pub(in crate::service) name: String,
    pub(in crate::service) acts: bool,
}

#[derive(Debug, Default)]
pub(in crate::service) struct Enrolment(Mutex<Option<Open>>);

struct Open {
    added: Added,
    code: Zeroizing<String>,
    ends: Instant,
    left: u32,
    /// The challenge that a new passkey signs.
    challenge: Option<[u8; 32]>,
    /// The passkey that has come.
    come: Option<KeptPasskey>,
}

/// A code is a secret.
impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("added", &self.added).finish_non_exhaustive()
    }
}

impl Enrolment {
    fn lock(&self, at: Instant) -> MutexGuard<'_, Option<Open>> {
        // No step under the lock leaves a value incomplete.
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.take_if(|open| at >= open.ends);
        open
    }

    /// Begins one, and ends the one before. Returns its code.
    pub(in crate::service) fn open(
        &self,
        added: Added,
        at: Instant,
    ) -> Result<Zeroizing<String>, getrandom::Error> {
        let mut letters = [0; CODE];
        getrandom::fill(&mut letters)?;
        // 256 is a multiple of 32: each letter is as likely as any other.
        let letters = letters.map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
        let code = Zeroizing::new(letters.iter().collect::<String>());
        let (kept, ends) = (code.clone(), at + LIFE);
        *self.lock(at) =
            Some(Open { added, code: kept, ends, left: TRIES, challenge: None, come: None });
        Ok(code)
    }

    /// The right code gives what is added, and a challenge for it.
    pub(in crate::service) fn begin(
        &self,
        code: &str,
        challenge: [u8; 32],
        at: Instant,
    ) -> Result<Added, RemoteError> {
        let mut all = self.lock(at);
        let open = entered(&mut all, code)?;
        open.challenge = Some(challenge);
        Ok(open.added.clone())
    }

    /// The challenge that was given for the right code.
    pub(in crate::service) fn challenge(
        &self,
        code: &str,
        at: Instant,
    ) -> Result<[u8; 32], RemoteError> {
        entered(&mut self.lock(at), code)?.challenge.ok_or(RemoteError::NoCode)
    }

    /// A passkey has come for the right code, which counts no more.
    pub(in crate::service) fn come(
        &self,
        code: &str,
        passkey: impl FnOnce(&Added) -> KeptPasskey,
        at: Instant,
    ) -> Result<KeptPasskey, RemoteError> {
        let mut all = self.lock(at);
        let open = entered(&mut all, code)?;
        let passkey = passkey(&open.added);
        open.come = Some(passkey.clone());
        Ok(passkey)
    }

    /// What is added, and what has come for it.
    pub(in crate::service) fn state(&self, at: Instant) -> Option<(Added, Option<KeptPasskey>)> {
        self.lock(at).as_ref().map(|open| (open.added.clone(), open.come.clone()))
    }

    /// Ends it, and returns the passkey that has come.
    pub(in crate::service) fn end(&self, at: Instant) -> Option<KeptPasskey> {
        self.lock(at).take().and_then(|open| open.come)
    }
}

/// What is open, if this is its code and no passkey has come for it.
fn entered<'a>(all: &'a mut Option<Open>, code: &str) -> Result<&'a mut Open, RemoteError> {
    let Some(open) = all else { return Err(RemoteError::NoCode) };
    let code = code.trim().to_ascii_lowercase();
    if open.come.is_none() && bool::from(open.code.as_bytes().ct_eq(code.as_bytes())) {
        return all.as_mut().ok_or(RemoteError::NoCode);
    }
    // One that has come stays for the terminal.
    if open.come.is_none() {
        open.left -= 1;
        if open.left == 0 {
            *all = None;
        }
    }
    Err(RemoteError::NoCode)
}

#[cfg(test)]
mod tests {
    use roastery_store::PasskeyKey;

    use super::*;

    fn added() -> Added {
        Added { name: "anna".to_owned(), acts: true }
    }

    fn passkey(added: &Added) -> KeptPasskey {
        KeptPasskey {
            name: added.name.clone(),
            credential: vec![1],
            key: PasskeyKey::Ed25519([2; 32]),
            acts: added.acts,
            count: 0,
            made: 1,
        }
    }

    #[test]
    fn one_passkey_comes_for_a_code_and_it_is_the_terminal_that_takes_it() {
        let (enrolment, now) = (Enrolment::default(), Instant::now());
        let code = enrolment.open(added(), now).unwrap();
        assert_eq!(code.len(), CODE);
        let typed = format!(" {} ", code.to_uppercase());
        assert_eq!(enrolment.challenge(&code, now), Err(RemoteError::NoCode));
        assert_eq!(enrolment.begin(&typed, [7; 32], now), Ok(added()));
        assert_eq!(enrolment.challenge(&typed, now), Ok([7; 32]));
        assert_eq!(enrolment.state(now), Some((added(), None)));
        let come = enrolment.come(&typed, passkey, now).unwrap();
        // Who comes second is refused, and does not end it.
        for _ in 0..=TRIES {
            assert_eq!(enrolment.begin(&code, [8; 32], now), Err(RemoteError::NoCode));
            assert!(enrolment.come(&code, passkey, now).is_err());
        }
        assert_eq!(enrolment.end(now), Some(come));
        assert_eq!(enrolment.state(now), None);
    }

    #[test]
    fn five_wrong_codes_or_ten_minutes_end_a_code() {
        let (enrolment, now) = (Enrolment::default(), Instant::now());
        let code = enrolment.open(added(), now).unwrap();
        for _ in 0..TRIES {
            assert!(enrolment.begin("qqqqqqqqqqqq", [7; 32], now).is_err());
        }
        assert!(enrolment.begin(&code, [7; 32], now).is_err());
        let code = enrolment.open(added(), now).unwrap();
        for wrong in ["", &code[1..]] {
            assert!(enrolment.begin(wrong, [7; 32], now).is_err());
        }
        let later = now + LIFE - Duration::from_millis(1);
        assert!(enrolment.begin(&code, [7; 32], later).is_ok());
        assert!(enrolment.begin(&code, [7; 32], now + LIFE).is_err());
        assert_eq!(enrolment.end(now), None);
    }
}
