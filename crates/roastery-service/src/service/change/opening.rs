//! A change is opened at a node, for the first time or after a restart.

use std::sync::Arc;

use roastery_frost::{Seat, SigningKey, change::Certificate};
use roastery_node::{bus::mux::Topic, driver::ChangeDriver};
use roastery_protocol::{
    change::{
        EpochOrder, Plan,
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
        let policy = self.change_rules(&parent)?.policy();
        let approvals = policy.approvals(&parent);
        let seat_of = |own: &Option<(Seat, _)>| own.as_ref().map(|(seat, _)| *seat);
        let opened = OpenChange {
            plan: plan.clone(),
            parent: parent.clone(),
            name: name.clone(),
            names,
            old: seat_of(&old),
            new: seat_of(&new),
            approvals,
        };
        if let Some(certificate) = certified {
            self.lock_changes().insert(id, ChangeService::over(opened, &certificate));
            return Ok(());
        }
        self.make_room(1, name.as_str()).await?;
        let peers = parent.members().iter().chain(plan.members()).map(|member| member.peer.clone());
        let peers: std::collections::BTreeSet<_> = peers.collect();
        peers.iter().for_each(|peer| self.reach(peer.clone()));
        let channel = self.open_channel(Topic::Change(id), peers)?;
        let (place, may_deal) = (self.place_of(&parent), known.approved.may_deal_in(&plan));
        let current = self.current_of(plan.parent().key).max(known.current);
        let opening = move |now| {
            // Everything else was checked before it was kept.
            let deadline = plan.deadline(now);
            let engine = FrostEngine::new(share, host.map(HostKey::new));
            Opening {
                plan,
                parent,
                place,
                may_deal,
                old,
                new,
                engine,
                approvals,
                deadline,
                current,
                stored: records,
                certificate,
                settings: Settings::default(),
            }
        };
        let driver = ChangeDriver::open(channel, opening)
            .map_err(|error| ServiceError::Invalid(error.into()))?;
        let (certificates, certified) = mpsc::unbounded_channel();
        let change = ChangeService::run(&self.shared, opened, driver, certificates);
        self.lock_changes().insert(id, change);
        self.shared.finite("the end of a change", self.clone().hand_over(certified));
        Ok(())
    }

    /// Gives the certificate of a change to the switch of its key, which is opened for it at a node
    /// that joins.
    async fn hand_over(
        self: Arc<Self>,
        mut certified: mpsc::UnboundedReceiver<(Plan, Certificate)>,
    ) {
        while let Some((plan, certificate)) = certified.recv().await {
            let key = plan.parent().key;
            if let Err(error) = self.open_switch(key).await {
                tracing::error!(plan = %plan.id(), %error, "a new epoch is not adopted yet");
            }
            if let Some(service) = self.key_service(key) {
                service.handle.certified(plan, certificate);
            }
        }
    }

    /// Opens the changes again that were open before the restart, those first that have made an
    /// epoch: the names of members come from these. A plan below the current epoch has no effect
    /// any more, and is not opened. Then the groups of the epochs start that had not been started
    /// before it.
    pub(in crate::service) async fn resume_changes(self: &Arc<Self>) -> Result<(), ServiceError> {
        let mut plans = self.shared.store(Store::plans).await?;
        // Names of a later epoch take the place of those of an earlier one.
        plans.sort_by_key(|kept| (kept.certified().next().is_none(), kept.certified().max()));
        for kept in plans.iter().filter(|kept| kept.certified().next().is_some()) {
            self.shared.learn_names(&kept.plan);
        }
        for kept in plans {
            let (id, current) = (kept.plan.id(), self.current_of(kept.plan.parent().key));
            let is_below = match kept.certified().max() {
                Some(made) => made.epoch() < current.epoch(),
                None => EpochOrder::last_of(&kept.plan) < current,
            };
            if is_below || self.lock_changes().contains_key(&id) {
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
