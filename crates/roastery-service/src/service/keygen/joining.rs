//! From an invitation to a key: joining, storing and running.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use roastery_node::bus::mux::Topic;
use roastery_protocol::{
    GroupId, KeygenId, Seat,
    group::{Name, NameError},
    keygen::Invitation,
};
use roastery_store::{Store, StoreError};
use tokio::sync::oneshot;

use crate::{
    files::{Access, Folder, InvitationFile, MAX_INVITATION_FILE},
    service::{
        Service, ServiceError, exactly_one,
        group::service::GroupService,
        groups::naming::name_of_group,
        keygen::{
            status::{KeygenPhase, KeygenStatus},
            task::KeygenService,
        },
    },
};

/// The longest file with a name, in bytes.
const MAX_NAME_FILE: usize = 256;

fn name_of_invitation(invitation: &Invitation) -> Result<Name, ServiceError> {
    name_of_group(invitation.name())
}

fn other_name(name: &Name) -> ServiceError {
    ServiceError::Conflict(format!(
        "the group is called {name:?} here already: roastery group rename gives it another name once its key is made",
        name = name.as_str()
    ).into())
}

impl Service {
    /// Loads the members' names and addresses from the invitations that were joined. If a file is
    /// damaged or missing, the store has all but the addresses, which are in files of their own.
    pub(in crate::service) async fn load_invitations(&self) -> Result<(), ServiceError> {
        let stored = self.shared.store(stored_invitations).await?;
        let folder = self.shared.folder.invitations();
        let files = std::fs::read_dir(&folder).into_iter().flatten();
        let paths = files.filter_map(Result::ok).map(|file| file.path());
        // A file with another ending is left over from an interrupted write.
        for path in paths.filter(|path| path.extension().is_some_and(|ending| ending == "toml")) {
            let read = Folder::read_own_text(&path, MAX_INVITATION_FILE)
                .map_err(|error| error.to_string())
                .and_then(|text| InvitationFile::parse(&text).map_err(|error| error.to_string()));
            match read {
                Ok(file) => {
                    self.know(&file);
                    self.register(file.invitation());
                }
                Err(error) => report_damaged(&path, &error, &stored),
            }
        }
        for invitation in stored.values() {
            self.learn_names(invitation);
            invitation.members().iter().for_each(|member| self.reach(member.peer.clone()));
            self.register(invitation);
        }
        Ok(())
    }

    /// Registers an invitation of this node, which waits for its fingerprint or for being resumed.
    fn register(&self, invitation: &Invitation) {
        let seats = self.seats_in(invitation);
        if seats.is_empty() {
            return;
        }
        match self.kept_name(invitation) {
            Ok(name) => {
                let keygen = || Arc::new(KeygenService::new(invitation.clone(), seats, name));
                self.lock_keygens().entry(invitation.id()).or_insert_with(keygen);
            }
            Err(error) => tracing::error!(
                invitation = %invitation.id(),
                error,
                "what its group is called here cannot be read: roastery group join --name NAME says it again"
            ),
        }
    }

    fn seats_in(&self, invitation: &Invitation) -> Vec<Seat> {
        invitation.seats_of(&self.peer).collect()
    }

    /// Puts the members into the roster, and keeps their signed addresses if they are newer than
    /// those known.
    fn know(&self, file: &InvitationFile) {
        self.learn_names(file.invitation());
        for card in file.cards().iter().filter(|card| *card.peer() != self.peer) {
            if let Err(error) = self.learn(card.whereabouts()) {
                let name = card.name();
                tracing::error!(%name, %error, "the addresses of a member could not be kept");
            }
            self.reach(card.peer().clone());
        }
    }

    /// Learns the members' names.
    pub(in crate::service) fn learn_names(&self, invitation: &Invitation) {
        for (member, name) in invitation.members().iter().zip(invitation.names()) {
            self.shared.set_name(member.peer.clone(), name.to_string());
        }
    }

    /// Resumes the key generations that were under way before the restart.
    pub(in crate::service) async fn resume_keygens(self: &Arc<Self>) -> Result<(), ServiceError> {
        for kept in self.shared.store(|store| store.keygens()).await? {
            let id = kept.invitation.id();
            let known = self.lock_keygens().get(&id).cloned();
            let Some(keygen) = known else {
                let reason =
                    "its name or this node's seats are not known; it is not taken up again";
                tracing::error!(keygen = %id, reason);
                continue;
            };
            if let Err(error) = self.run_keygen(&keygen).await {
                tracing::error!(keygen = %id, %error, "not taken up again");
            }
        }
        // A key generation that has made a group needs only the names and addresses of its
        // invitation.
        let groups: Vec<KeygenId> = self
            .lock_groups()
            .values()
            .filter_map(|group| group.recovery.as_ref().map(|file| file.invitation().id()))
            .collect();
        self.lock_keygens().retain(|id, _| !groups.contains(id));
        Ok(())
    }

    /// Joins an invitation; no message is sent yet. The group gets this name, or else the
    /// invitation's.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the file or the name is invalid or this node is not in it;
    /// [`ServiceError::NameTaken`] if another group has the name here; [`ServiceError::Conflict`]
    /// if the key was or is being generated under another name.
    pub async fn join(
        self: &Arc<Self>,
        text: String,
        wanted: Option<String>,
    ) -> Result<KeygenStatus, ServiceError> {
        let _joining = self.joining.lock().await;
        let wanted = wanted.as_deref().map(name_of_group).transpose()?;
        let file =
            InvitationFile::parse(&text).map_err(|error| ServiceError::Invalid(error.into()))?;
        let seats = self.seats_in(file.invitation());
        if seats.is_empty() {
            return Err(ServiceError::Invalid("this node's card is not in the invitation".into()));
        }
        let own = seats.iter().filter_map(|seat| file.invitation().member(*seat));
        if own.into_iter().any(|member| self.identity_of(member).is_none()) {
            let reason = "the card of this node in the invitation has another identity key";
            return Err(ServiceError::Invalid(reason.into()));
        }
        let id = file.invitation().id();
        let known = self.lock_keygens().get(&id).cloned();
        if let Some(known) = known {
            // Its cards may be newer than the stored ones, and the stored file may be damaged.
            self.keep_invitation(&file)?;
            match wanted {
                Some(wanted) if wanted != known.name => {
                    if known.is_running() {
                        return Err(other_name(&known.name));
                    }
                    self.join_as(file, seats, wanted).await?;
                }
                _ => return Ok(known.status()),
            }
            return self.keygen(&id.to_string());
        }
        if let Some(group) = self.made_by(id) {
            // The store was restored, or its share recovered: only names and addresses are missing.
            self.keep_invitation(&file)?;
            let called = self.shared.store(move |store| store.name_of(group)).await?;
            let called = called.and_then(|name| name.parse().ok());
            let name = match (called, wanted) {
                (Some(called), Some(wanted)) if called != wanted => {
                    return Err(other_name(&called));
                }
                (Some(name), _) | (None, Some(name)) => name,
                (None, None) => name_of_invitation(file.invitation())?,
            };
            let keygen = KeygenService::new(file.invitation().clone(), seats, name);
            return Ok(keygen.status_in(KeygenPhase::Known(group)));
        }
        let name = match wanted {
            Some(name) => name,
            None => name_of_invitation(file.invitation())?,
        };
        self.join_as(file, seats, name).await?;
        self.keygen(&id.to_string())
    }

    /// Joins an invitation under a name that no other group has here.
    async fn join_as(
        &self,
        file: InvitationFile,
        seats: Vec<Seat>,
        name: Name,
    ) -> Result<(), ServiceError> {
        self.check_free(&name, None).await?;
        self.keep_name(&file, &name)?;
        self.keep_invitation(&file)?;
        let id = file.invitation().id();
        let keygen = Arc::new(KeygenService::new(file.invitation().clone(), seats, name));
        self.lock_keygens().insert(id, keygen);
        Ok(())
    }

    /// The group that this key generation has made, if it is here.
    pub(in crate::service) fn made_by(&self, keygen: KeygenId) -> Option<GroupId> {
        let groups = self.lock_groups();
        let made = |group: &&Arc<GroupService>| {
            group.recovery.as_ref().is_some_and(|file| file.invitation().id() == keygen)
        };
        groups.values().find(made).map(|group| group.group.id())
    }

    /// Stores the group's name beside its invitation and before it, if it is not the invitation's
    /// name.
    fn keep_name(&self, file: &InvitationFile, name: &Name) -> Result<(), ServiceError> {
        let folder = Folder::new(self.shared.folder.invitations());
        folder.create()?;
        let path = folder.resolve(format!("{}.name", file.invitation().id()));
        if name.as_str() == file.invitation().name() {
            return match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(ServiceError::Internal(format!("{}: {error}", path.display()).into()))
                }
                _ => Ok(()),
            };
        }
        Ok(Folder::replace(&path, format!("{name}\n").as_bytes(), Access::Owner)?)
    }

    /// The name of the group of an invitation that was joined.
    fn kept_name(&self, invitation: &Invitation) -> Result<Name, String> {
        let folder = Folder::new(self.shared.folder.invitations());
        let path = folder.resolve(format!("{}.name", invitation.id()));
        if !path.exists() {
            return name_of_invitation(invitation).map_err(|error| error.to_string());
        }
        let text =
            Folder::read_own_text(&path, MAX_NAME_FILE).map_err(|error| error.to_string())?;
        text.trim_end_matches('\n').parse().map_err(|error: NameError| error.to_string())
    }

    /// Writes an invitation into the folder, and learns the members' addresses from it.
    fn keep_invitation(&self, file: &InvitationFile) -> Result<(), ServiceError> {
        let folder = Folder::new(self.shared.folder.invitations());
        folder.create()?;
        let path = folder.resolve(format!("{}.toml", file.invitation().id()));
        let text = file.to_text();
        // If there is another file of this name it was damaged, or has older cards: its name is the
        // hash of everything else.
        if !Folder::read_own_text(&path, MAX_INVITATION_FILE).is_ok_and(|known| known == text) {
            Folder::replace(&path, text.as_bytes(), Access::Owner)?;
        }
        self.know(file);
        Ok(())
    }

    /// Begins a key generation whose fingerprint all members have compared.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the fingerprint is another one; [`ServiceError::NameTaken`] if
    /// another group has its name by now; [`ServiceError::File`] if the host key is not there.
    pub async fn begin_keygen(
        self: &Arc<Self>,
        name: &str,
        fingerprint: &str,
    ) -> Result<KeygenStatus, ServiceError> {
        let digits = |text: &str| -> String {
            text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
        };
        // Of several invitations with one name the fingerprint selects one.
        let named = self.keygens_named(name);
        let meant = named.iter().find(|keygen| {
            digits(&keygen.invitation.fingerprint().to_string()) == digits(fingerprint)
        });
        let Some(keygen) = meant else {
            if named.is_empty() {
                exactly_one("key generation", name, named.into_iter())?;
            }
            // The right one is not shown: members must compare it, not copy it from here.
            let reason = "this is not the fingerprint of the invitation that was taken up here: compare it with \
                          all members again, and if it differs, do not go on: one of you has another invitation";
            return Err(ServiceError::Invalid(reason.into()));
        };
        if !keygen.is_running() {
            let made = self.made_by(keygen.invitation.id());
            self.check_free(&keygen.name, made).await?;
            self.run_keygen(keygen).await?;
        }
        Ok(keygen.status())
    }

    async fn run_keygen(self: &Arc<Self>, keygen: &Arc<KeygenService>) -> Result<(), ServiceError> {
        let invitation = &keygen.invitation;
        // One channel for the key generation, and two for the group that it makes and its kits.
        self.make_room(3, keygen.name.as_str()).await?;
        let members = invitation.members().iter().map(|member| member.peer.clone());
        let channel = self.open_channel(Topic::Keygen(invitation.id()), members)?;
        let host_key = self.shared.folder.resolve(&self.config.host_key);
        let (finished, made) = oneshot::channel();
        let (shared, identities) = (&self.shared, &self.identities);
        keygen.run(shared, channel, identities, host_key, finished).await?;
        let (this, keygen) = (self.clone(), keygen.clone());
        self.shared.finite("the start of a new group", async move {
            if made.await.is_ok()
                && let Err(error) = this.start_new_groups().await
            {
                tracing::error!(%error, "the new group was not started");
                keygen.group_not_started(&error);
            }
        });
        Ok(())
    }

    pub(in crate::service) fn find_keygen(
        &self,
        name: &str,
    ) -> Result<Arc<KeygenService>, ServiceError> {
        exactly_one("key generation", name, self.keygens_named(name).into_iter())
    }

    /// The key generations of groups with this name, or the one with this id.
    fn keygens_named(&self, name: &str) -> Vec<Arc<KeygenService>> {
        let keygens = self.lock_keygens();
        let named = keygens
            .iter()
            .filter(|(id, keygen)| keygen.name.as_str() == name || id.to_string() == name);
        named.map(|(_, keygen)| keygen.clone()).collect()
    }
}

/// The invitations in the store: of key generations under way, and of groups.
fn stored_invitations(store: &Store) -> Result<BTreeMap<KeygenId, Invitation>, StoreError> {
    let groups = store.known_groups()?.into_iter().filter_map(|known| known.recovery);
    let groups = groups.map(|file| file.invitation().clone());
    let under_way = store.keygens()?.into_iter().map(|kept| kept.invitation);
    Ok(under_way.chain(groups).map(|invitation| (invitation.id(), invitation)).collect())
}

/// Logs what a damaged invitation means for this node, in one line.
fn report_damaged(path: &Path, error: &str, stored: &BTreeMap<KeygenId, Invitation>) {
    let name = path.file_stem().unwrap_or_default();
    let path = path.display();
    if stored.keys().any(|id| name == id.to_string().as_str()) {
        tracing::warn!(
            %path,
            error,
            "a damaged invitation: the store has it as well, and the node goes on with that; \
             roastery group join writes the file again from any member's"
        );
    } else {
        tracing::error!(
            %path,
            error,
            "a damaged invitation, which the store does not have: take it up again from any member's \
             file (roastery group join), or remove it"
        );
    }
}
