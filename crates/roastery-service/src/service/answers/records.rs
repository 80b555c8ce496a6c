//! The records of a node: proofs, the audit log, a backup.

use bitcoin::hex::DisplayHex as _;
use roastery_protocol::member::proof::{Proof, Verdict};
use roastery_store::{AuditEntry, KeptRequest};

use crate::{
    service::{
        Service, ServiceError, answers::requests::has_prefix, exactly_one, group::state::said_of,
    },
    view::{Evidence, LogEntry, Time},
};

/// The most log entries in one answer.
const MOST_LOGGED: usize = 1000;

impl Service {
    /// All proofs that this node holds.
    ///
    /// # Errors
    ///
    /// An error of the store.
    pub async fn evidence(&self) -> Result<Vec<Evidence>, ServiceError> {
        let mut all = Vec::new();
        for group in self.groups() {
            let id = group.group.id();
            for kept in self.shared.store(move |store| store.proofs(id)).await? {
                let Verdict::Invalid(finding) = kept.proof.verify(&group.group) else { continue };
                all.push(Evidence {
                    id: kept.proof.id().to_string(),
                    group: group.name.clone(),
                    accused: finding.accused.to_u16(),
                    name: group.name_of(finding.accused),
                    fault: finding.fault.to_string(),
                    session: finding.session.to_string(),
                });
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
    pub async fn log(&self, from: u64, most: usize) -> Result<Vec<LogEntry>, ServiceError> {
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
        let view = |(kept, (number, entry)): (Option<KeptRequest>, (u64, AuditEntry))| {
            let group = groups.iter().find(|group| group.group.id() == entry.group);
            LogEntry {
                number,
                time: Time::from_milliseconds(entry.time_ms),
                group: entry.group.to_string(),
                group_name: group.map(|group| group.name.clone()).unwrap_or_default(),
                session: entry.session.to_string(),
                summary: kept.zip(group).and_then(|(kept, group)| group.summary_of(&kept)),
                seat: entry.seat.to_u16(),
                coordinator: entry.coordinator.to_u16(),
                package: entry.package.to_string(),
                messages: entry.messages.iter().map(|bytes| bytes.to_lower_hex_string()).collect(),
                policy: said_of(&entry.decision),
            }
        };
        Ok(entries.into_iter().map(view).collect())
    }

    /// A backup of the store: a file, encrypted like the store itself.
    ///
    /// # Errors
    ///
    /// An error of the store or of the disk.
    pub async fn backup(&self) -> Result<Vec<u8>, ServiceError> {
        let path = self.shared.folder.unfinished("backup")?;
        let (store, at) = (self.shared.store.clone(), path.clone());
        // An error of the copy's disk is not one of the store's.
        let made = self.shared.runtime.spawn_blocking(move || store.backup(&at)).await;
        let made = made.map_err(|error| ServiceError::Internal(error.into()))?;
        let failed = |error: std::io::Error| {
            ServiceError::Internal(format!("{}: {error}", path.display()).into())
        };
        let read = match made {
            Ok(()) => tokio::fs::read(&path).await.map_err(failed),
            Err(error) => Err(error.into()),
        };
        // If it was not made it does not exist.
        let _ = tokio::fs::remove_file(&path).await;
        read
    }
}
