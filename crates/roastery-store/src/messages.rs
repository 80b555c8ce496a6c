//! An index of the requests by their messages.

use std::ops::Bound;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::{
    GroupId, SessionId,
    request::{MessageToSign, SigningRequest},
};

use super::{
    Durability, KeptRequest, Store, StoreError, Transaction,
    cipher::Cipher,
    index::first_half,
    request_record::RequestRecord,
    snapshot::Snapshot,
    table::{Record, Table},
    vault::Vault,
};

/// A request in the index of messages.
#[derive(PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct MessagesRecord {
    session: SessionId,
}

impl Record for MessagesRecord {
    const TABLE: Table = Table::Messages;
}

impl Store {
    /// The request of a group for exactly these messages that is suitable; of several the one that
    /// changed last.
    ///
    /// # Errors
    ///
    /// An error of the disk, and [`Part::Value`](super::Part::Value).
    pub fn request_for(
        &self,
        group: GroupId,
        messages: &[MessageToSign],
        is_suitable: impl Fn(&KeptRequest) -> bool,
    ) -> Result<Option<KeptRequest>, StoreError> {
        let snapshot = self.vault.snapshot()?;
        let prefix = prefix(snapshot.cipher(), group, messages);
        let (mut from, mut to) = ([0; 32], [u8::MAX; 32]);
        from[..16].copy_from_slice(&prefix);
        to[..16].copy_from_slice(&prefix);
        let rows = (Bound::Included(&from[..]), Bound::Included(&to[..]));
        let mut last: Option<KeptRequest> = None;
        for record in snapshot.range::<MessagesRecord>(rows)? {
            let (_, MessagesRecord { session }) = record?;
            let Some(kept) = snapshot.request(session)? else { continue };
            // The row has half a hash; the messages themselves decide.
            let same = kept.request.group() == group && kept.request.messages() == messages;
            let later = last.as_ref().is_none_or(|last| last.position < kept.position);
            if same && later && is_suitable(&kept) {
                last = Some(kept);
            }
        }
        Ok(last)
    }
}

impl Transaction<'_> {
    /// Adds a request to the index.
    pub(super) fn enter_messages(&mut self, request: &SigningRequest) -> Result<(), StoreError> {
        let row = row(self.cipher(), request);
        self.put_row(row, &MessagesRecord { session: request.session_id() })
    }

    /// Removes a request from the index.
    pub(super) fn leave_messages(&mut self, request: &SigningRequest) {
        let row = row(self.cipher(), request);
        self.remove_row(Table::Messages, row);
    }
}

impl Snapshot<'_> {
    /// Whether this request is in the index.
    pub(super) fn has_messages(&self, request: &SigningRequest) -> Result<bool, StoreError> {
        let found = self.get_row::<MessagesRecord>(&row(self.cipher(), request))?;
        Ok(found == Some(MessagesRecord { session: request.session_id() }))
    }
}

/// Rebuilds the index if it does not match the requests: a program that did not know it has added
/// or removed some.
pub(super) fn make_whole(vault: &Vault) -> Result<(), StoreError> {
    let snapshot = vault.snapshot()?;
    if snapshot.count(Table::Messages)? == snapshot.count(Table::Requests)? {
        return Ok(());
    }
    let commit = vault.commit()?;
    commit.clear(Table::Messages)?;
    snapshot.each(|record: RequestRecord| {
        let kept = record.read()?;
        commit.add(|transaction| transaction.enter_messages(&kept.request))
    })?;
    commit.finish(Durability::Synced)
}

/// The prefix of the rows of a group's requests for these messages.
fn prefix(cipher: &Cipher, group: GroupId, messages: &[MessageToSign]) -> [u8; 16] {
    let key = borsh::to_vec(&(group, messages)).expect("writing into memory does not fail");
    first_half(cipher.row(Table::Messages, &key))
}

fn row(cipher: &Cipher, request: &SigningRequest) -> Vec<u8> {
    let mut row = prefix(cipher, request.group(), request.messages()).to_vec();
    row.extend(first_half(cipher.row(Table::Messages, request.session_id().as_bytes())));
    row
}
