//! A person acknowledges an epoch, or wishes to erase what the current one supersedes.

use std::collections::BTreeSet;

use bitcoin::hex::FromHex as _;
use roastery_node::driver::SwitchReport;
use roastery_protocol::{
    Seat,
    change::{EpochOrder, SecondCopy, switch::Wish},
    group::Group,
};

use roastery_store::{KEPT_DIGESTS, MadeBackups};

use crate::service::{
    Service, ServiceError,
    change::deciding::digits,
    epochs::{running::KeyService, status::EpochsStatus},
};

/// What a person says with the wish to erase what an epoch of a key supersedes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EraseWish {
    /// The number of the epoch that the person has looked at.
    pub epoch: u32,
    /// Its fingerprint; none for the epoch of a key generation.
    pub fingerprint: Option<String>,
    /// The members that are not to be waited for, by name.
    pub without: Vec<String>,
    /// Where the new share exists a second time.
    pub second_copy: Option<KeptCopy>,
    /// Whether the host keys of the epochs before are destroyed as well, wherever they were kept.
    pub host_keys_destroyed: bool,
}

/// Where a share exists a second time, as a person says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptCopy {
    /// In a backup of this node, whose file was read where it is kept.
    Backup {
        /// The SHA-256 of the file, 64 hexadecimal digits.
        sha256: String,
    },
    /// In files with the host keys of the epoch, which were opened where they are kept.
    HostKey {
        /// The public host keys, 66 hexadecimal digits each.
        host_keys: Vec<String>,
    },
    /// Nowhere; one copy is enough.
    Single,
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
        let Some(epoch) = place_of(&report, number, Some(fingerprint)) else {
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

    /// A person wishes to erase everything that an epoch of a key supersedes, which must be the
    /// current one when this takes effect. All members are asked how far they are. It is erased as
    /// soon as nothing is missing, also after this returns, until the wish is taken back, the node
    /// is stopped or a greater epoch is known; the status says what is missing.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such key or member; [`ServiceError::Conflict`] if
    /// another epoch is current, there is nothing to erase, or no backup of this node with the new
    /// share has the digest that is said.
    pub async fn erase_superseded(
        &self,
        key: &str,
        wish: EraseWish,
    ) -> Result<EpochsStatus, ServiceError> {
        let service = self.find_key(key)?;
        let report = service.report();
        let by = place_of(&report, wish.epoch, wish.fingerprint.as_deref());
        let group = by.and_then(|by| Some((by, report.groups.get(&by)?.clone())));
        let Some((by, group)) = group else {
            let reason = format!(
                "this node knows no epoch {} with this fingerprint: the current one is epoch {}. Look at it \
                 (roastery change epochs), then decide anew",
                wish.epoch,
                report.current.epoch()
            );
            return Err(ServiceError::Conflict(reason.into()));
        };
        let without = self.seats_named(&service, &group, &wish.without).await?;
        let second_copy = match &wish.second_copy {
            None => None,
            Some(KeptCopy::Single) => Some(SecondCopy::SingleCopy),
            Some(KeptCopy::Backup { sha256 }) => {
                self.check_backup(&group, sha256).await?;
                Some(SecondCopy::Backup)
            }
            Some(KeptCopy::HostKey { host_keys }) => {
                self.check_host_keys(&group, host_keys)?;
                Some(SecondCopy::HostKey)
            }
        };
        let host_key = wish.host_keys_destroyed;
        let asked = service.handle.erase(by, Wish { second_copy, without, host_key });
        match asked.await.transpose().map_err(|error| ServiceError::Conflict(error.into()))? {
            Some(0) => {
                let reason = "nothing is to be erased: this node has no share and no host key that the current \
                              epoch supersedes";
                Err(ServiceError::Conflict(reason.into()))
            }
            Some(_) => self.epochs_of(&service).await,
            None => Err(ServiceError::NoAnswer),
        }
    }

    /// A person takes back the wish to erase that waits for something.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such key; [`ServiceError::Conflict`] if no wish
    /// waits.
    pub async fn stop_erasing(&self, key: &str) -> Result<EpochsStatus, ServiceError> {
        let service = self.find_key(key)?;
        match service.handle.stop_erasing().await {
            Some(true) => self.epochs_of(&service).await,
            Some(false) => {
                Err(ServiceError::Conflict("no wish to erase waits for something here".into()))
            }
            None => Err(ServiceError::NoAnswer),
        }
    }

    /// The seats of the members of an epoch with these names.
    async fn seats_named(
        &self,
        service: &KeyService,
        group: &Group,
        names: &[String],
    ) -> Result<BTreeSet<Seat>, ServiceError> {
        let name_of = self.names_in(service.key).await?;
        let mut seats = BTreeSet::new();
        for name in names {
            let members = group.seats().zip(group.members());
            let named = members.filter(|(_, member)| name_of(&member.peer) == *name);
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

    /// Whether these are the host keys of all of this node's seats in an epoch.
    fn check_host_keys(&self, group: &Group, host_keys: &[String]) -> Result<(), ServiceError> {
        let epoch = group.epoch().number();
        let own = group.members().iter().filter(|member| member.peer == self.peer);
        let own: BTreeSet<[u8; 33]> = own.map(|member| member.host_key.serialize()).collect();
        let mut said = BTreeSet::new();
        for digits in host_keys {
            let Ok(host) = <[u8; 33]>::from_hex(digits) else {
                let reason = "host_keys: 66 hexadecimal digits of each compressed public key";
                return Err(ServiceError::Invalid(reason.into()));
            };
            if !own.contains(&host) {
                let reason = format!(
                    "a host key is not that of a seat of this node in epoch {epoch}, so it gives no share of it: \
                     make its file now (roastery hostkey export), keep it, and name that file"
                );
                return Err(ServiceError::Conflict(reason.into()));
            }
            said.insert(host);
        }
        if said == own {
            return Ok(());
        }
        let reason = format!(
            "{} of this node's {} seats in epoch {epoch} have no host key among these files: name the file of each seat",
            own.len() - said.len(),
            own.len()
        );
        Err(ServiceError::Conflict(reason.into()))
    }

    /// Whether the file with this SHA-256 is a backup that this node has made, with its share of an
    /// epoch. A backup that was made and that no person has by now is none.
    async fn check_backup(&self, group: &Group, sha256: &str) -> Result<(), ServiceError> {
        let Ok(digest) = <[u8; 32]>::from_hex(sha256) else {
            let reason = "sha256: the 64 hexadecimal digits of the SHA-256 of the backup's file";
            return Err(ServiceError::Invalid(reason.into()));
        };
        let made = self.shared.store(|store| store.made_backups()).await?;
        let has_share = |one: &MadeBackups| one.groups.contains(&group.id());
        if made.iter().any(|one| has_share(one) && one.digests.contains(&digest)) {
            return Ok(());
        }
        let reason = format!(
            "this file is none of the latest {KEPT_DIGESTS} backups that this node has made with its share of epoch {}: \
             make one now (roastery backup FILE), keep it, and name that file",
            group.epoch().number()
        );
        Err(ServiceError::Conflict(reason.into()))
    }
}

/// The known epoch with this number and fingerprint; that of a key generation has none.
fn place_of(report: &SwitchReport, number: u32, fingerprint: Option<&str>) -> Option<EpochOrder> {
    let is_meant = |place: &&EpochOrder| {
        let own = (place.epoch() > 0).then(|| digits(&place.fingerprint().to_string()));
        place.epoch() == number && own == fingerprint.map(digits)
    };
    report.groups.keys().find(is_meant).copied()
}
