//! The outbox: what this node is to tell through its hooks, until it is told or given up.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_protocol::{GroupId, Seat, SessionId};

use super::{
    MAX_TEXT, Part, Store, StoreError, Transaction, check_text,
    snapshot::Snapshot,
    table::{Record, Table},
};

/// The most notices that wait for one hook. Of more the oldest of the lowest level is dropped.
pub const MAX_NOTICES: u64 = 1000;

/// The longest name of a hook, in bytes.
const MAX_HOOK: usize = 64;

/// The levels, the lowest first.
const LEVELS: usize = 3;

/// The level of what is told before all that is below it.
const URGENT: u8 = 2;

/// What has happened. Its byte in the file is its place here.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum NoticeKind {
    /// A request waits for the operator of this node.
    RequestWaiting,
    /// A request has its signatures.
    Signed,
    /// Too many members have refused a request.
    CannotSucceed,
    /// A member could not be reached for some time.
    MemberGone,
    /// A fault of a member is proven.
    FaultProven,
    /// The health check finds a problem.
    Unhealthy,
    /// A token of the API was made or revoked.
    OperatorChanged,
}

impl NoticeKind {
    /// The level: a notice of a higher one is never dropped for one of a lower one.
    const fn level(self) -> usize {
        match self {
            Self::Signed => 0,
            Self::RequestWaiting
            | Self::CannotSucceed
            | Self::MemberGone
            | Self::OperatorChanged => 1,
            Self::FaultProven | Self::Unhealthy => 2,
        }
    }
}

/// What is to be told: the facts. How they are said is decided when they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id, which stays the same however often it is sent.
    pub id: [u8; 16],
    /// What has happened.
    pub kind: NoticeKind,
    /// When, in milliseconds since 1970 by the wall clock.
    pub time_ms: u64,
    /// The group that it is about, if it is about one.
    pub group: Option<GroupId>,
    /// The session of the request that it is about, if it is about one.
    pub session: Option<SessionId>,
    /// The seat of the member that it is about, if it is about one.
    pub seat: Option<Seat>,
    /// More about it, in at most [`MAX_TEXT`] bytes; it may have texts of other members.
    pub text: String,
}

/// A notice that waits for a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptNotice {
    /// The notice.
    pub notice: Notice,
    place: Place,
}

/// Where a notice waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    level: u8,
    number: u64,
}

/// A row of the outbox.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct NoticeRecord {
    /// How many notices the hook had before.
    order: u64,
    id: [u8; 16],
    kind: NoticeKind,
    time_ms: u64,
    group: Option<GroupId>,
    session: Option<SessionId>,
    seat: Option<u16>,
    text: String,
}

impl Record for NoticeRecord {
    const TABLE: Table = Table::Outbox;
}

impl NoticeRecord {
    fn of(notice: &Notice, order: u64) -> Self {
        let Notice { id, kind, time_ms, group, session, seat, text } = notice.clone();
        let seat = seat.map(Seat::to_u16);
        Self { order, id, kind, time_ms, group, session, seat, text }
    }

    fn read(self) -> Result<Notice, StoreError> {
        let Self { id, kind, time_ms, group, session, seat, text, .. } = self;
        let seat = seat.map(|seat| Seat::new(seat.into())).transpose().map_err(|_| damaged())?;
        Ok(Notice { id, kind, time_ms, group, session, seat, text })
    }
}

fn damaged() -> StoreError {
    StoreError::Damaged(Part::Value { table: Table::Outbox.name() })
}

/// The numbers of the notices of one level that wait: from the first to before the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Line {
    begin: u64,
    end: u64,
}

impl Line {
    fn len(self) -> u64 {
        self.end.saturating_sub(self.begin)
    }
}

#[derive(Clone, Default, BorshSerialize, BorshDeserialize)]
pub(super) struct HookRecord {
    hook: String,
    /// How many notices it ever had.
    next: u64,
    lines: [Line; LEVELS],
    counts: Counts,
}

impl Record for HookRecord {
    const TABLE: Table = Table::Hooks;
}

/// What became of the notices of a hook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Counts {
    /// How many were told.
    pub delivered: u64,
    /// How many were dropped, because more waited than are kept.
    pub dropped: u64,
    /// How many were given up, because they were not taken for too long.
    pub given_up: u64,
    /// When one was told last, in milliseconds since 1970 by the wall clock.
    pub last_delivered_ms: Option<u64>,
}

/// A hook in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptHook {
    /// Its name.
    pub name: String,
    /// How many notices wait for it.
    pub waiting: u64,
    /// What became of the others.
    pub counts: Counts,
}

/// How a notice has ended.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeEnd {
    /// It was told, at this time in milliseconds since 1970.
    Delivered(u64),
    /// It was given up.
    GivenUp,
    /// There is nothing to tell any more.
    Moot,
}

/// That something was put into the outbox about a request; it is not put there again.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct ToldRecord {
    kind: NoticeKind,
    session: SessionId,
}

impl Record for ToldRecord {
    const TABLE: Table = Table::Told;
}

/// What is told once about a request at most, and is not its end.
const ONCE: [NoticeKind; 2] = [NoticeKind::RequestWaiting, NoticeKind::CannotSucceed];

fn told_key(kind: NoticeKind, session: SessionId) -> Vec<u8> {
    [&[kind as u8][..], session.as_bytes()].concat()
}

fn notice_key(hook: &str, Place { level, number }: Place) -> Vec<u8> {
    [&[level][..], &number.to_be_bytes(), hook.as_bytes()].concat()
}

impl Store {
    /// The notice that is to be told next through a hook: the one that has waited longest.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn next_notice(&self, hook: &str) -> Result<Option<KeptNotice>, StoreError> {
        let snapshot = self.vault.snapshot()?;
        let Some(head) = snapshot.get::<HookRecord>(hook.as_bytes())? else { return Ok(None) };
        let mut next: Option<((bool, u64), Place, NoticeRecord)> = None;
        for (level, line) in (0..).zip(head.lines) {
            if line.len() == 0 {
                continue;
            }
            let place = Place { level, number: line.begin };
            let record: NoticeRecord =
                snapshot.get(&notice_key(hook, place))?.ok_or_else(damaged)?;
            // What is urgent waits for nothing that is not.
            let order = (level < URGENT, record.order);
            if next.as_ref().is_none_or(|(first, ..)| order < *first) {
                next = Some((order, place, record));
            }
        }
        let read = |(_, place, record): (_, _, NoticeRecord)| {
            Ok(KeptNotice { notice: record.read()?, place })
        };
        next.map(read).transpose()
    }

    /// All hooks that ever had notices, by name.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn hooks(&self) -> Result<Vec<KeptHook>, StoreError> {
        let mut hooks = self.vault.snapshot()?.collect(|record: HookRecord| {
            let waiting = record.lines.map(Line::len).iter().sum();
            Ok(Some(KeptHook { name: record.hook, waiting, counts: record.counts }))
        })?;
        hooks.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(hooks)
    }
}

impl Transaction<'_> {
    /// Puts a notice into the outbox of a hook. Returns how many were dropped for it: one, perhaps
    /// this one, if [`MAX_NOTICES`] wait.
    ///
    /// # Errors
    ///
    /// [`ContentError::TextTooLong`](super::ContentError::TextTooLong).
    pub fn put_notice(&mut self, hook: &str, notice: &Notice) -> Result<u64, StoreError> {
        check_text(hook, MAX_HOOK)?;
        check_text(&notice.text, MAX_TEXT)?;
        let mut head = self.hook(hook)?;
        let level = notice.kind.level();
        let place = Place { level: level as u8, number: head.lines[level].end };
        self.put(&notice_key(hook, place), &NoticeRecord::of(notice, head.next))?;
        head.next += 1;
        head.lines[level].end += 1;
        let mut dropped = 0;
        while head.lines.map(Line::len).iter().sum::<u64>() > MAX_NOTICES {
            let lowest = head.lines.iter().position(|line| line.len() > 0);
            let Some(level) = lowest else { break };
            let place = Place { level: level as u8, number: head.lines[level].begin };
            self.remove_notice(hook, place);
            head.lines[level].begin += 1;
            dropped += 1;
        }
        head.counts.dropped = head.counts.dropped.saturating_add(dropped);
        self.put(hook.as_bytes(), &head)?;
        Ok(dropped)
    }

    /// Notes that something is told about a request. `false` if it was told before, or the request
    /// is not known.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if a record was altered.
    pub fn tell_once(&mut self, kind: NoticeKind, session: SessionId) -> Result<bool, StoreError> {
        let key = told_key(kind, session);
        if self.get::<ToldRecord>(&key)?.is_some() || self.request(session)?.is_none() {
            return Ok(false);
        }
        self.put(&key, &ToldRecord { kind, session })?;
        Ok(true)
    }

    /// The notice that is first in its line leaves the outbox. One that was dropped meanwhile
    /// changes nothing but the count of those that were told.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if a record was altered.
    pub fn end_notice(
        &mut self,
        hook: &str,
        kept: &KeptNotice,
        end: NoticeEnd,
    ) -> Result<(), StoreError> {
        let mut head = self.hook(hook)?;
        let waits = head.lines.get_mut(usize::from(kept.place.level)).is_some_and(|line| {
            let waits = line.begin == kept.place.number && line.len() > 0;
            line.begin += u64::from(waits);
            waits
        });
        if waits {
            self.remove_notice(hook, kept.place);
        }
        let counts = &mut head.counts;
        match end {
            NoticeEnd::Delivered(time_ms) => {
                counts.delivered = counts.delivered.saturating_add(1);
                counts.last_delivered_ms = Some(time_ms);
            }
            NoticeEnd::GivenUp if waits => counts.given_up = counts.given_up.saturating_add(1),
            NoticeEnd::GivenUp | NoticeEnd::Moot => {}
        }
        self.put(hook.as_bytes(), &head)
    }

    /// Removes a hook with its notices. Returns how many have waited.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if a record was altered.
    pub fn forget_hook(&mut self, hook: &str) -> Result<u64, StoreError> {
        let head = self.hook(hook)?;
        for (level, line) in (0..).zip(head.lines) {
            (line.begin..line.end).for_each(|number| {
                self.remove_notice(hook, Place { level, number });
            });
        }
        let row = self.cipher().row(Table::Hooks, hook.as_bytes()).to_vec();
        self.remove_row(Table::Hooks, row);
        Ok(head.lines.map(Line::len).iter().sum())
    }

    /// What was told about a request is forgotten with it.
    pub(super) fn forget_told(&mut self, session: SessionId) {
        for kind in ONCE {
            let row = self.cipher().row(Table::Told, &told_key(kind, session)).to_vec();
            self.remove_row(Table::Told, row);
        }
    }

    fn hook(&self, hook: &str) -> Result<HookRecord, StoreError> {
        let new = || HookRecord { hook: hook.to_owned(), ..HookRecord::default() };
        Ok(self.get(hook.as_bytes())?.unwrap_or_else(new))
    }

    fn remove_notice(&mut self, hook: &str, place: Place) {
        let row = self.cipher().row(Table::Outbox, &notice_key(hook, place)).to_vec();
        self.remove_row(Table::Outbox, row);
    }
}

/// Opens every notice, and checks that those are there which the hooks have, and no others.
pub(super) fn check(snapshot: &Snapshot<'_>) -> Result<(), StoreError> {
    let mut waiting = 0;
    snapshot.each(|head: HookRecord| {
        for (level, line) in (0..).zip(head.lines) {
            for number in line.begin..line.end {
                let key = notice_key(&head.hook, Place { level, number });
                let record: NoticeRecord = snapshot.get(&key)?.ok_or_else(damaged)?;
                record.read()?;
                waiting += 1;
            }
        }
        Ok(())
    })?;
    snapshot.each(|_: ToldRecord| Ok(()))?;
    if snapshot.count(Table::Outbox)? == waiting { Ok(()) } else { Err(damaged()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_notice_and_of_its_hook_are_those_of_the_document() {
        let notice = Notice {
            id: [1; 16],
            kind: NoticeKind::FaultProven,
            time_ms: 2,
            group: Some(GroupId::from_bytes([3; 32])),
            session: None,
            seat: Some(Seat::new(4).unwrap()),
            text: "ab".to_owned(),
        };
        let record = borsh::to_vec(&NoticeRecord::of(&notice, 5)).unwrap();
        let mut expected = vec![5, 0, 0, 0, 0, 0, 0, 0];
        expected.extend([1; 16]);
        expected.extend([4, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
        expected.extend([3; 32]);
        expected.extend([0, 1, 4, 0, 2, 0, 0, 0, b'a', b'b']);
        assert_eq!(record, expected);
        let counts = Counts { delivered: 6, dropped: 7, given_up: 8, last_delivered_ms: Some(9) };
        let line = |begin, end| Line { begin, end };
        let lines = [line(1, 2), line(3, 4), line(0, 0)];
        let head = HookRecord { hook: "a".to_owned(), next: 5, lines, counts };
        let numbers = |numbers: &[u64]| {
            numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()
        };
        let mut expected = vec![1, 0, 0, 0, b'a'];
        expected.extend(numbers(&[5, 1, 2, 3, 4, 0, 0, 6, 7, 8]));
        expected.push(1);
        expected.extend(numbers(&[9]));
        assert_eq!(borsh::to_vec(&head).unwrap(), expected);
        let kinds = [
            NoticeKind::RequestWaiting,
            NoticeKind::Signed,
            NoticeKind::CannotSucceed,
            NoticeKind::MemberGone,
            NoticeKind::FaultProven,
            NoticeKind::Unhealthy,
            NoticeKind::OperatorChanged,
        ];
        for (byte, kind) in (0..).zip(kinds) {
            assert_eq!(borsh::to_vec(&kind).unwrap(), [byte], "{kind:?}");
        }
    }
}
