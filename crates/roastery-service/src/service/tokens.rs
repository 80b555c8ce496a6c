//! The tokens with which programs call the API: each has a name, a role, and an end.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use bitcoin::{
    hashes::{Hash as _, sha256},
    hex::DisplayHex as _,
};
use roastery_store::{ContentError, KeptToken, MAX_TOKENS, Principal, StoreError};
use subtle::ConstantTimeEq as _;
use tokio::{sync::watch, time::timeout};
use zeroize::Zeroizing;

use crate::{
    config::names::{LABEL_RULE, is_label},
    service::{Service, ServiceError, admitted::Admission, now, role::Role, shared::Shared},
};

/// The longest life of a token that ends, in seconds: ten years.
const LONGEST_LIFE: u64 = 3650 * 24 * 60 * 60;

/// How often the end of a token is looked at, whose client waits for events.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// The token of the store that a client has brought. Another token of the same name is not this
/// one. There is none at the socket, nor of a client with a token of the configuration: these are
/// admitted as long as the node runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brought(Option<[u8; 32]>);

/// The tokens that count. The store may have one more, whose revocation the disk did not take.
#[derive(Debug, Default)]
pub(in crate::service) struct Tokens {
    all: RwLock<Vec<KeptToken>>,
    changed: watch::Sender<()>,
    /// Held while one is added or revoked.
    changing: tokio::sync::Mutex<()>,
}

impl Tokens {
    fn all(&self) -> Vec<KeptToken> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<KeptToken>) -> T) -> T {
        let done = change(&mut self.all.write().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_replace(());
        done
    }

    fn admits(&self, Brought(brought): Brought, at: u64) -> bool {
        let is_it = |token: &KeptToken| Some(token.sha256) == brought && counts(token, at);
        brought.is_none() || self.all().iter().any(is_it)
    }

    /// Waits until this token counts no more.
    async fn ended(&self, brought: Brought) {
        let mut changes = self.changed.subscribe();
        while self.admits(brought, now()) {
            // The clock may be set, so that no time until its end is known.
            let _ = timeout(LOOK_EVERY, changes.changed()).await;
        }
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
    if is_label(name) {
        return Ok(());
    }
    Err(ServiceError::Invalid(format!("the name of a token has {LABEL_RULE}").into()))
}

impl Shared {
    async fn add_token(&self, token: &KeptToken, by: Principal) -> Result<(), ServiceError> {
        let changing = self.tokens.changing.lock().await;
        let role = if token.acts { Role::Operator } else { Role::Reader };
        let about = format!("{}, {role}", token.name);
        let (kept, told) = (token.clone(), format!("a new token: {about}"));
        let admission = Admission { by, operation: "token add", about: &about, told };
        let added = self.admit(admission, move |change| change.keep_token(&kept)).await;
        let conflict = |reason: String| Err(ServiceError::Conflict(reason.into()));
        match added {
            // The others stay as they are here: the store may have one that is revoked.
            Ok(true) => self.tokens.change(|all| all.push(token.clone())),
            Ok(false) => {
                let name = &token.name;
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
        Ok(())
    }

    async fn revoke_token(&self, name: &str, by: Principal) -> Result<(), ServiceError> {
        let changing = self.tokens.changing.lock().await;
        // In force first: a disk that fails keeps no operator from it.
        let counted = self.tokens.change(|all| {
            let before = all.len();
            all.retain(|token| token.name != name);
            all.len() < before
        });
        let (kept, told) = (name.to_owned(), format!("a token is revoked: {name}"));
        let admission = Admission { by, operation: "token revoke", about: name, told };
        let removed = self.admit(admission, move |change| change.remove_token(&kept)).await?;
        drop(changing);
        if counted || removed {
            return Ok(());
        }
        Err(ServiceError::NotFound { what: "token", name: name.to_owned() })
    }
}

impl Service {
    pub(in crate::service) async fn load_tokens(&self) -> Result<(), ServiceError> {
        let kept = self.shared.store(|store| store.tokens()).await?;
        self.shared.tokens.change(|all| *all = kept);
        Ok(())
    }

    /// Who brings this token, what it may do, and which one it is; `None` if there is none of this
    /// text, or it has expired.
    pub fn bearer(&self, text: &[u8]) -> Option<(Principal, Role, Brought)> {
        let token = self.shared.tokens.with_text(text, now())?;
        let role = if token.acts { Role::Operator } else { Role::Reader };
        Some((Principal::Token(token.name), role, Brought(Some(token.sha256))))
    }

    /// Whether a client that has brought a token before may go on.
    pub fn still_admits(&self, brought: Brought) -> bool {
        self.shared.tokens.admits(brought, now())
    }

    /// Waits until a client that has brought a token may not go on: at once if the token is
    /// revoked, within 15 s if it has expired.
    pub async fn admits_no_more(self: Arc<Self>, brought: Brought) {
        self.shared.tokens.ended(brought).await;
    }

    /// The tokens that count, those too that have expired.
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
        self.shared.add_token(&token, by).await?;
        Ok((text, token))
    }

    /// Revokes a token: it counts no more from here on, and its streams of events end. One that
    /// the disk did not take may be repeated.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if it is neither here nor in the store; [`ServiceError::Store`]
    /// if it could not be written: then it counts again after the next start.
    pub async fn revoke_token(&self, name: &str, by: Principal) -> Result<(), ServiceError> {
        self.shared.revoke_token(name, by).await
    }
}

#[cfg(test)]
mod tests {
    use roastery_store::Deed;

    use super::*;
    use crate::config::names::MAX_LABEL;
    use crate::service::fixture::TestNode;

    const USER: Principal = Principal::User(1000);

    fn token(name: &str, text: &str, expires: Option<u64>) -> KeptToken {
        let sha256 = sha256::Hash::hash(text.as_bytes()).to_byte_array();
        KeptToken { name: name.to_owned(), sha256, acts: false, made: 1, expires }
    }

    #[test]
    fn a_token_counts_by_its_whole_text_until_its_end() {
        let tokens = Tokens::default();
        let both = [token("payout", "text-a", Some(10)), token("watch", "text-b", None)];
        tokens.change(|all| all.extend(both));
        let name = |text: &str, at| tokens.with_text(text.as_bytes(), at).map(|token| token.name);
        assert_eq!(name("text-a", 9).as_deref(), Some("payout"));
        assert_eq!(name("text-a", 10), None, "it has expired");
        assert_eq!(name("text-b", u64::MAX).as_deref(), Some("watch"));
        for other in ["", "text-", "text-ab", "TEXT-A", "payout"] {
            assert_eq!(name(other, 9), None, "{other:?}");
        }
    }

    fn brought(token: &KeptToken) -> Brought {
        Brought(Some(token.sha256))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_revocation_that_the_disk_did_not_take_is_in_force_and_can_be_repeated() {
        let node = TestNode::start(0).await;
        let shared = &node.shared;
        let (old, new) = (token("payout", "text-a", None), token("watch", "text-b", None));
        shared.add_token(&old, USER).await.unwrap();
        // What such a revocation leaves: the store has the token still.
        shared.tokens.change(Vec::clear);
        shared.add_token(&new, USER).await.unwrap();
        assert_eq!(shared.tokens.all(), std::slice::from_ref(&new));
        assert!(!shared.tokens.admits(brought(&old), 2));
        shared.revoke_token("payout", USER).await.unwrap();
        assert_eq!(shared.store(|store| store.tokens()).await.unwrap(), [new]);
        let none = shared.revoke_token("payout", USER).await.unwrap_err();
        assert!(matches!(none, ServiceError::NotFound { .. }), "{none}");
        // It is recorded where the store has taken it, and once.
        let acts = shared.store(|store| store.acts(0, 9)).await.unwrap();
        let texts: Vec<_> = acts
            .into_iter()
            .map(|(_, kept)| match kept.act.deed {
                Deed::Asked { operation, about } => format!("{operation} {about}"),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected =
            ["token add payout, reader", "token add watch, reader", "token revoke payout"];
        assert_eq!(texts, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_has_ended_once_it_is_revoked_or_expired_also_if_its_name_is_used_again() {
        let tokens = Tokens::default();
        let (old, new) = (token("payout", "text-a", None), token("payout", "text-b", None));
        tokens.change(|all| all.push(old.clone()));
        let mut ended = std::pin::pin!(tokens.ended(brought(&old)));
        timeout(LOOK_EVERY * 3, ended.as_mut()).await.unwrap_err();
        tokens.change(|all| *all = vec![new.clone()]);
        timeout(Duration::ZERO, ended).await.unwrap();
        assert!(tokens.admits(brought(&new), 2) && !tokens.admits(brought(&old), 2));
        // No change says that it has expired.
        let short = token("short", "text-c", Some(now() + 2));
        tokens.change(|all| all.push(short.clone()));
        let mut ended = std::pin::pin!(tokens.ended(brought(&short)));
        timeout(Duration::ZERO, ended.as_mut()).await.unwrap_err();
        std::thread::sleep(Duration::from_millis(2100));
        timeout(LOOK_EVERY * 2, ended).await.unwrap();
        // The operator at the socket has brought none.
        assert!(tokens.admits(Brought::default(), u64::MAX));
    }

    #[test]
    fn a_name_has_small_letters_digits_and_hyphens_within() {
        for name in ["a", "payout", "payout-2", "7"] {
            check_name(name).unwrap();
        }
        let long = "a".repeat(MAX_LABEL + 1);
        // A token of the configuration is called by a name with a point.
        for name in ["", "-a", "a-", "A", "a b", "a.b", "api.token_file", "\u{e4}", long.as_str()] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
