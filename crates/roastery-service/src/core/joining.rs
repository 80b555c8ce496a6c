//! From an invitation to a key: what is taken up, kept and run.

use std::sync::Arc;

use roastery_node::bus::exchange::Topic;
use roastery_protocol::{CeremonyId, GroupId, ceremony::Invitation};
use tokio::sync::oneshot;

use super::{Service, ServiceError, ceremony::CeremonyService, group::GroupService, one};
use crate::{
    files::{Access, Folder, InvitationFile, MAX_INVITATION_FILE},
    view::CeremonyStatus,
};

impl Service {
    /// The members' names and addresses, of the invitations that were taken up.
    pub(super) fn load_invitations(&self) {
        let folder = self.shared.folder.invitations();
        let Ok(files) = std::fs::read_dir(&folder) else { return };
        let paths = files.filter_map(Result::ok).map(|file| file.path());
        // What has another ending was being written when the machine stopped.
        for path in paths.filter(|path| path.extension().is_some_and(|ending| ending == "toml")) {
            let read = Folder::read_text(&path, MAX_INVITATION_FILE)
                .map_err(|error| error.to_string())
                .and_then(|text| InvitationFile::parse(&text).map_err(|error| error.to_string()));
            match read {
                Ok(file) => {
                    self.know(&file);
                    let id = file.invitation().id();
                    if let Some(seat) = file.seat_of(&self.peer) {
                        let ceremony = Arc::new(CeremonyService::new(file, seat));
                        self.lock_ceremonies().insert(id, ceremony);
                    }
                }
                Err(error) => tracing::error!(
                    path = %path.display(),
                    error,
                    "a damaged invitation: roastery group join takes it up again from any member's file"
                ),
            }
        }
    }

    /// Puts the members into the roster, and keeps where they say that they are called, where that
    /// is newer than what was known.
    fn know(&self, file: &InvitationFile) {
        self.learn_names(file.invitation());
        for card in file.cards().iter().filter(|card| card.member().peer != self.peer) {
            if let Err(error) = self.learn(card.whereabouts()) {
                let name = card.name();
                tracing::error!(%name, %error, "the addresses of a member could not be kept");
            }
            self.reach(card.member().peer.clone());
        }
    }

    /// What the members are called.
    pub(super) fn learn_names(&self, invitation: &Invitation) {
        for (member, name) in invitation.members().iter().zip(invitation.names()) {
            self.shared.set_name(member.peer.clone(), name.to_string());
        }
    }

    /// Goes on with what was under way when the node ended.
    pub(super) async fn resume_ceremonies(self: &Arc<Self>) -> Result<(), ServiceError> {
        for kept in self.shared.store(|store| store.ceremonies()).await? {
            let id = kept.invitation.id();
            let known = self.lock_ceremonies().get(&id).cloned();
            let Some(ceremony) = known else {
                tracing::error!(ceremony = %id, "its invitation file is gone; it is not taken up again");
                continue;
            };
            if let Err(error) = self.run_ceremony(&ceremony).await {
                tracing::error!(ceremony = %id, %error, "not taken up again");
            }
        }
        // Those that have made a group need no more of their invitations than names and addresses.
        let groups: Vec<CeremonyId> = self
            .lock_groups()
            .values()
            .filter_map(|group| group.recovery.as_ref().map(|file| file.invitation().id()))
            .collect();
        self.lock_ceremonies().retain(|id, _| !groups.contains(id));
        Ok(())
    }

    /// Takes up an invitation: nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the file is none, or this node is not in it.
    pub async fn join(self: &Arc<Self>, text: String) -> Result<CeremonyStatus, ServiceError> {
        let file = InvitationFile::parse(&text)
            .map_err(|error| ServiceError::Invalid(error.to_string()))?;
        let seat = file.seat_of(&self.peer).ok_or_else(|| {
            ServiceError::Invalid("this node's card is not in the invitation".to_owned())
        })?;
        let own = file.invitation().member(seat).map(|member| member.identity_key);
        if own != Some(self.identity.public_key()) {
            let reason = "the card of this node in the invitation has another identity key";
            return Err(ServiceError::Invalid(reason.to_owned()));
        }
        let id = file.invitation().id();
        let known = self.lock_ceremonies().get(&id).cloned();
        if let Some(known) = known {
            // Cards in it may be newer than those that were taken up.
            self.know(&file);
            return Ok(known.view());
        }
        if let Some(group) = self.made_by(id) {
            // Its store was restored, or its share recovered: what is lacking are names and
            // addresses.
            self.keep_invitation(&file)?;
            let mut view = CeremonyService::new(file, seat).view();
            view.state = "done".to_owned();
            view.text = "the group is here; where its members are is known now".to_owned();
            view.group = Some(group.to_string());
            return Ok(view);
        }
        let name = file.invitation().name().to_owned();
        if self.lock_groups().values().any(|group| group.name == name) {
            return Err(ServiceError::Conflict(format!("there is a group {name:?} here already")));
        }
        self.keep_invitation(&file)?;
        let ceremony = Arc::new(CeremonyService::new(file, seat));
        let view = ceremony.view();
        self.lock_ceremonies().insert(id, ceremony);
        Ok(view)
    }

    /// The group that this ceremony has made, if it is here.
    fn made_by(&self, ceremony: CeremonyId) -> Option<GroupId> {
        let groups = self.lock_groups();
        let made = |group: &&Arc<GroupService>| {
            group.recovery.as_ref().is_some_and(|file| file.invitation().id() == ceremony)
        };
        groups.values().find(made).map(|group| group.group.id())
    }

    /// Writes an invitation into the folder, and learns from it where the members are.
    fn keep_invitation(&self, file: &InvitationFile) -> Result<(), ServiceError> {
        let folder = Folder::new(self.shared.folder.invitations());
        folder.create()?;
        let path = folder.resolve(format!("{}.toml", file.invitation().id()));
        let text = file.to_text();
        // One that is there and is not the same was damaged, or has older cards: its name is the
        // hash of all else.
        if !Folder::read_text(&path, MAX_INVITATION_FILE).is_ok_and(|known| known == text) {
            Folder::replace(&path, text.as_bytes(), Access::Owner)?;
        }
        self.know(file);
        Ok(())
    }

    /// Begins a ceremony whose fingerprint all members have compared.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the fingerprint is another one; [`ServiceError::File`] if the
    /// host key is not there.
    pub async fn begin_ceremony(
        self: &Arc<Self>,
        name: &str,
        fingerprint: &str,
    ) -> Result<CeremonyStatus, ServiceError> {
        let digits = |text: &str| -> String {
            text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
        };
        // Of several attempts with one name the fingerprint says which is meant.
        let named = self.ceremonies_named(name);
        let meant = named.iter().find(|ceremony| {
            digits(&ceremony.file.invitation().fingerprint().to_string()) == digits(fingerprint)
        });
        let Some(ceremony) = meant else {
            if named.is_empty() {
                one("ceremony", name, named.into_iter())?;
            }
            // The right one is not shown: it is to be compared, and not to be copied from here.
            let reason = "this is not the fingerprint of the invitation that was taken up here: compare it with \
                          all members again, and if it differs, do not go on: one of you has another invitation";
            return Err(ServiceError::Invalid(reason.to_owned()));
        };
        if !ceremony.is_running() {
            self.run_ceremony(ceremony).await?;
        }
        Ok(ceremony.view())
    }

    async fn run_ceremony(
        self: &Arc<Self>,
        ceremony: &Arc<CeremonyService>,
    ) -> Result<(), ServiceError> {
        let invitation = ceremony.file.invitation();
        // Its own line, and that of the group that it makes.
        self.make_room(2, invitation.name()).await?;
        let members = invitation.members().iter().map(|member| member.peer.clone());
        let line = self.open_line(Topic::Ceremony(invitation.id()), members)?;
        let host_key = self.shared.folder.resolve(&self.config.host_key);
        let (finished, made) = oneshot::channel();
        let (shared, identity) = (&self.shared, self.identity.clone());
        ceremony.run(shared, line, identity, host_key, finished).await?;
        let this = self.clone();
        self.shared.finite("the start of a new group", async move {
            if made.await.is_ok()
                && let Err(error) = this.start_new_groups().await
            {
                tracing::error!(%error, "the new group was not started");
            }
        });
        Ok(())
    }

    pub(super) fn find_ceremony(&self, name: &str) -> Result<Arc<CeremonyService>, ServiceError> {
        one("ceremony", name, self.ceremonies_named(name).into_iter())
    }

    /// The ceremonies of this group's name, or the one of this id.
    fn ceremonies_named(&self, name: &str) -> Vec<Arc<CeremonyService>> {
        let ceremonies = self.lock_ceremonies();
        let named = ceremonies.iter().filter(|(id, ceremony)| {
            ceremony.file.invitation().name() == name || id.to_string() == name
        });
        named.map(|(_, ceremony)| ceremony.clone()).collect()
    }
}
