//! The groups that run at a node.

use std::sync::Arc;

use roastery_frost::SecretShare;
use roastery_node::bus::mux::{Channel, OpenChannelError, Topic};
use roastery_protocol::{Seat, group::PeerId, keys::IdentityKey};
use roastery_store::{AuditEntry, KeptGroup, Store, StoreError};

use crate::{
    config::{ConfigError, GroupSettings},
    limits::Limit,
    policy::{Caps, Key, LOOKS_BACK, PolicyEngine, WalletSettings},
    service::{
        Service, ServiceError, both_clocks,
        group::service::{Called, GroupService, key_of},
        now_ms,
    },
};

impl Service {
    pub(in crate::service) fn open_channel(
        &self,
        topic: Topic,
        members: impl IntoIterator<Item = PeerId>,
    ) -> Result<Channel, ServiceError> {
        let members = members.into_iter().filter(|peer| *peer != self.peer);
        self.mux.open(topic, members).map_err(|error| {
            if let OpenChannelError::TooManyChannels { .. } = &error {
                self.shared.limits.hit(Limit::Channels, "this node");
            }
            ServiceError::Conflict(error.into())
        })
    }

    pub(in crate::service) async fn start_group(
        self: &Arc<Self>,
        kept: KeptGroup,
    ) -> Result<(), ServiceError> {
        let _joining = self.joining.lock().await;
        let id = kept.group.id();
        // What was read before it was erased is not started any more.
        let erased = move |store: &Store| store.known_groups();
        let erased = self.shared.store(erased).await?;
        let is_erased = erased.iter().any(|known| known.erased && known.group.id() == id);
        if is_erased || self.lock_groups().contains_key(&id) {
            return Ok(());
        }
        let bound = self.name_for(&kept).await?;
        let name = bound.clone().unwrap_or_else(|| id.to_string());
        let members: Vec<PeerId> =
            kept.group.members().iter().map(|member| member.peer.clone()).collect();
        if let Some(file) = &kept.recovery {
            self.learn_names(file.invitation());
        }
        members.iter().for_each(|peer| self.reach(peer.clone()));
        self.make_room(2, &name).await?;
        if let Err(error) = self.open_kits(kept.group.key_id(), members.clone()) {
            tracing::error!(group = %name, %error, "kits of its members are neither sent nor kept");
        }
        let channel = self.open_channel(Topic::Group(id), members)?;
        let not_ready = |error: ConfigError| ServiceError::NotReady(error.into());
        let GroupSettings { section, policy, scripts, search_depth } =
            self.config.settings_of(bound.as_deref(), id).map_err(not_ready)?;
        let network = self.config.network().map_err(not_ready)?;
        let wallet = WalletSettings { scripts: scripts.as_deref(), search_depth };
        let engine = PolicyEngine::new(policy, kept.group.clone(), wallet, network)
            .map_err(|error| ServiceError::NotReady(format!("group {name}: {error}").into()))?;
        let engine = match self.open_wallet(&name, engine.wallet()).await? {
            Some(view) => engine.beside(view),
            None => engine,
        };
        let key = key_of(&kept.group);
        self.count_released(key, engine.caps()).await?;
        let (journal, over_limit) =
            self.audit.journal(kept.group.clone(), &name, key, engine.caps());
        let (shared, identities) = (self.shared.clone(), self.identities_of(&kept)?);
        // Those that are new here are kept when the group starts.
        self.shared.bars.add(id, &self.bars_of_epochs(&kept.group).await?);
        let group = GroupService::start(
            shared,
            Called { name, section },
            kept,
            channel,
            identities,
            engine,
            (journal, over_limit),
        )
        .await?;
        self.lock_groups().insert(id, group.clone());
        // What was barred while it started has found the groups before it.
        let others = self.bars_of_epochs(&group.group).await?;
        self.shared.bars.add(id, &others);
        let barred = self.shared.bars.of(id);
        group.handle.bar(barred.iter().map(|bar| bar.seat).collect()).await;
        if !others.is_empty() {
            let kept = self.shared.store(move |store| store.keep_bars(id, &barred)).await;
            if let Err(error) = kept {
                tracing::error!(group = %group.name, %error, "barred members are not kept yet");
            }
        }
        Ok(())
    }

    /// The identity key of each seat of this node in a group.
    fn identities_of(&self, kept: &KeptGroup) -> Result<Vec<Arc<IdentityKey>>, ServiceError> {
        let of = |(seat, _): &(Seat, SecretShare)| {
            let own = kept.group.member(*seat).and_then(|member| self.identity_of(member));
            let missing = || {
                let id = kept.group.id();
                let text = format!("the identity key of seat {seat} of group {id:#} is not here");
                ServiceError::NotReady(text.into())
            };
            own.cloned().ok_or_else(missing)
        };
        kept.seats.iter().map(of).collect()
    }

    /// Counts spending under a key from now on, beginning with that of the last day.
    async fn count_released(&self, key: Key, caps: Caps) -> Result<(), ServiceError> {
        if caps.are_none() {
            return Ok(());
        }
        // What leaves while the store is read counts already; counting it twice adds nothing.
        self.shared.ledger.open(key, [], both_clocks());
        let since = now_ms().saturating_sub(LOOKS_BACK * 1000);
        let ledger = self.shared.ledger.clone();
        // A hostile coordinator may have caused many: they are counted as they are read.
        let count = move |entry: AuditEntry| {
            if entry.key == key {
                let released = (entry.session, entry.time_ms / 1000, entry.spending);
                ledger.open(key, [released], both_clocks());
            }
        };
        self.shared.store(move |store| store.audit_since(since, count)).await
    }

    pub(in crate::service) async fn start_new_groups(self: &Arc<Self>) -> Result<(), ServiceError> {
        for kept in self.groups_here().await? {
            self.start_group(kept).await?;
        }
        Ok(())
    }

    /// The groups of this node with their shares.
    pub(in crate::service) async fn groups_here(&self) -> Result<Vec<KeptGroup>, ServiceError> {
        self.shared.store(with_shares).await
    }
}

/// The groups in this store with their shares, of every epoch that is not erased. One of an epoch
/// that a later one follows may be missing: a key file that is lost or cannot be read does not keep
/// the node from signing in the newest epoch.
fn with_shares(store: &Store) -> Result<Vec<KeptGroup>, StoreError> {
    let known = store.known_groups()?;
    let mut here = Vec::with_capacity(known.len());
    for one in known.iter().filter(|one| !one.erased) {
        let (id, number) = (one.group.id(), one.group.epoch().number());
        let is_followed = known.iter().any(|other| {
            let later = other.group.epoch().number() > number;
            other.group.key_id() == one.group.key_id() && !other.erased && later
        });
        match store.group(id) {
            Ok(kept) => here.extend(kept),
            Err(error @ (StoreError::Damaged(_) | StoreError::KeyFile { .. })) if is_followed => {
                tracing::error!(
                    group = %id, epoch = number, %error,
                    "the share of an epoch that a later one follows cannot be read: the node runs without it"
                );
            }
            Err(error) => return Err(error),
        }
    }
    Ok(here)
}

#[cfg(test)]
mod tests {
    use roastery_protocol::{GroupId, change::EpochOrder};
    use roastery_store::Erasure;

    use super::*;
    use crate::service::fixture::TestNode;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_group_of_an_epoch_runs_beside_that_of_the_next_one_until_it_is_erased() {
        let node = TestNode::start(0).await;
        let (old, new) = (node.group.group.clone(), node.next_epoch().await.group.clone());
        let here = || -> Vec<GroupId> {
            let here = with_shares(&node.shared.store).unwrap();
            let mut ids: Vec<GroupId> = here.iter().map(|kept| kept.group.id()).collect();
            ids.sort();
            ids
        };
        let mut both = [old.id(), new.id()];
        both.sort();
        assert_eq!(here(), both);
        let (key, what, by) = (old.key_id(), EpochOrder::of_root(&old), EpochOrder::of_root(&new));
        let erasure = Erasure { key, what, by, host_key: false, time_ms: 1 };
        node.shared.store.erase_epoch(&old, &erasure).unwrap();
        assert_eq!(here(), [new.id()]);
    }
}
