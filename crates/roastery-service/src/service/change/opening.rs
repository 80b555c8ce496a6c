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

use crate::{
    config::GroupSettings,
    service::{
        Service, ServiceError,
        change::{
            known::{known_of, names_of_key},
            running::{ChangeService, OpenChange},
        },
    },
};

/// What this node is in a change.
pub(super) struct OwnPart {
    old: OwnSeats,
    new: OwnSeats,
    /// The host key of each new seat's card.
    hosts: Vec<(Seat, SigningKey)>,
}

/// Seats of this node, each with its identity key.
type OwnSeats = Vec<(Seat, Arc<IdentityKey>)>;

impl Service {
    /// What this node is in a change.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if it has no part in it: no seat, a seat whose identity key is not
    /// one of its own, or a card with a host key that was not made here.
    pub(super) async fn own_part(
        &self,
        plan: &Plan,
        parent: &Group,
    ) -> Result<OwnPart, ServiceError> {
        let old = self.own_seats(parent.seats().zip(parent.members()))?;
        let new = self.own_seats(plan.seats().zip(plan.members()))?;
        if old.is_empty() && new.is_empty() {
            let reason = "this node is neither a member of the group nor of the plan";
            return Err(ServiceError::Invalid(reason.into()));
        }
        let of_card = |(seat, _): &(Seat, _)| Some((*seat, plan.member(*seat)?.host_key));
        let of_cards: Vec<_> = new.iter().filter_map(of_card).collect();
        let read = move |store: &Store| {
            let mut hosts = Vec::with_capacity(of_cards.len());
            for (seat, host) in of_cards {
                hosts.extend(store.host_key(&host)?.map(|key| (seat, key)));
            }
            Ok(hosts)
        };
        let hosts = self.shared.store(read).await?;
        if hosts.len() != new.len() {
            let reason = "the card of this node in the plan has a host key that was not made here, or is erased: \
                          make a card with roastery change card, and a plan with that";
            return Err(ServiceError::Invalid(reason.into()));
        }
        Ok(OwnPart { old, new, hosts })
    }

    /// Opens a change and runs it.
    pub(super) async fn run_change(self: &Arc<Self>, kept: KeptPlan) -> Result<(), ServiceError> {
        let KeptPlan { plan, parent, name, records, certificate } = kept;
        let id = plan.id();
        let OwnPart { old, new, hosts } = self.own_part(&plan, &parent).await?;
        let (of_plan, group) = (plan.clone(), parent.id());
        let read = move |store: &Store| {
            let names = names_of_key(store, of_plan.parent().key)?;
            Ok((known_of(store, &of_plan)?, store.group(group)?, names))
        };
        let (known, own, names) = self.shared.store(read).await?;
        let mut shares = own.map_or_else(Vec::new, |own| own.seats);
        shares.retain(|(seat, _)| old.iter().any(|(own, _)| own == seat));
        let certified = certificate.as_deref().map(|bytes| {
            let params =
                plan.params(&parent).map_err(|error| ServiceError::Internal(error.into()))?;
            Certificate::parse(&params, bytes).map_err(|error| ServiceError::Internal(error.into()))
        });
        let certified = certified.transpose()?;
        let policy = self.change_rules(&parent)?.policy();
        let (approvals, approving) = (policy.approvals(&parent), policy.least_approvals);
        let seats_of = |own: &OwnSeats| own.iter().map(|(seat, _)| *seat).collect();
        let opened = OpenChange {
            plan: plan.clone(),
            parent: parent.clone(),
            name: name.clone(),
            names,
            old: seats_of(&old),
            new: seats_of(&new),
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
            let hosts = hosts.into_iter().map(|(seat, host)| (seat, HostKey::new(host)));
            let engine = FrostEngine::new(shares, hosts);
            Opening {
                plan,
                parent,
                place,
                may_deal,
                old,
                new,
                engine,
                approving,
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
        self.lock_changes().insert(id, change.clone());
        self.decide_by_rule(&change)?;
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

    /// The seats of this node among these, each with its identity key.
    fn own_seats<'a>(
        &self,
        seats: impl Iterator<Item = (Seat, &'a Member)>,
    ) -> Result<OwnSeats, ServiceError> {
        let own = seats.filter(|(_, member)| member.peer == self.peer);
        let with_key = |(seat, member): (Seat, &Member)| {
            let key = self.identity_of(member).cloned();
            key.map(|key| (seat, key)).ok_or_else(|| {
                let reason = format!(
                    "seat {seat} is this node's by its peer, and its identity key is not one of this node's: make a \
                     card with roastery change card, and a plan with that"
                );
                ServiceError::Invalid(reason.into())
            })
        };
        own.map(with_key).collect()
    }

    /// This node's rules for changes of a group: of its own section by the name that it has here,
    /// or by its id. The name in a plan file chooses no section.
    pub(super) fn change_rules(
        &self,
        parent: &Group,
    ) -> Result<crate::config::ChangeRules, ServiceError> {
        Ok(self.settings_for(parent)?.policy.change)
    }

    /// The settings of a group that is changed.
    pub(super) fn settings_for(&self, parent: &Group) -> Result<GroupSettings, ServiceError> {
        let id = parent.id();
        let here = self.lock_groups().get(&id).map(|group| group.name.clone());
        let settings = self.config.settings_of(here.as_deref(), id);
        settings.map_err(|error| ServiceError::NotReady(error.into()))
    }
}
