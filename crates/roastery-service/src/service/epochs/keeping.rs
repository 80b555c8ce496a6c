//! What the switch of a key wants done before it goes on.

use std::{io, sync::Arc};

use roastery_frost::{Seat, SecretShare};
use roastery_node::driver::SwitchKept;
use roastery_protocol::{
    KeyId,
    change::{
        CertifiedEpoch, EpochOrder,
        switch::{Record, Switch},
    },
};
use roastery_store::Erasure;

use crate::service::{
    Service, ServiceError,
    epochs::{known::place_of_plan, running::Problem},
    now_ms,
};

/// Keeps the records of the switch of a key, and does what they say.
pub(super) struct Keeping {
    pub(super) service: Arc<Service>,
    pub(super) key: KeyId,
    pub(super) problem: Problem,
}

impl Keeping {
    /// Few records are kept: blocking on the disk here does no harm.
    pub(super) fn keep(&self, record: &Record, switch: &Switch) -> SwitchKept {
        let (epoch, done) = tokio::task::block_in_place(|| self.done(record, switch));
        let why = match &done {
            Ok(true) => None,
            Ok(false) => Some(format!(
                "this node has a seat in epoch {} and neither the share nor the host key that gives it: \
                 its store is from a backup from before; make a fresh card, and a plan with that",
                epoch.epoch()
            )),
            Err(error) => {
                tracing::error!(key = %self.key, ?record, %error, "an epoch is not kept yet");
                Some(format!("{error}; mend that and start the node again"))
            }
        };
        self.problem.set(epoch, why);
        match done {
            Ok(true) => SwitchKept::Yes,
            Ok(false) => SwitchKept::Lacking,
            Err(error) => SwitchKept::No(io::Error::other(error)),
        }
    }

    /// Does it. Returns the epoch that the record is about, and whether it is done: if not, this
    /// node lacks its share.
    fn done(&self, record: &Record, switch: &Switch) -> (EpochOrder, Result<bool, ServiceError>) {
        let known = |order: EpochOrder| {
            let missing = || ServiceError::Internal("the epoch is not known".into());
            switch.lineage().get(order).ok_or_else(missing)
        };
        match *record {
            Record::Certified(order) => {
                (order, known(order).and_then(|epoch| self.certified(epoch)).map(|()| true))
            }
            Record::Adopted(order) => {
                (order, known(order).and_then(|epoch| self.adopt(epoch, switch)))
            }
            Record::Acknowledged(order) => (
                order,
                known(order).and_then(|epoch| {
                    let kept = self.service.shared.store.keep_acknowledged(epoch, now_ms());
                    self.service.shared.store_state.saw(&kept);
                    Ok(kept.map(|()| true)?)
                }),
            ),
            Record::Erased { what, by, host_key } => {
                let group = switch.lineage().group(what).cloned();
                let new = switch.lineage().group(by).filter(|_| switch.has_seat(by)).cloned();
                let service = self.service.clone();
                let (key, time_ms) = (self.key, now_ms());
                let erasure = Erasure { key, what, by, host_key, time_ms };
                let erasing = service.erase_place(erasure, group, new);
                (by, self.service.shared.runtime.block_on(erasing).map(|()| true))
            }
        }
    }

    /// The recovery file of an epoch goes into the store. A change that runs here for its plan is
    /// over.
    fn certified(&self, epoch: &CertifiedEpoch) -> Result<(), ServiceError> {
        self.service.know_epoch(epoch);
        let kept = self.service.shared.store.keep_epoch(self.key, epoch);
        self.service.shared.store_state.saw(&kept);
        kept?;
        // A host key of its cards was bound to it with that, though this node may know the plan
        // from this file alone.
        let bound = self.service.shared.store.plans_with_host_keys()?;
        if bound.contains(&epoch.plan().id())
            && let Some(service) = self.service.key_service(self.key)
        {
            service.handle.hold(place_of_plan(epoch.plan()));
        }
        self.service.end_change(epoch);
        Ok(())
    }

    /// The group of an epoch goes into the store with this node's shares, unless it is there.
    /// Returns whether the shares are there: if not, this node has no host key that gives them.
    /// Shares that are there already are opened, and it is an error if they do not open; if the
    /// epoch was adopted before, nothing else is done.
    fn adopt(&self, epoch: &CertifiedEpoch, switch: &Switch) -> Result<bool, ServiceError> {
        let store = &self.service.shared.store;
        let here = store.group(epoch.group().id());
        self.service.shared.store_state.saw(&here);
        let is_here = here?.is_some();
        if is_here && switch.is_adopted(epoch.order()) {
            return Ok(true);
        }
        if !is_here {
            let Some(seats) = self.shares_of(epoch)? else { return Ok(false) };
            let Some(parent) = switch.lineage().group(epoch.parent()) else {
                return Err(ServiceError::Internal("the epoch before is not known".into()));
            };
            let adopted = store.adopt(parent, epoch.group(), epoch.order(), &seats);
            self.service.shared.store_state.saw(&adopted);
            adopted?;
        }
        let kept = store.keep_adopted(epoch, now_ms());
        self.service.shared.store_state.saw(&kept);
        kept?;
        self.service.shared.learn_names(epoch.plan());
        Ok(true)
    }

    /// This node's shares of an epoch, from its certificate and the host keys of its plan; none if
    /// one of these is not here.
    fn shares_of(
        &self,
        epoch: &CertifiedEpoch,
    ) -> Result<Option<Vec<(Seat, SecretShare)>>, ServiceError> {
        let members = epoch.group().seats().zip(epoch.group().members());
        let own = members.filter(|(_, member)| member.peer == self.service.peer);
        let mut shares = Vec::new();
        for (seat, member) in own {
            let Some(key) = self.service.shared.store.host_key(&member.host_key)? else {
                return Ok(None);
            };
            let recovered = epoch.certificate().recover(&key.into());
            let recovered = recovered.map_err(|error| ServiceError::Internal(error.into()))?;
            shares.push((seat, recovered.into_parts().0));
        }
        Ok((!shares.is_empty()).then_some(shares))
    }
}
