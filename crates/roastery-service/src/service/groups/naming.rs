//! The names of groups: a name belongs to one group, for good.

use roastery_protocol::{GroupId, group::Name, keygen::RecoveryFile};
use roastery_store::{ContentError, Durability, KeptGroup, KnownGroup, Principal, StoreError};

use crate::service::{Service, ServiceError, asking::asked};

/// Whether a name could be mistaken for an id: then it is not allowed.
fn looks_like_an_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A name that a group can have.
pub(in crate::service) fn name_of_group(name: &str) -> Result<Name, ServiceError> {
    if looks_like_an_id(name) {
        let reason =
            "a name of 64 hexadecimal digits could be taken for a group's id: take another one";
        return Err(ServiceError::Invalid(reason.into()));
    }
    name.parse()
        .map_err(|error| ServiceError::Invalid(format!("the name {name:?}: {error}").into()))
}

impl Service {
    /// The name for a group that has none yet: the operator's choice at joining, or else the name
    /// of the key generation.
    fn wanted(&self, group: GroupId, recovery: Option<&RecoveryFile>) -> String {
        let Some(file) = recovery else { return format!("group-{group:#}") };
        let invitation = file.invitation();
        let joined = self.lock_keygens().get(&invitation.id()).cloned();
        joined.map_or_else(|| invitation.name().to_owned(), |joined| joined.name.to_string())
    }

    /// Checks that no other group than this one has or had the name.
    pub(in crate::service) async fn check_free(
        &self,
        name: &Name,
        own: Option<GroupId>,
    ) -> Result<(), ServiceError> {
        let asked = name.clone();
        match self.shared.store(move |store| store.group_named(&asked)).await? {
            Some(group) if own != Some(group) => {
                Err(ServiceError::NameTaken { name: name.to_string(), group })
            }
            _ => Ok(()),
        }
    }

    /// The name of a group that is to be started. One that has none gets the wanted one, if no
    /// other group has it or would get it as well; otherwise the operator names it. So does it a
    /// later epoch without the name of one before: no key generation has named that here.
    pub(in crate::service) async fn name_for(
        &self,
        kept: &KeptGroup,
    ) -> Result<Option<String>, ServiceError> {
        let id = kept.group.id();
        let name = self.wanted(id, kept.recovery.as_ref());
        let bound = self.shared.store(move |store| store.name_of(id)).await?;
        if bound.is_some() {
            return Ok(bound);
        }
        if kept.group.epoch().number() > 0 && kept.recovery.is_none() {
            tracing::warn!(
                group = %id,
                "the group has no name, and its requests wait for the operator: roastery group rename {id} NAME"
            );
            return Ok(None);
        }
        let unnamed = self
            .shared
            .store(move |store| {
                let mut unnamed = Vec::new();
                for other in store.known_groups()? {
                    let other_id = other.group.id();
                    if other_id != id && store.name_of(other_id)?.is_none() {
                        unnamed.push(other);
                    }
                }
                Ok(unnamed)
            })
            .await?;
        let rival = |other: &KnownGroup| {
            let wanted = self.wanted(other.group.id(), other.recovery.as_ref());
            wanted.eq_ignore_ascii_case(&name)
        };
        if !unnamed.iter().any(rival)
            && !looks_like_an_id(&name)
            && let Ok(binding) = name.parse::<Name>()
        {
            let bound = self.shared.store(move |store| store.bind_name(&binding, id)).await;
            match bound {
                Ok(()) => return Ok(Some(name)),
                Err(ServiceError::Store(StoreError::Content(ContentError::NameTaken {
                    ..
                }))) => {}
                Err(error) => return Err(error),
            }
        }
        tracing::warn!(
            group = %id, name,
            "the name is another group's, so this one has none, and its requests wait for the operator: roastery group rename {id} NAME"
        );
        Ok(None)
    }

    /// Gives a group another name, from the next start on. Its earlier names stay bound to it.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such group, [`ServiceError::Conflict`] if the name
    /// belongs to another group, [`ServiceError::Invalid`] if the name is not allowed.
    pub async fn rename_group(
        &self,
        group: &str,
        name: String,
        by: Principal,
    ) -> Result<(), ServiceError> {
        let group = self.find_group(group)?;
        let id = group.group.id();
        let name = name_of_group(&name)?;
        let act = asked(by, "rename", &format!("{} to {name}", group.name));
        let bound = self.shared.write(Durability::Synced, move |change| {
            change.append_act(&act)?;
            change.bind_name(&name, id)
        });
        match bound.await {
            Err(ServiceError::Store(StoreError::Content(ContentError::NameTaken {
                group,
                ..
            }))) => {
                let reason = format!(
                    "the name belongs to the group {group}, now or before: take another one"
                );
                Err(ServiceError::Conflict(reason.into()))
            }
            done => done,
        }
    }

    /// Warnings about the configuration that do not keep the node from running.
    pub(in crate::service) fn warnings(&self) -> Vec<String> {
        let groups = self.groups();
        let known =
            groups.iter().flat_map(|group| [group.name.clone(), group.group.id().to_string()]);
        // Groups that are not made yet have no ids.
        let keygens = self.lock_keygens();
        let to_be = keygens.values().map(|one| one.name.to_string());
        let known: Vec<String> = known.chain(to_be).collect();
        let known = known.iter().map(String::as_str);
        let unknown = self.config.unknown_groups(known).into_iter();
        let unknown = unknown.map(|section| {
            format!(
                "{section} in the configuration is about no group of this node, and has no effect: roastery status shows the groups"
            )
        });
        let unnamed = groups.iter().map(|group| (&group.name, group.group.id().to_string()));
        let unnamed = unnamed.filter(|(name, id)| *name == id).map(|(_, id)| {
            format!(
                "the group {id} has no name, and its requests wait for the operator: roastery group rename {id} NAME"
            )
        });
        let more = self.epoch_warnings().into_iter().chain(self.chain_warning());
        let more = more.chain(self.hook_warnings());
        unknown.chain(unnamed).chain(more).collect()
    }
}
