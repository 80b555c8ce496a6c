//! Decisions of people elsewhere: each with a passkey, which signs the act, the request and what
//! was seen of it. The process between them and this node decides nothing.

mod deciding;
mod enrolling;
mod ledger;
mod limits;
#[cfg(test)]
mod tests;

use roastery_store::KeptPasskey;

pub use self::{
    deciding::{Challenge, RemoteWish},
    enrolling::{BegunEnrolment, EnrolmentState},
};
use crate::{
    passkey::RelyingParty,
    service::{Service, ServiceError, passkeys::Remote, shared::Shared},
};

impl Shared {
    /// What this node has for people elsewhere.
    fn remote(&self) -> Result<&Remote, ServiceError> {
        let off = "no one decides from elsewhere: remote.origin is not set in roastery.toml";
        self.remote.get().ok_or_else(|| ServiceError::NotReady(off.into()))
    }
}

impl Service {
    pub(in crate::service) async fn load_passkeys(&self) -> Result<(), ServiceError> {
        let Some(party) = self.config.remote.origin.clone() else { return Ok(()) };
        let remote = Remote::new(party, &self.peer)
            .map_err(|_| ServiceError::Internal("the system gave no randomness".into()))?;
        let kept = self.shared.store(|store| store.passkeys()).await?;
        remote.change(|all| *all = kept);
        // Set once, at the start.
        let _ = self.shared.remote.set(remote);
        Ok(())
    }

    /// The site whose pages use the passkeys; `None` if there is none.
    pub fn relying_party(&self) -> Option<&RelyingParty> {
        self.shared.remote.get().map(Remote::party)
    }

    /// The passkeys that count; without an origin those that the store has.
    ///
    /// # Errors
    ///
    /// An error of the store.
    pub async fn passkeys(&self) -> Result<Vec<KeptPasskey>, ServiceError> {
        match self.shared.remote.get() {
            Some(remote) => Ok(remote.all()),
            None => self.shared.store(|store| store.passkeys()).await,
        }
    }
}
