//! A person acknowledges an epoch, or wishes to erase what the current one supersedes.

use std::collections::BTreeSet;

use roastery_protocol::{
    Seat,
    change::{EpochOrder, SecondCopy, switch::Wish},
};

use crate::service::{
    Service, ServiceError,
    change::deciding::digits,
    epochs::{running::KeyService, status::EpochsStatus},
};

/// What a person says with the wish to erase what the current epoch of a key supersedes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EraseWish {
    /// The members that are not to be waited for, by name.
    pub without: Vec<String>,
    /// Where the new share exists a second time.
    pub second_copy: Option<SecondCopy>,
    /// Whether the host keys of the epochs before are destroyed as well, wherever they were kept.
    pub host_keys_destroyed: bool,
}

impl Service {
    /// Acknowledges an epoch that this node's person has not decided about, by its fingerprint,
    /// which all members have compared. It is stored when this returns.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such key; [`ServiceError::Invalid`] if no epoch of
    /// this number and fingerprint is known; [`ServiceError::NotReady`] if it could not be stored.
    pub async fn acknowledge(
        &self,
        key: &str,
        number: u32,
        fingerprint: &str,
    ) -> Result<EpochsStatus, ServiceError> {
        let service = self.find_key(key)?;
        let report = service.report();
        let is_meant = |place: &&EpochOrder| {
            let own = digits(&place.fingerprint().to_string());
            place.epoch() == number && place.epoch() > 0 && own == digits(fingerprint)
        };
        let Some(epoch) = report.groups.keys().find(is_meant).copied() else {
            // The right one is not shown: members must compare it, not copy it from here.
            let reason = format!(
                "this is not the fingerprint of an epoch {number} that this node knows: compare it with all members \
                 again, and if it differs, do not go on: one of you has another epoch"
            );
            return Err(ServiceError::Invalid(reason.into()));
        };
        match service.handle.acknowledge(epoch).await {
            Some(true) => self.epochs_of(&service).await,
            Some(false) => {
                let reason = "the acknowledgement could not be stored: the node's log says why; try it again";
                Err(ServiceError::NotReady(reason.into()))
            }
            None => Err(ServiceError::NoAnswer),
        }
    }

    /// A person wishes to erase everything that the current epoch of a key supersedes. All members
    /// are asked how far they are. It is erased as soon as nothing is missing, also after this
    /// returns, until the node is stopped or a greater epoch is known; the status says what is
    /// missing.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such key or member; [`ServiceError::Conflict`] if
    /// there is nothing to erase, or no backup has the new share that is said to be in one.
    pub async fn erase_superseded(
        &self,
        key: &str,
        wish: EraseWish,
    ) -> Result<EpochsStatus, ServiceError> {
        let service = self.find_key(key)?;
        let without = self.seats_named(&service, &wish.without)?;
        if wish.second_copy == Some(SecondCopy::Backup) {
            self.check_backup(&service).await?;
        }
        let (second_copy, host_key) = (wish.second_copy, wish.host_keys_destroyed);
        match service.handle.erase(Wish { second_copy, without, host_key }).await {
            Some(0) => {
                let reason = "nothing is to be erased: this node has no share and no host key that the current \
                              epoch supersedes";
                Err(ServiceError::Conflict(reason.into()))
            }
            Some(_) => self.epochs_of(&service).await,
            None => Err(ServiceError::NoAnswer),
        }
    }

    /// The seats of the members of the current epoch with these names.
    fn seats_named(
        &self,
        service: &KeyService,
        names: &[String],
    ) -> Result<BTreeSet<Seat>, ServiceError> {
        let report = service.report();
        let Some(group) = report.current_group() else { return Err(ServiceError::NoAnswer) };
        let mut seats = BTreeSet::new();
        for name in names {
            let members = group.seats().zip(group.members());
            let named = members.filter(|(_, member)| self.shared.name_of(&member.peer) == *name);
            let named: Vec<_> = named.collect();
            let Some((_, first)) = named.first() else {
                return Err(ServiceError::NotFound { what: "member", name: name.clone() });
            };
            if named.iter().any(|(_, member)| member.peer != first.peer) {
                let reason =
                    format!("several members are called {name:?}: they cannot be told apart");
                return Err(ServiceError::Conflict(reason.into()));
            }
            seats.extend(named.iter().map(|(seat, _)| *seat));
        }
        Ok(seats)
    }

    /// Whether a backup was made that has this node's share of the current epoch.
    async fn check_backup(&self, service: &KeyService) -> Result<(), ServiceError> {
        let report = service.report();
        let Some(group) = report.current_group().cloned() else {
            return Err(ServiceError::NoAnswer);
        };
        let made = self.shared.store(|store| store.made_backups()).await?;
        if made.iter().any(|one| one.groups.contains(&group.id())) {
            return Ok(());
        }
        let reason = format!(
            "no backup of this node has its share of epoch {}: make one now (roastery backup FILE), and keep it",
            report.current.epoch()
        );
        Err(ServiceError::Conflict(reason.into()))
    }
}
