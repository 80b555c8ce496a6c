//! Who has signed in.

use std::time::{Duration, Instant};

use roastery_service::view::PasskeyStatus;
use subtle::ConstantTimeEq as _;

/// The most sessions; the one that was not used for the longest makes room.
const MOST: usize = 8;

/// The time after which a session ends, and the time after which it ends unless it is used.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);
const IDLE: Duration = Duration::from_secs(30 * 60);

/// The length of a token, in bytes.
const TOKEN: usize = 32;

/// The sessions of people elsewhere, by the passkeys with which they have signed in.
#[derive(Debug, Default)]
pub(super) struct Sessions(Vec<Session>);

struct Session {
    token: String,
    passkey: PasskeyStatus,
    made: Instant,
    last_used: Instant,
}

/// A token is a secret.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("passkey", &self.passkey.name).finish_non_exhaustive()
    }
}

impl Sessions {
    /// A session for who has signed in with this passkey, and its token.
    pub(super) fn begin(
        &mut self,
        passkey: PasskeyStatus,
        now: Instant,
    ) -> Result<String, getrandom::Error> {
        let mut random = [0; TOKEN];
        getrandom::fill(&mut random)?;
        let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        self.forget_old(now);
        if self.0.len() >= MOST {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, one)| one.last_used);
            if let Some((at, _)) = oldest {
                self.0.remove(at);
            }
        }
        self.0.push(Session { token: token.clone(), passkey, made: now, last_used: now });
        Ok(token)
    }

    /// The passkey of a session, by its token. `uses` says whether a person has used it.
    pub(super) fn passkey(
        &mut self,
        token: &str,
        uses: bool,
        now: Instant,
    ) -> Option<PasskeyStatus> {
        self.forget_old(now);
        let is_it = |one: &&mut Session| one.token.as_bytes().ct_eq(token.as_bytes()).into();
        let session = self.0.iter_mut().find(is_it)?;
        if uses {
            session.last_used = now;
        }
        Some(session.passkey.clone())
    }

    /// Ends the sessions of a passkey.
    pub(super) fn end(&mut self, passkey: &PasskeyStatus) {
        self.0.retain(|session| session.passkey != *passkey);
    }

    fn forget_old(&mut self, now: Instant) {
        self.0.retain(|one| {
            now.duration_since(one.made) < LIFE && now.duration_since(one.last_used) < IDLE
        });
    }
}

#[cfg(test)]
mod tests {
    use roastery_service::{Time, view::TokenRole};

    use super::*;

    fn passkey(name: &str) -> PasskeyStatus {
        PasskeyStatus {
            name: name.to_owned(),
            role: TokenRole::Operator,
            fingerprint: String::new(),
            made: Time::from_seconds(0),
        }
    }

    #[test]
    fn a_session_ends_after_half_an_hour_without_use_after_twelve_hours_and_with_its_passkey() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let anna = sessions.begin(passkey("anna"), now).unwrap();
        let bert = sessions.begin(passkey("bert"), now).unwrap();
        assert_eq!(sessions.passkey(&anna, true, now + IDLE / 2), Some(passkey("anna")));
        // What the page does by itself is no use.
        assert_eq!(sessions.passkey(&bert, false, now + IDLE / 2), Some(passkey("bert")));
        assert_eq!(sessions.passkey(&bert, false, now + IDLE), None);
        let mut at = now + IDLE;
        while at < now + LIFE {
            assert_eq!(sessions.passkey(&anna, true, at), Some(passkey("anna")));
            at += IDLE / 2;
        }
        assert_eq!(sessions.passkey(&anna, true, now + LIFE), None);
        let again = sessions.begin(passkey("anna"), at).unwrap();
        sessions.end(&passkey("bert"));
        assert!(sessions.passkey(&again, true, at).is_some());
        sessions.end(&passkey("anna"));
        assert_eq!(sessions.passkey(&again, true, at), None);
        for none in ["", "0", &"0".repeat(64)] {
            assert_eq!(sessions.passkey(none, true, at), None);
        }
    }

    #[test]
    fn the_session_that_was_not_used_for_the_longest_makes_room() {
        let (mut sessions, now) = (Sessions::default(), Instant::now());
        let tokens: Vec<String> = (0..=MOST)
            .map(|second| {
                let at = now + Duration::from_secs(second as u64);
                sessions.begin(passkey("anna"), at).unwrap()
            })
            .collect();
        let at = now + Duration::from_secs(60);
        assert_eq!(sessions.passkey(&tokens[0], true, at), None);
        assert!(tokens[1..].iter().all(|token| sessions.passkey(token, true, at).is_some()));
    }
}
