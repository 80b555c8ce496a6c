//! A share is restored from a group's recovery file and the host key.

use std::sync::Arc;

use roastery_protocol::{
    group::Group,
    keygen::{RecoveryFile, recover_group},
    keys::HostKey,
};

use crate::service::{Service, ServiceError, groups::naming::name_of_group};

impl Service {
    /// Restores this node's share of a group from the group's recovery file and the host key.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the file and the host key do not match;
    /// [`ServiceError::NameTaken`] if another group has the given name, or the name of the key
    /// generation.
    pub async fn recover(
        self: &Arc<Self>,
        file: Vec<u8>,
        wanted: Option<String>,
    ) -> Result<Arc<Group>, ServiceError> {
        let wanted = wanted.as_deref().map(name_of_group).transpose()?;
        let host_key = self.shared.folder.resolve(&self.config.host_key);
        let host = self.shared.host_key.read(host_key).await?;
        let recovery =
            RecoveryFile::decode(&file).map_err(|error| ServiceError::Invalid(error.into()))?;
        let recover = move || recover_group(HostKey::new(host), &file, None);
        let recovered = self.shared.runtime.spawn_blocking(recover).await;
        let recovered = recovered.map_err(|error| ServiceError::Internal(error.into()))?;
        let recovered = recovered.map_err(|error| ServiceError::Invalid(error.into()))?;
        let (group, seat, share) = (recovered.group, recovered.seat, recovered.share);
        if group.member(seat).is_none_or(|member| member.peer != self.peer) {
            let reason = "in this group the seat of the host key has another peer than this node";
            return Err(ServiceError::Invalid(reason.into()));
        }
        let (keeping, keygen) = (group.clone(), recovery.invitation().id());
        let name = match (wanted, self.lock_keygens().get(&keygen)) {
            (Some(name), _) => name,
            (None, Some(joined)) => joined.name.clone(),
            (None, None) => name_of_group(recovery.invitation().name())?,
        };
        self.check_free(&name, Some(group.id())).await?;
        self.shared
            .store(move |store| {
                store.keep_group(&keeping, seat, &share, Some(&recovery))?;
                store.bind_name(&name, keeping.id())
            })
            .await?;
        self.start_new_groups().await?;
        // The group of its invitation is there now.
        self.lock_keygens().retain(|id, known| *id != keygen || known.is_running());
        Ok(group)
    }
}
