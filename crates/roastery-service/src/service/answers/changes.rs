//! The log of changes.

use roastery_store::ChangeEntry;

use crate::service::{Service, ServiceError};

/// The most entries in one answer.
const MOST_LOGGED: usize = 1000;

/// An entry of the log of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedChange {
    /// Its number; the very first one has number 0.
    pub number: u64,
    /// What the group of its key is called here; the key id if it has no name.
    pub name: String,
    /// The entry.
    pub entry: ChangeEntry,
}

impl Service {
    /// At most 1000 entries of the log of changes, from this number on; without one the latest.
    ///
    /// # Errors
    ///
    /// An error of the store.
    pub async fn change_log(&self, from: Option<u64>) -> Result<Vec<LoggedChange>, ServiceError> {
        let entries = self.shared.store(move |store| {
            let latest = store.change_log_length()?.saturating_sub(MOST_LOGGED as u64);
            store.change_log(from.unwrap_or(latest), MOST_LOGGED)
        });
        let logged = entries.await?.into_iter().map(|(number, entry)| LoggedChange {
            number,
            name: self.name_of_key(entry.key),
            entry,
        });
        Ok(logged.collect())
    }
}
