use std::{collections::HashSet, sync::Arc};

use roastery_frost::Seat;
use roastery_node::driver::SwitchReport;
use roastery_protocol::{
    KeyId,
    change::{EpochFile, EpochOrder, Holding, Missing, Parent, PersonsWord},
    group::{Epoch, Group, Member, PeerId},
};
use roastery_store::{HostKeyFiles, MadeBackups, Store};

use crate::service::{
    Service, ServiceError, change::known::names_of_key, epochs::running::KeyService,
};

/// The epochs of a key, as this node knows them.
#[derive(Clone, Debug)]
pub struct EpochsStatus {
    /// The key.
    pub key: KeyId,
    /// What the group is called here; the key id if it has no name.
    pub name: String,
    /// The greatest certified epoch that is known here.
    pub current: EpochOrder,
    /// Its group.
    pub group: Arc<Group>,
    /// The names of its members and whether they are this node, by seat.
    pub members: Vec<(String, bool)>,
    /// What they say of it.
    pub receipts: Vec<(Seat, Holding)>,
    /// How far this node is with it; none without a seat in it, or for the group of the key
    /// generation.
    pub holding: Option<Holding>,
    /// What this node's person has done for it.
    pub word: Option<PersonsWord>,
    /// The lower places whose shares or host keys are in this node's store, the lowest first.
    pub held: Vec<EpochOrder>,
    /// The lower epochs that are known, the lowest first, each with how far its shares are erased.
    pub lower: Vec<LowerEpoch>,
    /// Whether this node erases as soon as nothing is missing.
    pub erasing: bool,
    /// What is missing for that.
    pub missing: Vec<Missing>,
    /// Backups of this node that have shares of lower epochs, as far as it knows.
    pub backups: Vec<MadeBackups>,
    /// Files that were made with host keys of lower epochs.
    pub host_key_files: Vec<HostKeyFiles>,
    /// Why the last step with an epoch was not done, if that is so.
    pub problem: Option<String>,
}

/// How far the shares of an epoch below the current one are erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowerEpoch {
    /// The epoch.
    pub place: EpochOrder,
    /// So many of its shares must be erased: then fewer are left than sign.
    pub needed: usize,
    /// So many are, as the members of the current epoch say that hold them. Of one that has no seat
    /// in that it is not known.
    pub erased: usize,
}

/// How far the shares of each lower epoch are erased, the lowest epoch first.
fn erased_below(report: &SwitchReport) -> Vec<LowerEpoch> {
    let of_current = report.current_group().map_or(&[][..], |group| group.members());
    // Who has erased has erased the shares of all lower epochs.
    let has_erased =
        |seat: &Seat| matches!(report.receipts.get(seat), Some(Holding::Erased { .. }));
    let erasers = report.receipts.keys().filter(|seat| has_erased(seat));
    let erasers: Vec<_> = erasers.filter_map(|seat| of_current.get(seat.index())).collect();
    // A node erases what all its seats had, also where it has fewer now.
    let is_of_eraser = |member: &Member| {
        let is_its =
            |one: &&Member| one.identity_key == member.identity_key || one.peer == member.peer;
        erasers.iter().any(is_its)
    };
    // Two places may be of one group, whose shares are the same.
    let mut seen = HashSet::new();
    let below = report.groups.iter().filter(|(place, _)| **place < report.current);
    let each = below.filter(|(_, group)| seen.insert(Parent::of(group)));
    let lower = each.map(|(place, group)| LowerEpoch {
        place: *place,
        needed: group.size() + 1 - group.threshold(),
        erased: group.members().iter().filter(|member| is_of_eraser(member)).count(),
    });
    lower.collect()
}

/// Whether such a file gives a share that is superseded: of a lower epoch, or of one beside the
/// current one.
fn is_to_be_destroyed(file: &HostKeyFiles, key: KeyId, current: Epoch) -> bool {
    let is_current = (file.epoch, file.plan) == (current.number(), current.plan());
    file.key == key && file.epoch <= current.number() && !is_current
}

impl Service {
    /// The epochs of all keys.
    ///
    /// # Errors
    ///
    /// An error of the store.
    pub async fn epochs(&self) -> Result<Vec<EpochsStatus>, ServiceError> {
        let services: Vec<Arc<KeyService>> = self.lock_keys().values().cloned().collect();
        let mut all = Vec::with_capacity(services.len());
        for service in services {
            all.push(self.epochs_of(&service).await?);
        }
        Ok(all)
    }

    /// The epochs of the key of a group, by the name or id of a group or by the key id.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`], and an error of the store.
    pub async fn epochs_of_key(&self, key: &str) -> Result<EpochsStatus, ServiceError> {
        self.epochs_of(&*self.find_key(key)?).await
    }

    pub(super) async fn epochs_of(
        &self,
        service: &KeyService,
    ) -> Result<EpochsStatus, ServiceError> {
        let report = service.report();
        let group = report.current_group().cloned().ok_or(ServiceError::NoAnswer)?;
        let names = self.names_in(service.key).await?;
        let members =
            group.members().iter().map(|member| (names(&member.peer), member.peer == self.peer));
        let lower = report.groups.iter().filter(|(place, _)| **place < report.current);
        let lower: Vec<_> = lower.map(|(_, group)| group.id()).collect();
        let mut backups = self.shared.store(|store| store.made_backups()).await?;
        backups.retain(|one| one.groups.iter().any(|group| lower.contains(group)));
        let (key, current) = (service.key, *group.epoch());
        let mut host_key_files = self.shared.store(|store| store.host_key_files()).await?;
        host_key_files.retain(|one| is_to_be_destroyed(one, key, current));
        let held = report.held.iter().filter(|place| **place < report.current).copied();
        Ok(EpochsStatus {
            key: service.key,
            name: self.name_of_key(service.key),
            current: report.current,
            members: members.collect(),
            receipts: report.receipts.iter().map(|(seat, holding)| (*seat, *holding)).collect(),
            holding: report.holding,
            word: report.word,
            held: held.collect(),
            lower: erased_below(&report),
            erasing: report.erasing,
            missing: if report.superseded == 0 { Vec::new() } else { report.missing },
            backups,
            host_key_files,
            problem: service.problem.get().map(|(_, why)| why),
            group,
        })
    }

    /// What the members of a key are called in it, whatever another group calls them. Where neither
    /// the recovery file of the key generation nor a certified plan says that, it is what the node
    /// calls the peer: of a plan's epoch that does not happen.
    pub(super) async fn names_in(
        &self,
        key: KeyId,
    ) -> Result<impl Fn(&PeerId) -> String + use<'_>, ServiceError> {
        let read = move |store: &Store| Ok((names_of_key(store, key)?, store.epochs(key)?.files));
        let (mut names, mut files) = self.shared.store(read).await?;
        // A plan that this node has taken no part in is in the recovery file of its epoch only.
        files.sort_by_key(|file| std::cmp::Reverse((file.plan().epoch(), file.plan().number())));
        for plan in files.iter().map(EpochFile::plan) {
            for (member, name) in plan.members().iter().zip(plan.names()) {
                names.entry(member.peer.clone()).or_insert_with(|| name.clone());
            }
        }
        Ok(move |peer: &PeerId| {
            names.get(peer).map_or_else(|| self.shared.name_of(peer), ToString::to_string)
        })
    }

    /// What a person must know of the epochs of this node's keys, each in a line.
    pub(in crate::service) fn epoch_warnings(&self) -> Vec<String> {
        let services: Vec<Arc<KeyService>> = self.lock_keys().values().cloned().collect();
        let mut warnings = Vec::new();
        for service in services {
            let (report, name) = (service.report(), self.name_of_key(service.key));
            let epoch = report.current.epoch();
            if let Some((_, why)) = service.problem.get() {
                warnings.push(format!("{name}: epoch {epoch} is the current one: {why}"));
            }
            let is_first = report.groups.keys().next() == Some(&report.current);
            if !is_first && report.word.is_none() {
                warnings.push(format!(
                    "{name}: epoch {epoch} is the current one, and this node's person has not decided about it: compare its \
                     fingerprint with all members, then roastery group acknowledge {epoch} FINGERPRINT --group {name}"
                ));
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use roastery_protocol::PlanId;

    use super::*;

    #[test]
    fn the_file_of_a_host_key_is_to_be_destroyed_of_each_epoch_up_to_the_current_one_but_that() {
        let (key, plan) = (KeyId::from_bytes([1; 32]), |of: u8| PlanId::from_bytes([of; 32]));
        let current = Epoch::new(2, plan(7)).unwrap();
        let (host, seat, count, last_ms) = ([2; 33], 0, 1, 0);
        let file =
            |epoch, of| HostKeyFiles { host, key, epoch, plan: plan(of), seat, count, last_ms };
        assert!(is_to_be_destroyed(&file(1, 5), key, current));
        assert!(is_to_be_destroyed(&file(2, 6), key, current), "a fork beside the current epoch");
        assert!(!is_to_be_destroyed(&file(2, 7), key, current));
        assert!(!is_to_be_destroyed(&file(3, 8), key, current), "not known to be superseded");
        assert!(!is_to_be_destroyed(&file(1, 5), KeyId::from_bytes([3; 32]), current));
    }
}
