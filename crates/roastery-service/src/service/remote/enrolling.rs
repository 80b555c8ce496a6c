//! How a passkey is added and removed: the terminal gives a code, a page at the origin makes the
//! passkey, and the terminal keeps it.

use roastery_store::{ContentError, KeptPasskey, MAX_PASSKEYS, Principal, StoreError};
use zeroize::Zeroizing;

use crate::{
    config::names::{LABEL_RULE, is_label},
    passkey::RemoteError,
    service::{
        Service, ServiceError,
        admitted::Admission,
        now,
        passkeys::{Added, at, fingerprint},
        role::Role,
        shared::Shared,
    },
};

/// What a browser needs to make a passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BegunEnrolment {
    /// The name of the passkey.
    pub name: String,
    /// The challenge.
    pub challenge: [u8; 32],
    /// The ids of the passkeys that there are: none of their authenticators makes another one.
    pub others: Vec<Vec<u8>>,
}

/// How far the passkey is that is being added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentState {
    /// Its name.
    pub name: String,
    /// Its fingerprint, once it has come.
    pub fingerprint: Option<String>,
}

fn role(acts: bool) -> Role {
    if acts { Role::Operator } else { Role::Reader }
}

fn conflict<T>(reason: String) -> Result<T, ServiceError> {
    Err(ServiceError::Conflict(reason.into()))
}

impl Shared {
    pub(in crate::service) fn open_enrolment(
        &self,
        name: &str,
        acts: bool,
    ) -> Result<Zeroizing<String>, ServiceError> {
        let remote = self.remote()?;
        if !is_label(name) {
            let reason = format!("the name of a passkey has {LABEL_RULE}");
            return Err(ServiceError::Invalid(reason.into()));
        }
        if remote.named(name).is_some() {
            return conflict(format!(
                "there is a passkey {name:?} already: remove it first, or take another name"
            ));
        }
        let added = Added { name: name.to_owned(), acts };
        let code = remote.enrolment.open(added, at());
        code.map_err(|_| ServiceError::Internal("the system gave no randomness".into()))
    }

    pub(in crate::service) fn begin_enrolment(
        &self,
        code: &str,
    ) -> Result<BegunEnrolment, ServiceError> {
        let remote = self.remote()?;
        let mut challenge = [0; 32];
        getrandom::fill(&mut challenge)
            .map_err(|_| ServiceError::Internal("the system gave no randomness".into()))?;
        let added = remote.enrolment.begin(code, challenge, at())?;
        let others = remote.all().into_iter().map(|passkey| passkey.credential).collect();
        Ok(BegunEnrolment { name: added.name, challenge, others })
    }

    pub(in crate::service) fn enrol(
        &self,
        code: &str,
        client_data: &[u8],
        authenticator_data: &[u8],
    ) -> Result<String, ServiceError> {
        let remote = self.remote()?;
        let challenge = remote.enrolment.challenge(code, at())?;
        let new = remote.party.read_new(client_data, authenticator_data, &challenge);
        let new = new.map_err(RemoteError::from)?;
        if remote.with_credential(&new.credential).is_some() {
            return conflict("this passkey is one of this node's already".to_owned());
        }
        let of = |added: &Added| KeptPasskey {
            name: added.name.clone(),
            credential: new.credential,
            key: new.key,
            acts: added.acts,
            count: new.count,
            made: now(),
        };
        let passkey = remote.enrolment.come(code, of, at())?;
        Ok(fingerprint(&passkey))
    }

    pub(in crate::service) async fn keep_enrolled(
        &self,
        shown: &str,
        by: Principal,
    ) -> Result<KeptPasskey, ServiceError> {
        let remote = self.remote()?;
        let changing = remote.changing.lock().await;
        let come = remote.enrolment.state(at()).and_then(|(_, come)| come);
        let Some(passkey) = come.filter(|passkey| fingerprint(passkey) == shown) else {
            let (what, name) = ("new passkey with the fingerprint", shown.to_owned());
            return Err(ServiceError::NotFound { what, name });
        };
        let about = format!("{}, {}: {shown}", passkey.name, role(passkey.acts));
        let (kept, told) = (passkey.clone(), format!("a new passkey: {about}"));
        let admission = Admission { by, operation: "passkey add", about: &about, told };
        match self.admit(admission, move |change| change.keep_passkey(&kept)).await {
            Ok(true) => remote.change(|all| all.push(passkey.clone())),
            Ok(false) => {
                return conflict("there is a passkey of this name or credential".to_owned());
            }
            Err(ServiceError::Store(StoreError::Content(ContentError::Count { .. }))) => {
                return conflict(format!(
                    "there are {MAX_PASSKEYS} passkeys, which is the most: remove one"
                ));
            }
            Err(error) => return Err(error),
        }
        remote.enrolment.end(at());
        drop(changing);
        Ok(passkey)
    }

    pub(in crate::service) async fn remove_passkey(
        &self,
        name: &str,
        by: Principal,
    ) -> Result<(), ServiceError> {
        // Without an origin none counts, and what the store has is removed all the same.
        let remote = self.remote.get();
        let changing = match remote {
            Some(remote) => Some(remote.changing.lock().await),
            None => None,
        };
        // In force first: a disk that fails keeps no person from it.
        let counted = remote.is_some_and(|remote| {
            remote.change(|all| {
                let before = all.len();
                all.retain(|passkey| passkey.name != name);
                all.len() < before
            })
        });
        let (kept, told) = (name.to_owned(), format!("a passkey is removed: {name}"));
        let admission = Admission { by, operation: "passkey remove", about: name, told };
        let removed = self.admit(admission, move |change| change.remove_passkey(&kept)).await?;
        drop(changing);
        if counted || removed {
            return Ok(());
        }
        Err(ServiceError::NotFound { what: "passkey", name: name.to_owned() })
    }
}

impl Service {
    /// A code by which one passkey is added, within ten minutes. The code before counts no more.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotReady`] if no one decides from elsewhere; [`ServiceError::Invalid`] if
    /// the name is not allowed; [`ServiceError::Conflict`] if there is a passkey of this name.
    pub fn open_enrolment(
        &self,
        name: &str,
        role: Role,
    ) -> Result<Zeroizing<String>, ServiceError> {
        self.shared.open_enrolment(name, role == Role::Operator)
    }

    /// What a browser needs to make the passkey, for who has the code.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Remote`].
    pub fn begin_enrolment(&self, code: &str) -> Result<BegunEnrolment, ServiceError> {
        self.shared.begin_enrolment(code)
    }

    /// Takes the passkey that a browser has made, until the terminal keeps it. Returns its
    /// fingerprint.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Remote`].
    pub fn enrol(
        &self,
        code: &str,
        client_data: &[u8],
        authenticator_data: &[u8],
    ) -> Result<String, ServiceError> {
        self.shared.enrol(code, client_data, authenticator_data)
    }

    /// How far the passkey is that is being added; `None` if there is none.
    pub fn enrolment(&self) -> Option<EnrolmentState> {
        let (added, come) = self.shared.remote.get()?.enrolment.state(at())?;
        let fingerprint = come.as_ref().map(fingerprint);
        Some(EnrolmentState { name: added.name, fingerprint })
    }

    /// Keeps the passkey that has come, if this is its fingerprint: it counts from here on.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if it is not; [`ServiceError::Conflict`] if there are 16.
    pub async fn keep_enrolled(
        &self,
        fingerprint: &str,
        by: Principal,
    ) -> Result<KeptPasskey, ServiceError> {
        self.shared.keep_enrolled(fingerprint, by).await
    }

    /// Ends the code, and what has come for it is not kept.
    pub fn end_enrolment(&self) {
        if let Some(remote) = self.shared.remote.get() {
            remote.enrolment.end(at());
        }
    }

    /// Removes a passkey: it counts no more from here on.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if it is neither here nor in the store; [`ServiceError::Store`]
    /// if it could not be written: then it counts again after the next start.
    pub async fn remove_passkey(&self, name: &str, by: Principal) -> Result<(), ServiceError> {
        self.shared.remove_passkey(name, by).await
    }
}
