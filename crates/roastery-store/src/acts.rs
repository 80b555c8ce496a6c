//! What clients of the node have asked it to do, and the chain that this makes with the shares that
//! have left.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::hash::tagged_hash;
use roastery_protocol::{GroupId, SessionId};

use super::{
    ContentError, Durability, KeptAssertion, MAX_ASSERTION_PART, MAX_TEXT, Part, Store, StoreError,
    Transaction,
    audit::AuditRecord,
    snapshot::Snapshot,
    table::{Record, Table},
};

const CHAIN: &str = "roastery/store/1/chain";

/// How many entries of the audit log are read at once.
const PAGE: u64 = 64;

/// The table has one row.
const HEAD_ROW: &[u8] = b"";

/// Who has asked the node for something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Principal {
    /// The user of this machine with this number, at the node's socket.
    User(u32),
    /// A program that has brought the token of this name.
    Token(String),
    /// The node itself, which makes good what was asked for before it was stopped.
    Node,
    /// A person elsewhere, with the passkey of this name.
    Passkey(String),
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Deed {
    /// A request for signatures was made here.
    Proposed {
        /// The group that is to sign.
        group: GroupId,
        /// The session of the request.
        session: SessionId,
    },
    /// A request was approved.
    Approved {
        /// The group that is to sign.
        group: GroupId,
        /// The session of the request.
        session: SessionId,
        /// The hash of what was seen, if the approval named it.
        seen: Option<[u8; 32]>,
    },
    /// A request was rejected.
    Rejected {
        /// The group that was to sign.
        group: GroupId,
        /// The session of the request.
        session: SessionId,
        /// The hash of what was seen, if the rejection named it.
        seen: Option<[u8; 32]>,
        /// The reason, in at most [`MAX_TEXT`] bytes.
        text: String,
    },
    /// Another operation, as it was called: a setting, a part in a key generation or a change.
    Asked {
        /// The operation, in at most [`MAX_TEXT`] bytes.
        operation: String,
        /// What it is about, in at most [`MAX_TEXT`] bytes.
        about: String,
    },
    /// A passkey has signed that a request is to be approved or rejected. Whether that took effect
    /// a later act says.
    Asserted {
        /// The group that is to sign.
        group: GroupId,
        /// The session of the request.
        session: SessionId,
        /// The hash of what was seen.
        seen: [u8; 32],
        /// Whether it is to be approved; otherwise it is to be rejected.
        approves: bool,
        /// What was signed, each part in at most [`MAX_ASSERTION_PART`] bytes.
        assertion: KeptAssertion,
    },
}

impl Deed {
    fn texts(&self) -> [&str; 2] {
        match self {
            Self::Proposed { .. } | Self::Approved { .. } | Self::Asserted { .. } => ["", ""],
            Self::Rejected { text, .. } => [text, ""],
            Self::Asked { operation, about } => [operation, about],
        }
    }

    fn longest_part(&self) -> usize {
        let Self::Asserted { assertion, .. } = self else { return 0 };
        assertion.parts().map(<[u8]>::len).into_iter().max().unwrap_or_default()
    }
}

/// An act: who has asked for what.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Act {
    /// When, in milliseconds since 1970 by the wall clock.
    pub time_ms: u64,
    /// Who.
    pub by: Principal,
    /// What.
    pub deed: Deed,
}

/// An act as it is kept, in its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeptAct {
    /// The act.
    pub act: Act,
    /// How many entries the audit log had: those with lower numbers came before.
    pub shares: u64,
    /// The hash of all acts and shares before it.
    pub before: [u8; 32],
}

impl Record for KeptAct {
    const TABLE: Table = Table::Acts;
}

/// The end of the chain.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ChainHead {
    /// The number of acts.
    pub acts: u64,
    /// The number of the first entry of the audit log that is in the chain: the log was begun by a
    /// program without one.
    pub begun: u64,
    /// The hash of all acts and shares.
    pub hash: [u8; 32],
}

impl Record for ChainHead {
    const TABLE: Table = Table::ActsHead;
}

impl ChainHead {
    fn new(begun: u64) -> Self {
        Self { acts: 0, begun, hash: [0; 32] }
    }
}

fn encoded(record: &impl BorshSerialize) -> Vec<u8> {
    borsh::to_vec(record).expect("writing into memory does not fail")
}

/// The hash after a share; an act has the hash before it in itself.
fn after_share(before: [u8; 32], number: u64, record: &AuditRecord) -> [u8; 32] {
    tagged_hash(CHAIN, &[&[0], &before, &number.to_le_bytes(), &encoded(record)])
}

fn after_act(kept: &KeptAct) -> [u8; 32] {
    tagged_hash(CHAIN, &[&[1], &encoded(kept)])
}

impl Store {
    /// At most `most` acts with their numbers, from this number on. The very first has number 0;
    /// acts are added and never changed or removed.
    ///
    /// # Errors
    ///
    /// [`Part::Value`] if one was altered.
    pub fn acts(&self, from: u64, most: usize) -> Result<Vec<(u64, KeptAct)>, StoreError> {
        self.vault.snapshot()?.numbered(from, most)
    }

    /// The end of the chain of acts and shares.
    ///
    /// # Errors
    ///
    /// An error of the disk.
    pub fn chain_head(&self) -> Result<ChainHead, StoreError> {
        self.vault.snapshot()?.head()
    }

    /// Computes the chain anew from all acts and shares. What was cut from the audit log is passed
    /// over.
    ///
    /// # Errors
    ///
    /// [`Part::Chain`] if it does not lead to its end.
    pub fn check_chain(&self) -> Result<ChainHead, StoreError> {
        check(&self.vault.snapshot()?)
    }

    /// Adds an act. It is on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`ContentError::TextTooLong`].
    pub fn append_act(&self, act: &Act) -> Result<(), StoreError> {
        self.write(Durability::Synced, |transaction| transaction.append_act(act))
    }
}

impl Transaction<'_> {
    /// See [`Store::append_act`]. What the act causes is written through the same transaction.
    pub fn append_act(&mut self, act: &Act) -> Result<(), StoreError> {
        let longest = act.deed.texts().map(str::len).into_iter().max().unwrap_or_default();
        if longest > MAX_TEXT {
            return Err(ContentError::TextTooLong { length: longest, most: MAX_TEXT }.into());
        }
        let length = act.deed.longest_part();
        if length > MAX_ASSERTION_PART {
            return Err(ContentError::TextTooLong { length, most: MAX_ASSERTION_PART }.into());
        }
        let shares = self.audit_length()?;
        let head = self.get(HEAD_ROW)?.unwrap_or_else(|| ChainHead::new(shares));
        let kept = KeptAct { act: act.clone(), shares, before: head.hash };
        self.put_row(head.acts.to_be_bytes().to_vec(), &kept)?;
        let hash = after_act(&kept);
        self.put(HEAD_ROW, &ChainHead { acts: head.acts + 1, hash, ..head })
    }

    /// Entries of the audit log that begin at this number go into the chain.
    pub(super) fn chain_shares(
        &mut self,
        first: u64,
        records: &[AuditRecord],
    ) -> Result<(), StoreError> {
        let mut head = self.get(HEAD_ROW)?.unwrap_or_else(|| ChainHead::new(first));
        for (number, record) in (first..).zip(records) {
            head.hash = after_share(head.hash, number, record);
        }
        self.put(HEAD_ROW, &head)
    }
}

impl Snapshot<'_> {
    /// The end of the chain. A store of a program without one has none: its chain begins with the
    /// next entry.
    fn head(&self) -> Result<ChainHead, StoreError> {
        match self.get(HEAD_ROW)? {
            Some(head) => Ok(head),
            None => Ok(ChainHead::new(self.audit_length()?)),
        }
    }
}

/// Computes the chain anew.
pub(super) fn check(snapshot: &Snapshot<'_>) -> Result<ChainHead, StoreError> {
    let head = snapshot.head()?;
    let broken = |act| StoreError::Damaged(Part::Chain { act });
    let (mut hash, mut shares) = ([0; 32], head.begun);
    for number in 0..head.acts {
        let kept: KeptAct = snapshot.get_row(&number.to_be_bytes())?.ok_or(broken(number))?;
        match fold(snapshot, hash, shares, kept.shares)? {
            Some(hash) if hash != kept.before => return Err(broken(number)),
            _ => (hash, shares) = (after_act(&kept), kept.shares),
        }
    }
    if snapshot.count(Table::Acts)? != head.acts {
        return Err(broken(head.acts));
    }
    match fold(snapshot, hash, shares, snapshot.audit_length()?)? {
        Some(hash) if hash != head.hash => Err(broken(head.acts)),
        _ => Ok(head),
    }
}

/// The hash after these shares; `None` if some of them were cut.
fn fold(
    snapshot: &Snapshot<'_>,
    mut hash: [u8; 32],
    from: u64,
    to: u64,
) -> Result<Option<[u8; 32]>, StoreError> {
    if from < to && from < snapshot.audit_begin()? {
        return Ok(None);
    }
    let mut next = from;
    while next < to {
        let most = usize::try_from(PAGE.min(to - next)).unwrap_or(usize::MAX);
        let page = snapshot.numbered::<AuditRecord>(next, most)?;
        if page.is_empty() {
            return Err(StoreError::Damaged(Part::Value { table: Table::Audit.name() }));
        }
        for (number, record) in page {
            hash = after_share(hash, number, &record);
            next = number + 1;
        }
    }
    Ok(Some(hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Passphrase, PassphraseCost};

    fn act(time_ms: u64) -> Act {
        let deed = Deed::Asked { operation: "bar".to_owned(), about: "cleo".to_owned() };
        Act { time_ms, by: Principal::User(1000), deed }
    }

    #[test]
    fn an_act_that_is_written_anew_breaks_the_chain_after_it() {
        let folder = std::env::temp_dir().join(format!("roastery-acts-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let cost = PassphraseCost::new(8, 1, 1).unwrap();
        let words = Passphrase::new("correct horse".to_owned());
        let store = Store::create(folder.join("store"), &words, cost).unwrap();
        (0..3).for_each(|time| store.append_act(&act(time)).unwrap());
        assert_eq!(store.check_chain().unwrap(), store.chain_head().unwrap());
        let acts = store.acts(0, 9).unwrap();
        for (number, kept) in &acts {
            let row = number.to_be_bytes().to_vec();
            let otherwise = KeptAct {
                act: Act { by: Principal::Token("payout".to_owned()), ..kept.act.clone() },
                ..kept.clone()
            };
            let put = |kept: &KeptAct| {
                let write = store.write(Durability::Synced, |transaction| {
                    transaction.put_row(row.clone(), kept)
                });
                write.unwrap();
            };
            put(&otherwise);
            let broken = store.check_chain().unwrap_err();
            let StoreError::Damaged(Part::Chain { act }) = broken else { panic!("{broken}") };
            assert_eq!(act, number + 1);
            put(kept);
        }
        store.check().unwrap();
        drop(store);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
