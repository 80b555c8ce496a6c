//! The records of a node: proofs, the audit log, a backup.

use bitcoin::hashes::{Hash as _, sha256};
use roastery_protocol::{
    ProofId,
    member::proof::{Proof, ProvenFault, Verdict},
};
use roastery_store::{AuditEntry, KeptRequest};

use crate::service::{
    Service, ServiceError, answers::requests::has_prefix, exactly_one, group::summaries::Summary,
    now_ms,
};

/// The most log entries in one answer.
const MOST_LOGGED: usize = 1000;

/// A proof that this node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldProof {
    /// The id of the proof.
    pub id: ProofId,
    /// The name of the group at this node.
    pub group: String,
    /// The name of the member at fault, from its card.
    pub name: String,
    /// What it proves.
    pub proven: ProvenFault,
}

/// A share that has left this node.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedShare {
    /// Its number in the audit log; the very first entry has number 0.
    pub number: u64,
    /// Its entry.
    pub entry: AuditEntry,
    /// The name of the group at this node; empty if the group is not in the store any more.
    pub group: String,
    /// What it was about; `None` if the request is not in the store any more, or could not be
    /// parsed yet.
    pub summary: Option<Summary>,
}

impl Service {
    /// All proofs that this node holds.
    ///
    /// # Errors
    ///
    /// An error of the store.
    pub async fn evidence(&self) -> Result<Vec<HeldProof>, ServiceError> {
        let mut all = Vec::new();
        for group in self.groups() {
            let id = group.group.id();
            for kept in self.shared.store(move |store| store.proofs(id)).await? {
                let Verdict::Invalid(proven) = kept.proof.verify(&group.group) else { continue };
                let (group, name) = (group.name.clone(), group.name_of(proven.accused));
                all.push(HeldProof { id: kept.proof.id(), group, name, proven });
            }
        }
        Ok(all)
    }

    /// A proof as a file, by its id or a prefix of it.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub async fn proof(&self, id: &str) -> Result<Vec<u8>, ServiceError> {
        let mut all: Vec<Proof> = Vec::new();
        for group in self.groups() {
            let group = group.group.id();
            let kept = self.shared.store(move |store| store.proofs(group)).await?;
            all.extend(kept.into_iter().map(|kept| kept.proof));
        }
        let named = all.iter().filter(|proof| has_prefix(&proof.id().to_string(), id));
        Ok(exactly_one("proof", id, named)?.encode())
    }

    /// Entries of the audit log from this number on, at most 1000.
    ///
    /// # Errors
    ///
    /// An error of the store, which names an entry that is missing or was altered.
    pub async fn log(&self, from: u64, most: usize) -> Result<Vec<LoggedShare>, ServiceError> {
        let most = most.min(MOST_LOGGED);
        let entries = self
            .shared
            .store(move |store| {
                let entries = store.audit(from, most)?.into_iter();
                entries.map(|entry| Ok((store.request(entry.1.session)?, entry))).collect()
            })
            .await?;
        let entries: Vec<(Option<KeptRequest>, (u64, AuditEntry))> = entries;
        let groups = self.groups();
        let logged = |(kept, (number, entry)): (Option<KeptRequest>, (u64, AuditEntry))| {
            let group = groups.iter().find(|group| group.group.id() == entry.group);
            let summary = kept.zip(group).and_then(|(kept, group)| group.summary_of(&kept));
            let group = group.map(|group| group.name.clone()).unwrap_or_default();
            LoggedShare { number, entry, group, summary }
        };
        Ok(entries.into_iter().map(logged).collect())
    }

    /// A backup of the store: a file, encrypted like the store itself.
    ///
    /// # Errors
    ///
    /// An error of the store or of the disk.
    pub async fn backup(&self) -> Result<Vec<u8>, ServiceError> {
        // Those shares are in it that are here before it is begun.
        let groups = self.shared.store(|store| store.backed_up()).await?;
        // Made in memory: it has the keys of epochs, of which nothing may stay in the free blocks
        // of this disk.
        let read = self.shared.store(|store| store.backup_bytes()).await?;
        // What it has is to be destroyed one day: it does not leave without a record.
        // Whether it arrives where it is to be kept is said with the digest of the file there.
        let sha256 = sha256::Hash::hash(&read).to_byte_array();
        self.shared.store(move |store| store.keep_backup(groups, sha256, now_ms())).await?;
        Ok(read)
    }
}
