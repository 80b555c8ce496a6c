//! The tokens with which programs call the node: what is kept of each does not give the token.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{
    ContentError, Store, StoreError, Transaction,
    table::{Record, Table},
};

/// The most tokens that are kept.
pub const MAX_TOKENS: usize = 64;

/// The table has one row.
const ROW: &[u8] = b"";

/// A token of the API, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeptToken {
    /// Its name, which no other token has.
    pub name: String,
    /// The SHA-256 of its text.
    pub sha256: [u8; 32],
    /// Whether it may act; otherwise it may only read.
    pub acts: bool,
    /// When it was made, in seconds since 1970.
    pub made: u64,
    /// From when on it counts no more, in seconds since 1970; `None` if it counts until it is
    /// revoked.
    pub expires: Option<u64>,
}

#[derive(Default, BorshSerialize, BorshDeserialize)]
pub(super) struct TokensRecord(Vec<KeptToken>);

impl Record for TokensRecord {
    const TABLE: Table = Table::Tokens;
}

impl Store {
    /// The tokens, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if they were altered.
    pub fn tokens(&self) -> Result<Vec<KeptToken>, StoreError> {
        let kept: Option<TokensRecord> = self.vault.snapshot()?.get(ROW)?;
        Ok(kept.unwrap_or_default().0)
    }
}

impl Transaction<'_> {
    /// Keeps a new token; `false` if there is one of this name. Must be synced.
    ///
    /// # Errors
    ///
    /// [`ContentError::Count`] if there are [`MAX_TOKENS`] already.
    pub fn keep_token(&mut self, token: &KeptToken) -> Result<bool, StoreError> {
        let TokensRecord(mut all) = self.get(ROW)?.unwrap_or_default();
        if all.iter().any(|other| other.name == token.name) {
            return Ok(false);
        }
        all.push(token.clone());
        if all.len() > MAX_TOKENS {
            return Err(ContentError::Count { count: all.len() }.into());
        }
        self.put(ROW, &TokensRecord(all))?;
        Ok(true)
    }

    /// Removes the token of this name; `false` if there is none. Must be synced.
    ///
    /// # Errors
    ///
    /// [`Part::Value`](super::Part::Value) if they were altered.
    pub fn remove_token(&mut self, name: &str) -> Result<bool, StoreError> {
        let TokensRecord(mut all) = self.get(ROW)?.unwrap_or_default();
        let before = all.len();
        all.retain(|token| token.name != name);
        let removed = all.len() < before;
        if removed {
            self.put(ROW, &TokensRecord(all))?;
        }
        Ok(removed)
    }
}
