//! The switch of a key is opened at a node.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use roastery_node::{bus::mux::Topic, driver::SwitchDriver};
use roastery_protocol::{
    KeyId,
    change::{
        CertifiedEpoch,
        machine::Settings,
        switch::{Event, Opening},
    },
    group::{Group, PeerId},
    member::Incarnation,
};
use tokio::sync::mpsc;

use crate::service::{
    Service, ServiceError,
    epochs::{
        keeping::Keeping,
        known::{self, Stored},
        running::{KeyService, Problem},
    },
    now_ms,
};

impl Service {
    /// Opens the switches of all keys, from what is stored. One that cannot be opened keeps no
    /// other one from it: nothing is erased there.
    pub(in crate::service) async fn open_switches(self: &Arc<Self>) -> Result<(), ServiceError> {
        for key in self.shared.store(known::keys).await? {
            if let Err(error) = self.open_switch(key).await {
                tracing::error!(%key, %error, "the epochs of a key are not followed at this node");
            }
        }
        Ok(())
    }

    /// Opens the switch of a key, if it does not run. Nothing happens if nothing is known of the
    /// key.
    pub(in crate::service) async fn open_switch(
        self: &Arc<Self>,
        key: KeyId,
    ) -> Result<(), ServiceError> {
        let _opening = self.opening.lock().await;
        if self.lock_keys().contains_key(&key) {
            return Ok(());
        }
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|_| ServiceError::Internal("the system gave no randomness".into()))?;
        let read = move |store: &roastery_store::Store| {
            let Some(stored) = known::stored(store, key)? else { return Ok(None) };
            let incarnation = Incarnation::after(stored.last_incarnation, now_ms(), random);
            store.keep_switch_incarnation(key, incarnation)?;
            Ok(Some((stored, incarnation)))
        };
        let Some((stored, incarnation)) = self.shared.store(read).await? else { return Ok(()) };
        let Stored { root, files, held, words, records, .. } = stored;
        self.make_room(1, &key.to_string()).await?;
        let members = peers_of(&root);
        members.iter().for_each(|peer| self.reach(peer.clone()));
        let channel = self.open_channel(Topic::Key(key), members)?;
        let opening = Opening {
            root,
            identities: self.identities.clone(),
            files,
            held,
            words,
            stored: records,
            incarnation,
            settings: Settings::default(),
        };
        let (mut driver, handle) = SwitchDriver::open(channel, opening)
            .map_err(|error| ServiceError::Internal(error.into()))?;
        driver.epochs().for_each(|epoch| self.know_epoch(epoch));
        let (listener, events) = mpsc::unbounded_channel();
        driver.watch(listener);
        let (reports, problem) = (driver.reports(), Problem::default());
        let keeping = Keeping { service: self.clone(), key, problem: problem.clone() };
        let keep = move |record: &_, switch: &_| keeping.keep(record, switch);
        let task = self.shared.essential(format!("the epochs of key {key}"), driver.run(keep));
        let service = Arc::new(KeyService { key, handle, reports, task, problem });
        self.lock_keys().insert(key, service);
        self.shared.finite("the events of a key", follow(self.clone(), key, events));
        Ok(())
    }

    /// Takes the members of an epoch into the channel of its key, and the messages of its plan.
    pub(super) fn know_epoch(&self, epoch: &CertifiedEpoch) {
        let members = peers_of(epoch.group());
        members.iter().for_each(|peer| self.reach(peer.clone()));
        let (key, plan) = (epoch.group().key_id(), epoch.order().plan());
        if !self.mux.extend(Topic::Key(key), members, Some(Topic::Change(plan))) {
            tracing::error!(
                %key, %plan,
                "the members of an epoch are not told of the epochs of the key: there are too many"
            );
        }
    }
}

/// What follows from events may open the switch of another key.
fn follow(
    service: Arc<Service>,
    key: KeyId,
    events: mpsc::UnboundedReceiver<Event>,
) -> BoxFuture<'static, ()> {
    Box::pin(service.follow_epochs(key, events))
}

fn peers_of(group: &Group) -> Vec<PeerId> {
    group.members().iter().map(|member| member.peer.clone()).collect()
}
