//! What a person elsewhere does: sign in, approve, reject. What is right only the node says: the
//! process that hands it on has no more rights than to read.

use std::sync::Arc;

use bitcoin::hashes::{Hash as _, sha256};
use roastery_protocol::SessionId;
use roastery_store::{
    Deed, Durability, KeptAssertion, KeptPasskey, KeptRequest, Principal, RemoteApproval,
    Transaction,
};

use super::{ledger, limits::had_no_effect};
use crate::{
    passkey::{Assertion, RemoteError},
    service::{
        DecidedAbout, KnownRequest, Seen, Service, ServiceError,
        asking::{Asking, Rejecting, act, asked},
        group::service::GroupService,
        passkeys::{Purpose, RemoteAct, Ticket, at},
        rejections::files::REJECTED,
        shared::Shared,
    },
};

/// What a challenge is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteWish {
    /// To sign in, with any passkey.
    SignIn,
    /// To decide about a request, with the passkey of this name.
    Decide {
        /// Whether it is to be approved.
        approves: bool,
        /// The name of the passkey.
        passkey: String,
        /// The session of the request.
        session: SessionId,
        /// What was seen of it.
        seen: Seen,
    },
}

/// A challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// What is handed back with what was signed.
    pub ticket: Vec<u8>,
    /// What is signed.
    pub challenge: [u8; 32],
    /// The id of the credential that is to sign; `None` for any.
    pub credential: Option<Vec<u8>>,
}

/// That a passkey has signed what a ticket says.
#[derive(Debug)]
pub(in crate::service) struct Proven {
    ticket: Ticket,
    passkey: KeptPasskey,
    count: u32,
}

fn hash_of(credential: &[u8]) -> [u8; 32] {
    sha256::Hash::hash(credential).to_byte_array()
}

impl Shared {
    pub(in crate::service) fn remote_challenge(
        &self,
        wish: &RemoteWish,
    ) -> Result<Challenge, ServiceError> {
        let remote = self.remote()?;
        let (purpose, credential) = match wish {
            RemoteWish::SignIn => {
                let none = [0; 32];
                let act = RemoteAct::SignIn;
                (Purpose { act, passkey: none, session: none, seen: none, after: 0 }, None)
            }
            RemoteWish::Decide { approves, passkey, session, seen } => {
                let passkey = remote.named(passkey).ok_or(RemoteError::UnknownPasskey)?;
                if !passkey.acts {
                    return Err(RemoteError::ReadsOnly(passkey.name).into());
                }
                let act = if *approves { RemoteAct::Approve } else { RemoteAct::Reject };
                let purpose = Purpose {
                    act,
                    passkey: hash_of(&passkey.credential),
                    session: *session.as_bytes(),
                    seen: seen.to_bytes(),
                    after: self.rejections.last(),
                };
                (purpose, Some(passkey.credential))
            }
        };
        let (ticket, challenge) = remote
            .tickets
            .issue(&purpose, at())
            .map_err(|_| ServiceError::Internal("the system gave no randomness".into()))?;
        Ok(Challenge { ticket, challenge, credential })
    }

    /// Verifies that a passkey of this node has signed the challenge of a ticket for one of these
    /// acts, and uses the ticket up.
    pub(in crate::service) fn prove(
        &self,
        ticket: &[u8],
        assertion: &Assertion,
        acts: &[RemoteAct],
    ) -> Result<Proven, ServiceError> {
        let remote = self.remote()?;
        let ticket = remote.tickets.open(ticket, at())?;
        if !acts.contains(&ticket.purpose.act) {
            return Err(RemoteError::OtherAct.into());
        }
        let passkey = remote.with_credential(&assertion.credential);
        let passkey = passkey.ok_or(RemoteError::UnknownPasskey)?;
        if ticket.purpose.act != RemoteAct::SignIn {
            if ticket.purpose.passkey != hash_of(&passkey.credential) {
                return Err(RemoteError::OtherPasskey.into());
            }
            if !passkey.acts {
                return Err(RemoteError::ReadsOnly(passkey.name).into());
            }
        }
        let verified = remote.party.verify(assertion, &ticket.challenge, &passkey.key);
        let count = verified.map_err(RemoteError::from)?;
        remote.tickets.use_up(&ticket, hash_of(&passkey.credential), at())?;
        Ok(Proven { ticket, passkey, count })
    }
}

/// Notes the counter of a passkey, which must rise unless it has none.
fn count(
    change: &mut Transaction<'_>,
    proven: &Proven,
) -> Result<Result<(), RemoteError>, roastery_store::StoreError> {
    let Proven { passkey, count, .. } = proven;
    let Some(kept) = change.passkey(&passkey.credential)? else {
        return Ok(Err(RemoteError::UnknownPasskey));
    };
    if (kept.count, *count) != (0, 0) && *count <= kept.count {
        let (name, before) = (kept.name, kept.count);
        tracing::warn!(passkey = name, count, before, "a passkey's counter does not rise");
        let about = format!("{name}: {count} after {before}");
        change.append_act(&asked(proven.by(), "passkey whose counter does not rise", &about))?;
        return Ok(Err(RemoteError::Counter { name, count: *count, before }));
    }
    change.count_passkey(&passkey.credential, *count)?;
    Ok(Ok(()))
}

impl Proven {
    fn by(&self) -> Principal {
        Principal::Passkey(self.passkey.name.clone())
    }

    /// What was seen of the request that the ticket names.
    fn seen(&self) -> Seen {
        Seen::of_bytes(self.ticket.purpose.seen)
    }
}

impl Service {
    /// A challenge for a person elsewhere.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotReady`] if no one decides from elsewhere; [`ServiceError::Remote`].
    pub fn remote_challenge(&self, wish: &RemoteWish) -> Result<Challenge, ServiceError> {
        self.shared.remote_challenge(wish)
    }

    /// A person elsewhere signs in, to read.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Remote`].
    pub async fn sign_in(
        &self,
        ticket: &[u8],
        assertion: &Assertion,
    ) -> Result<KeptPasskey, ServiceError> {
        self.shared.sign_in(ticket, assertion).await
    }

    /// A person elsewhere decides about a request, as the ticket says.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Remote`], and the errors of [`approve`](Self::approve) and
    /// [`reject`](Self::reject).
    pub async fn decide_remotely(
        self: &Arc<Self>,
        ticket: &[u8],
        assertion: &Assertion,
    ) -> Result<KnownRequest, ServiceError> {
        let bytes = ticket;
        let acts = [RemoteAct::Approve, RemoteAct::Reject];
        let proven = self.shared.prove(bytes, assertion, &acts)?;
        let session = SessionId::from_bytes(proven.ticket.purpose.session);
        let (group, kept) = self.find_request(&session.to_string()).await?;
        group.decide_remotely(kept, proven, bytes, assertion).await
    }
}

impl Shared {
    pub(in crate::service) async fn sign_in(
        &self,
        ticket: &[u8],
        assertion: &Assertion,
    ) -> Result<KeptPasskey, ServiceError> {
        let proven = self.prove(ticket, assertion, &[RemoteAct::SignIn])?;
        let passkey = proven.passkey.clone();
        let act = asked(proven.by(), "sign in", "");
        let write = move |change: &mut Transaction<'_>| {
            let counted = count(change, &proven)?;
            if counted.is_ok() {
                change.append_act(&act)?;
            }
            Ok(counted)
        };
        self.write(Durability::Synced, write).await??;
        Ok(passkey)
    }
}

impl GroupService {
    /// Takes the decision that a passkey has signed: it is within the limits, and on the disk with
    /// what was signed, before it takes effect.
    pub(in crate::service) async fn decide_remotely(
        self: &Arc<Self>,
        kept: KeptRequest,
        proven: Proven,
        ticket: &[u8],
        assertion: &Assertion,
    ) -> Result<KnownRequest, ServiceError> {
        let (by, seen) = (proven.by(), proven.seen());
        // Whatever was rejected since the challenge was issued stays.
        let asking = Asking { by: by.clone(), after: proven.ticket.purpose.after };
        if !seen.is_of_subject(&kept.request, &kept.subject) {
            return Err(ServiceError::Changed);
        }
        let assertion = kept_assertion(ticket, assertion);
        if proven.ticket.purpose.act != RemoteAct::Approve {
            self.record_remote(&kept, proven, assertion, None).await?;
            let rejecting = Rejecting { by, seen: Some(seen.to_bytes()) };
            self.reject_as_operator(&kept, REJECTED, &rejecting).await?;
            return self.known_decided(&kept, None).await;
        }
        // One approval at a time: what one takes out of the sum of a day no other relies on.
        let approving = self.shared.remote()?.approving.lock().await;
        let within = self.within_remote_limits(&kept, seen).await?;
        let spent = Some(within.spent.clone());
        let noted = self.record_remote(&kept, proven, assertion, spent).await?;
        let about = DecidedAbout { revision: None, seen: Some(seen) };
        let approved = self.approve_as_operator(kept, about, asking).await;
        if approved.as_ref().is_err_and(had_no_effect)
            && let Some(noted) = noted
        {
            self.forget_remote(noted, within.sessions).await;
        }
        drop(approving);
        approved
    }

    /// Writes what was signed, with the counter and what it takes of the limit of a day. Returns
    /// what it has added to that.
    async fn record_remote(
        &self,
        kept: &KeptRequest,
        proven: Proven,
        assertion: KeptAssertion,
        spent: Option<RemoteApproval>,
    ) -> Result<Option<RemoteApproval>, ServiceError> {
        let deed = Deed::Asserted {
            group: self.group.id(),
            session: kept.request.session_id(),
            seen: proven.ticket.purpose.seen,
            approves: spent.is_some(),
            assertion,
        };
        let act = act(proven.by(), deed);
        let most = self.policy.config().remote_most_per_day();
        let write = move |change: &mut Transaction<'_>| {
            if let Err(error) = count(change, &proven)? {
                return Ok(Err(error));
            }
            // What is refused by the limit is recorded as well.
            change.append_act(&act)?;
            let Some(spent) = spent else { return Ok(Ok(None)) };
            let before = change.remote_approvals()?;
            let is_new =
                !before.iter().any(|one| (one.key, one.session) == (spent.key, spent.session));
            let approvals = match ledger::with(before, spent.clone(), most) {
                Ok(approvals) => approvals,
                Err(error) => return Ok(Err(error)),
            };
            change.keep_remote_approvals(approvals)?;
            Ok(Ok(is_new.then_some(spent)))
        };
        Ok(self.shared.write(Durability::Synced, write).await??)
    }
}

fn kept_assertion(ticket: &[u8], assertion: &Assertion) -> KeptAssertion {
    let Assertion { credential, client_data, authenticator_data, signature } = assertion.clone();
    KeptAssertion {
        credential,
        ticket: ticket.to_vec(),
        client_data,
        authenticator_data,
        signature,
    }
}
