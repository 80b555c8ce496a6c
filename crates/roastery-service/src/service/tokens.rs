//! The tokens with which programs call the API: each has a name, a role, and an end.

use std::sync::{PoisonError, RwLock};

use bitcoin::{
    hashes::{Hash as _, sha256},
    hex::DisplayHex as _,
};
use roastery_store::{ContentError, Durability, KeptToken, MAX_TOKENS, Principal, StoreError};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::service::{Service, ServiceError, asking::asked, now, role::Role};

/// The longest name of a token, in bytes.
const MAX_NAME: usize = 24;

/// The longest life of a token that ends, in seconds: ten years.
const LONGEST_LIFE: u64 = 3650 * 24 * 60 * 60;

/// The tokens, as the store has them.
#[derive(Debug, Default)]
pub(in crate::service) struct Tokens {
    all: RwLock<Vec<KeptToken>>,
    /// Held while one is added or revoked.
    changing: tokio::sync::Mutex<()>,
}

impl Tokens {
    fn all(&self) -> Vec<KeptToken> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, all: Vec<KeptToken>) {
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// The token with this text, if it counts at this time.
    fn with_text(&self, text: &[u8], at: u64) -> Option<KeptToken> {
        let sha256 = sha256::Hash::hash(text).to_byte_array();
        // All are compared, so that the time does not depend on which one it is.
        let mut found = None;
        for token in self.all() {
            if bool::from(token.sha256.ct_eq(&sha256)) {
                found = Some(token);
            }
        }
        found.filter(|token| counts(token, at))
    }
}

/// Whether a token has not expired.
fn counts(token: &KeptToken, at: u64) -> bool {
    token.expires.is_none_or(|end| at < end)
}

fn check_name(name: &str) -> Result<(), ServiceError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let ends = |c: char| c != '-' && allowed(c);
    let fits = (1..=MAX_NAME).contains(&name.len())
        && name.chars().all(allowed)
        && name.starts_with(ends)
        && name.ends_with(ends);
    if fits {
        return Ok(());
    }
    let reason = format!(
        "the name of a token has 1 to {MAX_NAME} small letters, digits and hyphens, no hyphen first or last"
    );
    Err(ServiceError::Invalid(reason.into()))
}

impl Service {
    pub(in crate::service) async fn load_tokens(&self) -> Result<(), ServiceError> {
        self.shared.tokens.set(self.shared.store(|store| store.tokens()).await?);
        Ok(())
    }

    /// Who brings this token, and what it may do; `None` if there is none of this text, or it has
    /// expired.
    pub fn bearer(&self, text: &[u8]) -> Option<(Principal, Role)> {
        let token = self.shared.tokens.with_text(text, now())?;
        let role = if token.acts { Role::Operator } else { Role::Reader };
        Some((Principal::Token(token.name), role))
    }

    /// Whether a client that has brought a token before may go on.
    pub fn still_admits(&self, by: &Principal) -> bool {
        let Principal::Token(name) = by else { return true };
        // A token of the configuration counts as long as the node runs.
        let named = check_name(name).is_ok();
        let has_it = |token: &KeptToken| token.name == *name && counts(token, now());
        !named || self.shared.tokens.all().iter().any(has_it)
    }

    /// The tokens of the store, those too that have expired.
    pub fn tokens(&self) -> Vec<KeptToken> {
        self.shared.tokens.all()
    }

    /// Makes a token, which counts for so many seconds, or until it is revoked. Its text is not
    /// kept: it is returned once.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if name or life are not allowed; [`ServiceError::Conflict`] if
    /// there is a token of this name, or there are 64.
    pub async fn add_token(
        &self,
        name: &str,
        role: Role,
        life: Option<u64>,
        by: Principal,
    ) -> Result<(Zeroizing<String>, KeptToken), ServiceError> {
        check_name(name)?;
        if life.is_some_and(|life| !(1..=LONGEST_LIFE).contains(&life)) {
            let reason = format!("a token counts for 1 to {LONGEST_LIFE} seconds, or without end");
            return Err(ServiceError::Invalid(reason.into()));
        }
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(random.as_mut())
            .map_err(|_| ServiceError::Internal("the system gave no randomness".into()))?;
        let text = Zeroizing::new(random.to_lower_hex_string());
        let made = now();
        let token = KeptToken {
            name: name.to_owned(),
            sha256: sha256::Hash::hash(text.as_bytes()).to_byte_array(),
            acts: role == Role::Operator,
            made,
            expires: life.map(|life| made + life),
        };
        let changing = self.shared.tokens.changing.lock().await;
        let (kept, act) = (token.clone(), asked(by, "token add", &format!("{name}, {role}")));
        let added = self
            .shared
            .write(Durability::Synced, move |change| {
                let added = change.keep_token(&kept)?;
                if added {
                    change.append_act(&act)?;
                }
                Ok(added)
            })
            .await;
        let conflict = |reason: String| Err(ServiceError::Conflict(reason.into()));
        match added {
            Ok(true) => self.load_tokens().await?,
            Ok(false) => {
                return conflict(format!(
                    "there is a token {name:?} already: revoke it first, or take another name"
                ));
            }
            Err(ServiceError::Store(StoreError::Content(ContentError::Count { .. }))) => {
                let reason = "which is the most: revoke one that is not needed";
                return conflict(format!("there are {MAX_TOKENS} tokens, {reason}"));
            }
            Err(error) => return Err(error),
        }
        drop(changing);
        Ok((text, token))
    }

    /// Revokes a token: it counts no more from here on, and its streams of events end.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`]; [`ServiceError::Store`] if it could not be written: then it
    /// counts again after the next start.
    pub async fn revoke_token(&self, name: &str, by: Principal) -> Result<(), ServiceError> {
        let changing = self.shared.tokens.changing.lock().await;
        let mut all = self.shared.tokens.all();
        let before = all.len();
        all.retain(|token| token.name != name);
        if all.len() == before {
            return Err(ServiceError::NotFound { what: "token", name: name.to_owned() });
        }
        // In force first: a disk that fails keeps no operator from it.
        self.shared.tokens.set(all);
        let (name, act) = (name.to_owned(), asked(by, "token revoke", name));
        let removed = self.shared.write(Durability::Synced, move |change| {
            change.remove_token(&name)?;
            change.append_act(&act)
        });
        removed.await?;
        drop(changing);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, text: &str, expires: Option<u64>) -> KeptToken {
        let sha256 = sha256::Hash::hash(text.as_bytes()).to_byte_array();
        KeptToken { name: name.to_owned(), sha256, acts: false, made: 1, expires }
    }

    #[test]
    fn a_token_counts_by_its_whole_text_until_its_end() {
        let tokens = Tokens::default();
        tokens.set(vec![token("payout", "text-a", Some(10)), token("watch", "text-b", None)]);
        let name = |text: &str, at| tokens.with_text(text.as_bytes(), at).map(|token| token.name);
        assert_eq!(name("text-a", 9).as_deref(), Some("payout"));
        assert_eq!(name("text-a", 10), None, "it has expired");
        assert_eq!(name("text-b", u64::MAX).as_deref(), Some("watch"));
        for other in ["", "text-", "text-ab", "TEXT-A", "payout"] {
            assert_eq!(name(other, 9), None, "{other:?}");
        }
    }

    #[test]
    fn a_name_has_small_letters_digits_and_hyphens_within() {
        for name in ["a", "payout", "payout-2", "7"] {
            check_name(name).unwrap();
        }
        let long = "a".repeat(MAX_NAME + 1);
        // A token of the configuration is called by a name with a point.
        for name in ["", "-a", "a-", "A", "a b", "a.b", "api.token_file", "\u{e4}", long.as_str()] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
