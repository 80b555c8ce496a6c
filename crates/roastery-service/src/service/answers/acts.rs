//! The record of what clients have asked this node to do.

use roastery_store::{Deed, KeptAct};

use crate::service::{Service, ServiceError, shared::Shared};

/// The most acts in one answer.
const MOST_ACTS: usize = 1000;

/// What clients have asked this node to do, and the end of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedActs {
    /// The acts.
    pub acts: Vec<RecordedAct>,
    /// How many there are.
    pub count: u64,
    /// The hash of all acts and of all shares that have left.
    pub hash: [u8; 32],
}

/// An act, with the name of its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedAct {
    /// Its number; the very first act has number 0.
    pub number: u64,
    /// The act, in its place in the chain.
    pub kept: KeptAct,
    /// The name of the group at this node; empty if it is about none, or the group is not in the
    /// store any more.
    pub group: String,
}

impl Service {
    /// What clients have asked for, from this number on, at most 1000.
    ///
    /// # Errors
    ///
    /// An error of the store, which names an entry that was altered.
    pub async fn acts(&self, from: u64, most: usize) -> Result<RecordedActs, ServiceError> {
        let most = most.min(MOST_ACTS);
        let read = self.shared.store(move |store| {
            let acts = store.acts(from, most)?;
            Ok((store.chain_head()?, acts))
        });
        let (head, acts) = read.await?;
        let groups = self.groups();
        let name_of = |deed: &Deed| {
            let (Deed::Proposed { group, .. }
            | Deed::Approved { group, .. }
            | Deed::Rejected { group, .. }
            | Deed::Asserted { group, .. }) = deed
            else {
                return String::new();
            };
            let known = groups.iter().find(|known| known.group.id() == *group);
            known.map(|known| known.name.clone()).unwrap_or_default()
        };
        let acts = acts.into_iter().map(|(number, kept)| {
            let group = name_of(&kept.act.deed);
            RecordedAct { number, kept, group }
        });
        Ok(RecordedActs { acts: acts.collect(), count: head.acts, hash: head.hash })
    }

    /// Computes the chain of acts and shares anew: how many acts it has, and its hash.
    ///
    /// # Errors
    ///
    /// [`ServiceError::TooMany`] while it is computed for another caller; an error of the store,
    /// which says where the chain breaks.
    pub async fn check_acts(&self) -> Result<(u64, [u8; 32]), ServiceError> {
        self.shared.check_acts().await
    }
}

impl Shared {
    async fn check_acts(&self) -> Result<(u64, [u8; 32]), ServiceError> {
        let Ok(_turn) = self.checking.try_lock() else {
            let reason = "the chain is being computed for another caller: repeat it later";
            return Err(ServiceError::TooMany(reason.into()));
        };
        let head = self.store(|store| store.check_chain()).await?;
        Ok((head.acts, head.hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::fixture::TestNode;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_chain_is_computed_for_one_caller_at_a_time() {
        let node = TestNode::start(0).await;
        let turn = node.shared.checking.lock().await;
        let other = node.shared.check_acts().await;
        assert!(matches!(other, Err(ServiceError::TooMany(_))), "{other:?}");
        drop(turn);
        assert_eq!(node.shared.check_acts().await.unwrap(), (0, [0; 32]));
    }
}
