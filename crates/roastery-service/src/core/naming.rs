//! What groups are called: a name belongs to one group, for good.

use roastery_node::store::{ContentError, KeptGroup, StoreError};
use roastery_protocol::group::Name;

use super::{Service, ServiceError};

/// What a group was called when its key was made.
fn wanted(kept: &KeptGroup) -> String {
    kept.recovery.as_ref().map_or_else(
        || format!("group-{:#}", kept.group.id()),
        |file| file.invitation().name().to_owned(),
    )
}

/// Whether a name could be taken for an id: then it names nothing.
fn looks_like_an_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Service {
    /// The name of a group that is to be started. One that has none gets the name that its key was
    /// made with, if no other group has it or would get it as well; otherwise the operator names
    /// it.
    pub(super) async fn name_for(&self, kept: &KeptGroup) -> Result<Option<String>, ServiceError> {
        let (id, name) = (kept.group.id(), wanted(kept));
        let bound = self.shared.store(move |store| store.name_of(id)).await?;
        if bound.is_some() {
            return Ok(bound);
        }
        let rival = name.clone();
        let rivals = self
            .shared
            .store(move |store| {
                let mut rivals = 0;
                for other in store.groups()? {
                    let other_id = other.group.id();
                    if other_id != id
                        && wanted(&other) == rival
                        && store.name_of(other_id)?.is_none()
                    {
                        rivals += 1;
                    }
                }
                Ok(rivals)
            })
            .await?;
        if rivals == 0
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

    /// Gives a group another name, from the next start on. Its names of before stay its own.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such group, [`ServiceError::Conflict`] if the name
    /// is another group's,
    /// [`ServiceError::Invalid`] if no group can have it.
    pub async fn rename_group(&self, group: &str, name: String) -> Result<(), ServiceError> {
        let group = self.find_group(group)?;
        let id = group.group.id();
        if looks_like_an_id(&name) {
            let reason =
                "a name of 64 hexadecimal digits could be taken for a group's id: take another one";
            return Err(ServiceError::Invalid(reason.to_owned()));
        }
        let name: Name = name
            .parse()
            .map_err(|error| ServiceError::Invalid(format!("the name {name:?}: {error}")))?;
        let bound = self.shared.store(move |store| store.bind_name(&name, id)).await;
        match bound {
            Err(ServiceError::Store(StoreError::Content(ContentError::NameTaken {
                group,
                ..
            }))) => {
                let reason = format!(
                    "the name belongs to the group {group}, now or before: take another one"
                );
                Err(ServiceError::Conflict(reason))
            }
            done => done,
        }
    }

    /// What is wrong with the configuration and does not keep the node from running.
    pub(super) fn warnings(&self) -> Vec<String> {
        let groups = self.groups();
        let known =
            groups.iter().flat_map(|group| [group.name.clone(), group.group.id().to_string()]);
        // Groups that are to be made have no ids yet.
        let ceremonies = self.lock_ceremonies();
        let to_be = ceremonies.values().map(|one| one.file.invitation().name().to_owned());
        let known: Vec<String> = known.chain(to_be).collect();
        let known = known.iter().map(String::as_str);
        let unknown = self.config.unknown_groups(known).into_iter();
        unknown
            .map(|section| {
                format!(
                    "{section} in the configuration is about no group of this node, and has no effect: roastery status shows the groups"
                )
            })
            .collect()
    }
}
