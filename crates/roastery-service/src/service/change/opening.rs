//! A change is opened at a node, for the first time or after a restart.

use std::sync::Arc;

use roastery_frost::{Seat, SigningKey, change::Certificate};
use roastery_node::{bus::mux::Topic, driver::ChangeDriver};
use roastery_protocol::{
    PlanId,
    change::{
        EpochOrder, Parent, Plan,
        machine::{FrostEngine, Opening, Settings},
    },
    group::{Group, Member},
    keys::{HostKey, IdentityKey},
};
use roastery_store::{KeptPlan, Store};
use tokio::sync::mpsc;

use crate::service::{
    Service, ServiceError,
    change::{
        known::{known_of, names_of_key},
        running::{ChangeService, OpenChange},
    },
};

/// What this node is in a change.
pub(super) struct OwnPart {
    old: Option<(Seat, Arc<IdentityKey>)>,
    new: Option<(Seat, Arc<IdentityKey>)>,
    /// The host key of the new seat's card.
    host: Option<SigningKey>,
}

impl Service {
    /// What this node is in a change.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if it has no part in it: no seat, several, or a card whose host
    /// key was not made here.
    pub(super) async fn own_part(
        &self,
        plan: &Plan,
        parent: &Group,
    ) -> Result<OwnPart, ServiceError> {
        let old = self.own_seat(parent.seats().zip(parent.members()), "old")?;
        let new = self.own_seat(plan.seats().zip(plan.members()), "new")?;
        if old.is_none() && new.is_none() {
            let reason = "this node is neither a member of the group nor of the plan";
            return Err(ServiceError::Invalid(reason.into()));
        }
        let host = new.as_ref().and_then(|(seat, _)| plan.member(*seat)).map(|one| one.host_key);
        let read =
            move |store: &Store| Ok(host.map(|host| store.host_key(&host)).transpose()?.flatten());
        let host = self.shared.store(read).await?;
        if new.is_some() && host.is_none() {
            let reason = "the card of this node in the plan has a host key that was not made here: make a \
                          card with roastery change card, and a plan with that";
            return Err(ServiceError::Invalid(reason.into()));
        }
        Ok(OwnPart { old, new, host })
    }

    /// Opens a change and runs it.
    pub(super) async fn run_change(self: &Arc<Self>, kept: KeptPlan) -> Result<(), ServiceError> {
        let KeptPlan { plan, parent, name, records, certificate } = kept;
        let id = plan.id();
        let OwnPart { old, new, host } = self.own_part(&plan, &parent).await?;
        let (of_plan, group) = (plan.clone(), parent.id());
        let read = move |store: &Store| {
            let names = names_of_key(store, of_plan.parent().key)?;
            Ok((known_of(store, &of_plan)?, store.group(group)?, names))
        };
        let (known, own, names) = self.shared.store(read).await?;
        let share = old.as_ref().and_then(|(seat, _)| {
            own?.seats.into_iter().find_map(|(own, share)| (own == *seat).then_some(share))
        });
        let certified = certificate.as_deref().map(|bytes| {
            let params =
                plan.params(&parent).map_err(|error| ServiceError::Internal(error.into()))?;
            Certificate::parse(&params, bytes).map_err(|error| ServiceError::Internal(error.into()))
        });
        let certified = certified.transpose()?;
        self.make_room(1, name.as_str()).await?;
        let peers = parent.members().iter().chain(plan.members()).map(|member| member.peer.clone());
        let peers: std::collections::BTreeSet<_> = peers.collect();
        peers.iter().for_each(|peer| self.reach(peer.clone()));
        let channel = self.open_channel(Topic::Change(id), peers)?;
        let policy = self.change_rules(&parent)?.policy();
        let approvals = policy.approvals(&parent);
        let (place, may_deal) = (known.place_of(&parent), known.approved.may_deal_in(&plan));
        let (seats, opened) = ((old.clone(), new.clone()), (plan.clone(), parent.clone()));
        let opening = move |now| {
            let (plan, parent) = opened;
            // Everything else was checked before it was kept.
            let deadline = plan.deadline(now);
            let engine = FrostEngine::new(share, host.map(HostKey::new));
            Opening {
                plan,
                parent,
                place,
                may_deal,
                old: seats.0,
                new: seats.1,
                engine,
                approvals,
                deadline,
                current: known.current,
                stored: records,
                certificate,
                settings: Settings::default(),
            }
        };
        let (driver, handle) = ChangeDriver::open(channel, opening)
            .map_err(|error| ServiceError::Invalid(error.into()))?;
        let seat_of = |own: Option<(Seat, _)>| own.map(|(seat, _)| seat);
        let (old, new) = (seat_of(old), seat_of(new));
        let opened = OpenChange { plan, parent, name, names, old, new, approvals, handle };
        let (adopted, adoptions) = mpsc::unbounded_channel();
        let change = ChangeService::run(&self.shared, opened, driver, certified, adopted);
        self.lock_changes().insert(id, change);
        let this = self.clone();
        self.shared.finite("the start of a new epoch", this.start_adopted(id, adoptions));
        Ok(())
    }

    /// Starts the group of each new epoch, and tells the other changes of the key.
    async fn start_adopted(
        self: Arc<Self>,
        id: PlanId,
        mut adopted: mpsc::UnboundedReceiver<EpochOrder>,
    ) {
        while let Some(order) = adopted.recv().await {
            let others: Vec<_> = self.lock_changes().values().cloned().collect();
            let own = others
                .iter()
                .find(|own| own.opened.plan.id() == id)
                .map(|own| own.opened.plan.parent().key);
            let others = others.iter().filter(|other| {
                other.opened.plan.id() != id
                    && Some(other.opened.plan.parent().key) == own
                    && other.opened.plan.epoch() <= order.epoch()
            });
            for other in others {
                // One that has ended neither deals nor signs.
                let _ = other.opened.handle.superseded(order).await;
            }
            if let Err(error) = self.start_new_groups().await {
                tracing::error!(plan = %id, %error, "the group of a new epoch was not started");
            }
        }
    }

    /// Opens the changes again that were open before the restart: those of epochs that are not
    /// superseded. Then the groups of the epochs start that had not been adopted before it.
    pub(in crate::service) async fn resume_changes(self: &Arc<Self>) -> Result<(), ServiceError> {
        let mut plans = self.shared.store(Store::plans).await?;
        // Names of a later epoch take the place of those of an earlier one.
        plans.sort_by_key(|kept| kept.certified().max());
        for kept in plans.iter().filter(|kept| kept.certified().next().is_some()) {
            self.shared.learn_names(&kept.plan);
        }
        let epochs: Vec<Parent> =
            self.lock_groups().values().map(|group| Parent::of(&group.group)).collect();
        for kept in plans {
            let key = kept.plan.parent().key;
            let current = epochs.iter().filter(|epoch| epoch.key == key);
            let current = current.map(|epoch| epoch.epoch.number()).max().unwrap_or(0);
            let id = kept.plan.id();
            if kept.plan.epoch() < current {
                continue;
            }
            if let Err(error) = self.run_change(kept).await {
                tracing::error!(plan = %id, %error, "the change is not taken up again");
            }
        }
        self.start_new_groups().await
    }

    /// The seat of this node among these, with its identity key.
    fn own_seat<'a>(
        &self,
        seats: impl Iterator<Item = (Seat, &'a Member)>,
        side: &str,
    ) -> Result<Option<(Seat, Arc<IdentityKey>)>, ServiceError> {
        let own = seats.filter(|(_, member)| member.peer == self.peer);
        let mut own =
            own.filter_map(|(seat, member)| Some((seat, self.identity_of(member)?.clone())));
        let first = own.next();
        if own.next().is_some() {
            let reason = format!(
                "this node has several {side} seats in the plan: changes of such groups are not built yet"
            );
            return Err(ServiceError::Invalid(reason.into()));
        }
        Ok(first)
    }

    /// This node's rules for changes of a group: of its own section by the name that it has here,
    /// or by its id. The name in a plan file chooses no section.
    pub(super) fn change_rules(
        &self,
        parent: &Group,
    ) -> Result<crate::config::ChangeRules, ServiceError> {
        let id = parent.id();
        let here = self.lock_groups().get(&id).map(|group| group.name.clone());
        let settings = self.config.settings_of(here.as_deref(), id);
        Ok(settings.map_err(|error| ServiceError::NotReady(error.into()))?.policy.change)
    }
}
