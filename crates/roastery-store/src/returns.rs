//! Seats that return to a new machine: the lines that this node has made, and who came back.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;
use roastery_protocol::{KeyId, returning::ReturnLine};

use super::{
    Act, Durability, Part, Store, StoreError,
    table::{Record, Table},
};

/// The least time between two returns of one seat that are written down, in milliseconds: an hour.
const BETWEEN_MS: u64 = 60 * 60 * 1000;

/// A line to return that this node has made: it has a secret.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct ReturnLineRecord {
    id: [u8; 8],
    line: Vec<u8>,
}

impl Record for ReturnLineRecord {
    const TABLE: Table = Table::ReturnLines;
}

impl Drop for ReturnLineRecord {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.line);
    }
}

/// That a seat came back at a new machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatReturn {
    /// The public host key of the seat, compressed.
    pub host: [u8; 33],
    /// The key of its group.
    pub key: KeyId,
    /// The seat.
    pub seat: Seat,
    /// The seat whose line was used.
    pub through: Seat,
    /// When, in milliseconds since 1970 by the clock of the new machine.
    pub at_ms: u64,
    /// When it was written down here, in milliseconds since 1970.
    pub noted_ms: u64,
    /// Of this node's own return: the seats of the members that have written it down.
    pub told: Vec<Seat>,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct ReturnRecord {
    host: [u8; 33],
    key: KeyId,
    seat: u16,
    through: u16,
    at_ms: u64,
    noted_ms: u64,
    told: Vec<u16>,
}

impl Record for ReturnRecord {
    const TABLE: Table = Table::Returns;
}

impl ReturnRecord {
    pub(super) fn of(one: &SeatReturn) -> Self {
        let SeatReturn { host, key, seat, through, at_ms, noted_ms, told } = one;
        let (seat, through) = (seat.to_u16(), through.to_u16());
        let told = told.iter().map(|seat| seat.to_u16()).collect();
        Self { host: *host, key: *key, seat, through, at_ms: *at_ms, noted_ms: *noted_ms, told }
    }

    fn read(self) -> Result<SeatReturn, StoreError> {
        let Self { host, key, seat, through, at_ms, noted_ms, told } = self;
        let damaged = |_| StoreError::Damaged(Part::Value { table: Self::TABLE.name() });
        let seat_of = |number: u16| Seat::new(number.into()).map_err(damaged);
        let told = told.into_iter().map(seat_of).collect::<Result<_, _>>()?;
        let (seat, through) = (seat_of(seat)?, seat_of(through)?);
        Ok(SeatReturn { host, key, seat, through, at_ms, noted_ms, told })
    }
}

/// What has become of the news that a seat came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnNoted {
    /// It is written down now.
    New,
    /// It was written down before.
    Known,
    /// It is not written down: this seat has come back within the last hour.
    TooSoon,
}

impl Store {
    /// Keeps a line to return in place of what was known of it. It is on the disk when this
    /// returns: what follows from it may leave.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn keep_return_line(&self, id: [u8; 8], line: &ReturnLine) -> Result<(), StoreError> {
        let record = ReturnLineRecord { id, line: line.encode().to_vec() };
        self.write(Durability::Synced, |transaction| transaction.put(&id, &record))
    }

    /// The lines to return that this node has made.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn return_lines(&self) -> Result<Vec<([u8; 8], ReturnLine)>, StoreError> {
        self.vault.snapshot()?.collect(|record: ReturnLineRecord| {
            let damaged = StoreError::Damaged(Part::Value { table: Table::ReturnLines.name() });
            let line = ReturnLine::decode(&record.line).ok_or(damaged)?;
            Ok(Some((record.id, line)))
        })
    }

    /// Forgets a line to return.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn forget_return_line(&self, id: [u8; 8]) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| {
            let row = transaction.cipher().row(Table::ReturnLines, &id).to_vec();
            transaction.remove_row(Table::ReturnLines, row);
            Ok(())
        })
    }

    /// Writes down that another member's seat came back, with an entry among the acts, unless it
    /// was written down before, or the seat has come back within the last hour: a member that says
    /// so without end fills no log.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn note_return(&self, news: &SeatReturn, act: &Act) -> Result<ReturnNoted, StoreError> {
        self.write(Durability::Synced, |transaction| {
            let known: Option<ReturnRecord> = transaction.get(&news.host)?;
            if let Some(known) = known {
                if known.at_ms == news.at_ms && known.through == news.through.to_u16() {
                    return Ok(ReturnNoted::Known);
                }
                let now = news.noted_ms;
                if known.noted_ms <= now && now - known.noted_ms < BETWEEN_MS {
                    return Ok(ReturnNoted::TooSoon);
                }
            }
            transaction.put(&news.host, &ReturnRecord::of(news))?;
            transaction.append_act(act)?;
            Ok(ReturnNoted::New)
        })
    }

    /// A member has written down that this node's seat came back.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn return_is_told(&self, host: &[u8; 33], to: Seat) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| {
            let Some(mut known) = transaction.get::<ReturnRecord>(host)? else { return Ok(()) };
            if !known.told.contains(&to.to_u16()) {
                known.told.push(to.to_u16());
            }
            transaction.put(host, &known)
        })
    }

    /// The returns that are known, of this node's seats and of others.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn returns(&self) -> Result<Vec<SeatReturn>, StoreError> {
        self.vault.snapshot()?.collect(|record: ReturnRecord| record.read().map(Some))
    }
}
