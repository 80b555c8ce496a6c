//! The epochs of a key that a node knows, from a first group on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use thiserror::Error;

use super::{CertifiedEpoch, EpochFile, EpochOrder, NotCertified, Parent, UsedHostKeys};
use crate::{KeyId, PlanId, group::Group};

/// How many certified epochs are kept that lead neither to the current one nor to the last that was
/// added.
pub const MAX_FORKS: usize = 16;

/// The certified epochs of a key that a node knows. Each was verified under the group before it, up
/// to a first group: that of the key generation, or at a node that joined later the parent of the
/// plan that it accepted.
///
/// Of those that lead neither to the current epoch nor to the last that was added [`MAX_FORKS`] are
/// kept: the lowest one that leads to nothing makes room. So every epoch can be added, and one that
/// was dropped is taken again when something greater follows it.
#[derive(Clone, Debug)]
pub struct Lineage {
    root: Arc<Group>,
    epochs: BTreeMap<EpochOrder, CertifiedEpoch>,
}

/// Why a recovery file adds no epoch to a lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EpochRefused {
    /// It is of another key.
    #[error("the recovery file is of key {named:#}; this is key {key:#}")]
    OtherKey {
        /// The key that it names.
        named: KeyId,
        /// The key of the lineage.
        key: KeyId,
    },
    /// The epoch is known.
    #[error("the epoch is known")]
    Known,
    /// The epoch before it is not known: its file comes first.
    #[error("the recovery file is of epoch {epoch}, and the epoch before it is not known here")]
    UnknownParent {
        /// The number of the epoch that the file is of.
        epoch: u32,
    },
    /// The certificate is none.
    #[error("{0}")]
    NotCertified(#[from] NotCertified),
}

/// What became of a lineage with an epoch more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// Whether the epoch that was added is the current one now.
    pub is_current: bool,
    /// The epochs that made room for it.
    pub dropped: Vec<EpochOrder>,
}

impl Lineage {
    /// The lineage that begins with this group.
    pub fn new(root: Arc<Group>) -> Self {
        Self { root, epochs: BTreeMap::new() }
    }

    /// The group with which it begins.
    pub fn root(&self) -> &Arc<Group> {
        &self.root
    }

    /// The place of the group with which it begins.
    pub fn root_order(&self) -> EpochOrder {
        EpochOrder::of_root(&self.root)
    }

    /// The key.
    pub fn key(&self) -> KeyId {
        self.root.key_id()
    }

    /// The greatest certified epoch; the first group's place if there is none.
    pub fn current(&self) -> EpochOrder {
        self.epochs.last_key_value().map_or_else(|| self.root_order(), |(order, _)| *order)
    }

    /// The epoch of this place.
    pub fn get(&self, order: EpochOrder) -> Option<&CertifiedEpoch> {
        self.epochs.get(&order)
    }

    /// The group of this place, be it an epoch or the first one.
    pub fn group(&self, order: EpochOrder) -> Option<&Arc<Group>> {
        if order == self.root_order() {
            return Some(&self.root);
        }
        self.get(order).map(CertifiedEpoch::group)
    }

    /// All known epochs, the greatest last.
    pub fn epochs(&self) -> impl DoubleEndedIterator<Item = &CertifiedEpoch> {
        self.epochs.values()
    }

    /// The known epochs of this plan.
    pub fn of_plan(&self, plan: PlanId) -> impl Iterator<Item = &CertifiedEpoch> {
        self.epochs.values().filter(move |epoch| epoch.plan().id() == plan)
    }

    /// The group that the current epoch was made from: not always that of the nearest lower place,
    /// since two plans of one parent may both be certified. None where the first one is current.
    pub fn parent_of_current(&self) -> Option<&Arc<Group>> {
        self.get(self.current()).and_then(|epoch| self.group(epoch.parent()))
    }

    /// The epochs that lead to the current one, the last first.
    pub fn chain(&self) -> impl Iterator<Item = &CertifiedEpoch> {
        self.leading_to(self.current())
    }

    /// This epoch and those that lead to it, the last first.
    fn leading_to(&self, order: EpochOrder) -> impl Iterator<Item = &CertifiedEpoch> {
        std::iter::successors(self.get(order), |epoch| self.get(epoch.parent()))
    }

    /// Verifies a file under the epoch before it. Nothing is verified of what is known.
    ///
    /// # Errors
    ///
    /// [`EpochRefused`] names why it is no new epoch of this lineage.
    pub fn verify(&self, file: &EpochFile) -> Result<CertifiedEpoch, EpochRefused> {
        let parent = *file.plan().parent();
        let (named, key) = (parent.key, self.key());
        if named != key {
            return Err(EpochRefused::OtherKey { named, key });
        }
        let mut refused = EpochRefused::UnknownParent { epoch: file.plan().epoch() };
        // A plan names the shares of its parent. Two transcripts with the same outcome are two
        // places of one group, and a child is verified under either.
        for (place, group) in self.places().filter(|(_, group)| Parent::of(group) == parent) {
            let claimed = CertifiedEpoch::peek(file, group);
            if claimed.is_some_and(|order| self.epochs.contains_key(&order)) {
                return Err(EpochRefused::Known);
            }
            match CertifiedEpoch::verify(file, group, place) {
                Ok(epoch) => return Ok(epoch),
                Err(why) => refused = why.into(),
            }
        }
        Err(refused)
    }

    /// Adds an epoch that was verified here. Where too many forks are kept then, the lowest ones
    /// make room.
    pub fn add(&mut self, epoch: CertifiedEpoch) -> Added {
        let (order, current) = (epoch.order(), self.current());
        self.epochs.insert(order, epoch);
        let leading = self.chain().chain(self.leading_to(order)).map(CertifiedEpoch::order);
        let leading: BTreeSet<EpochOrder> = leading.collect();
        let mut dropped = Vec::new();
        while self.epochs.len() - leading.len() > MAX_FORKS {
            let is_parent = |one: &EpochOrder| self.epochs.values().any(|of| of.parent() == *one);
            let forks = self.epochs.keys().filter(|one| !leading.contains(one));
            // What a fork leads to is a fork as well, so that there is a last one.
            let Some(lowest) = forks.copied().find(|one| !is_parent(one)) else { break };
            self.epochs.remove(&lowest);
            dropped.push(lowest);
        }
        Added { is_current: order > current, dropped }
    }

    /// The host keys of all groups and plans of the lineage.
    pub fn used_host_keys(&self) -> UsedHostKeys {
        let mut used = UsedHostKeys::default();
        self.places().for_each(|(_, group)| used.add_group(group));
        used
    }

    fn places(&self) -> impl Iterator<Item = (EpochOrder, &Arc<Group>)> {
        let root = std::iter::once((self.root_order(), &self.root));
        root.chain(self.epochs.iter().map(|(order, epoch)| (*order, epoch.group())))
    }
}
