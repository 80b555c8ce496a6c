//! An index of the requests by state and last change, so that no query reads them all.

use std::ops::Bound;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::{GroupId, SessionId};

use super::{
    Part, StoreError, Transaction,
    cipher::Cipher,
    request::{KeptRequest, StateKind},
    snapshot::{Records, Snapshot},
    table::{Record, Table},
};

/// The prefix of the rows of one group's requests in one state.
type Bucket = [u8; 16];

/// One change of a request: the row of its last change is in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct ChangeRecord {
    pub(super) session: SessionId,
    pub(super) changed: u64,
    pub(super) expiry: u64,
    pub(super) approved: Option<u64>,
}

impl KeptRequest {
    /// Its entry in the index.
    pub(super) fn change(&self) -> ChangeRecord {
        ChangeRecord {
            session: self.request.session_id(),
            changed: self.changed,
            expiry: self.request.expiry(),
            approved: self.approved,
        }
    }
}

impl Record for ChangeRecord {
    const TABLE: Table = Table::Changes;
}

/// The number of changes so far: the position of the next one.
#[derive(BorshSerialize, BorshDeserialize)]
struct ChangesLength(u64);

impl Record for ChangesLength {
    const TABLE: Table = Table::ChangesLength;
}

/// The table has one row.
const LENGTH_ROW: &[u8] = b"";

fn bucket(cipher: &Cipher, group: GroupId, state: StateKind) -> Bucket {
    let mut key = [0; 33];
    key[..32].copy_from_slice(group.as_bytes());
    key[32] = state.number();
    first_half(cipher.row(Table::Changes, &key))
}

fn change_row(bucket: Bucket, position: u64) -> [u8; 24] {
    let mut row = [0; 24];
    row[..16].copy_from_slice(&bucket);
    row[16..].copy_from_slice(&position.to_be_bytes());
    row
}

fn position_of(row: &[u8]) -> Result<u64, StoreError> {
    let position = row.get(16..).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    position.ok_or(StoreError::Damaged(Part::Value { table: Table::Changes.name() }))
}

pub(super) fn first_half(row: [u8; 32]) -> Bucket {
    let mut half = [0; 16];
    half.copy_from_slice(&row[..16]);
    half
}

impl Transaction<'_> {
    /// Adds a request that has changed to the index, and returns its position there.
    pub(super) fn enter(
        &mut self,
        group: GroupId,
        state: StateKind,
        change: &ChangeRecord,
    ) -> Result<u64, StoreError> {
        let position = self.get::<ChangesLength>(LENGTH_ROW)?.map_or(0, |length| length.0);
        self.put(LENGTH_ROW, &ChangesLength(position + 1))?;
        let bucket = bucket(self.cipher(), group, state);
        self.put_row(change_row(bucket, position).to_vec(), change)?;
        Ok(position)
    }

    /// Removes a request from the index.
    pub(super) fn leave(&mut self, group: GroupId, state: StateKind, position: u64) {
        let bucket = bucket(self.cipher(), group, state);
        self.remove_row(Table::Changes, change_row(bucket, position).to_vec());
    }
}

impl Snapshot<'_> {
    /// The entries of a group's requests in a state, below a position, in order.
    pub(super) fn changes(
        &self,
        group: GroupId,
        state: StateKind,
        before: u64,
    ) -> Result<Changes, StoreError> {
        let bucket = bucket(self.cipher(), group, state);
        let (from, to) = (change_row(bucket, 0), change_row(bucket, before));
        Ok(Changes(self.range((Bound::Included(&from[..]), Bound::Excluded(&to[..])))?))
    }

    /// The number of changes so far: each position is smaller.
    pub(super) fn changes_length(&self) -> Result<u64, StoreError> {
        Ok(self.get::<ChangesLength>(LENGTH_ROW)?.map_or(0, |length| length.0))
    }

    /// Whether this change is in the index at its place.
    pub(super) fn has_change(
        &self,
        group: GroupId,
        state: StateKind,
        position: u64,
        change: &ChangeRecord,
    ) -> Result<bool, StoreError> {
        let row = change_row(bucket(self.cipher(), group, state), position);
        Ok(self.get_row::<ChangeRecord>(&row)?.as_ref() == Some(change))
    }
}

/// Changes with their positions, from either end.
pub(super) struct Changes(Records<ChangeRecord>);

impl Iterator for Changes {
    type Item = Result<(u64, ChangeRecord), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(placed)
    }
}

impl DoubleEndedIterator for Changes {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(placed)
    }
}

fn placed(
    found: Result<(Vec<u8>, ChangeRecord), StoreError>,
) -> Result<(u64, ChangeRecord), StoreError> {
    let (row, change) = found?;
    Ok((position_of(&row)?, change))
}
