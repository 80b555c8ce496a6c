//! Shares are restored from a group's recovery file and the host keys.

use std::sync::Arc;

use roastery_frost::Point;
use roastery_protocol::{
    group::{Group, PeerId},
    keygen::{RecoveryFile, recover_group},
    keys::HostKey,
};
use roastery_store::Store;

use crate::service::{Service, ServiceError, groups::naming::name_of_group};

impl Service {
    /// Restores the shares of this node's seats in a group from the group's recovery file and the
    /// host keys.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the file and the host keys do not match;
    /// [`ServiceError::NameTaken`] if another group has the given name, or the name of the key
    /// generation.
    pub async fn recover(
        self: &Arc<Self>,
        file: Vec<u8>,
        wanted: Option<String>,
    ) -> Result<Arc<Group>, ServiceError> {
        let wanted = wanted.as_deref().map(name_of_group).transpose()?;
        let host_key = self.shared.folder.resolve(&self.config.host_key);
        let recovery = match RecoveryFile::decode(&file) {
            Ok(recovery) => recovery,
            Err(error) => {
                // Without a host key no file helps.
                self.shared.host_key.read(host_key).await?;
                return Err(ServiceError::Invalid(error.into()));
            }
        };
        let group = recovery.group().clone();
        let own = group.members().iter().filter(|member| member.peer == self.peer);
        let own: Vec<Point> = own.map(|member| member.host_key).collect();
        let of_pairing = move |store: &Store| {
            let hosts = own.iter().filter_map(|host| store.host_key(host).transpose());
            hosts.collect::<Result<Vec<_>, _>>()
        };
        let hosts = self.shared.store(of_pairing).await?;
        let hosts =
            if hosts.is_empty() { self.shared.host_key.read(host_key).await? } else { hosts };
        let hosts = hosts.into_iter().map(HostKey::new).collect();
        let hosts = hosts_of(&group, &self.peer, hosts)?;
        let recover = move || {
            let recover = |host| recover_group(host, &file, None);
            hosts.into_iter().map(recover).collect::<Result<Vec<_>, _>>()
        };
        let recovered = self.shared.blocking(recover).await;
        let recovered = recovered.map_err(|error| ServiceError::Internal(error.into()))?;
        let recovered = recovered.map_err(|error| ServiceError::Invalid(error.into()))?;
        let shares: Vec<_> = recovered.into_iter().map(|one| (one.seat, one.share)).collect();
        let (keeping, keygen) = (group.clone(), recovery.invitation().id());
        let name = match (wanted, self.lock_keygens().get(&keygen)) {
            (Some(name), _) => name,
            (None, Some(joined)) => joined.name.clone(),
            (None, None) => name_of_group(recovery.invitation().name())?,
        };
        self.check_free(&name, Some(group.id())).await?;
        self.shared
            .store(move |store| {
                store.keep_group(&keeping, &shares, Some(&recovery))?;
                store.bind_name(&name, keeping.id())
            })
            .await?;
        self.start_new_groups().await?;
        // The group of its invitation is there now.
        self.lock_keygens().retain(|id, known| *id != keygen || known.is_running());
        Ok(group)
    }
}

/// The host keys of the seats that this peer holds in a group, by seat.
fn hosts_of(
    group: &Group,
    peer: &PeerId,
    mut hosts: Vec<HostKey>,
) -> Result<Vec<HostKey>, ServiceError> {
    let own: Vec<_> = group.seats().filter(|seat| group.holds(peer, *seat)).collect();
    let host_of = |seat| {
        let key = group.member(seat)?.host_key;
        let host = hosts.iter().position(|host| host.public_key() == key)?;
        Some(hosts.swap_remove(host))
    };
    let found: Option<Vec<_>> = own.into_iter().map(host_of).collect();
    found.filter(|found| !found.is_empty()).ok_or_else(|| {
        let reason = "the host keys here are not those of this node's seats in this group";
        ServiceError::Invalid(reason.into())
    })
}
