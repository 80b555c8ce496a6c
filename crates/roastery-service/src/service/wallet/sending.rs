//! Transactions that are sent as soon as they are signed.

use std::{sync::Arc, time::Duration};

use bitcoin::{Transaction, hex::FromHex as _};
use roastery_protocol::SessionId;
use roastery_wallet::View;

use super::{
    known::GroupWallet,
    lock,
    to_send::{Sending, SendingState},
};
use crate::service::{
    Role, Service, ServiceError,
    group::{service::GroupService, state::State},
    now,
};

/// The most requests of a wallet whose transactions are to be sent or were; the oldest that have
/// ended are forgotten.
const MOST_SENDING: usize = 512;

/// How long a signed transaction that the source does not take is offered again, in seconds.
const OFFERED: u64 = 14 * 24 * 60 * 60;

impl Service {
    /// Has the transaction of a request sent as soon as it is signed, also after a restart, and
    /// sends it now if it is. Returns how far that is.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotReady`] without a chain source; [`ServiceError::Conflict`] if there are
    /// too many, or the request is no transaction.
    pub async fn send_when_signed(
        self: &Arc<Self>,
        session: &str,
    ) -> Result<Sending, ServiceError> {
        let (group, kept) = self.find_request(session).await?;
        let wallet = self.wallet_of(&group)?;
        if !matches!(kept.subject, roastery_protocol::request::Subject::Transaction(_)) {
            return Err(ServiceError::Conflict("the request is no transaction".into()));
        }
        let session = kept.request.session_id().to_string();
        let added = {
            let mut sending = lock(&wallet.sending);
            let known = sending.iter_mut().find(|known| known.session == session);
            match known {
                Some(known) if is_to_be_sent_again(&known.state, &wallet.view.now()) => {
                    known.state = SendingState::Waiting(None);
                    true
                }
                Some(_) => false,
                None => {
                    make_room(&mut sending)?;
                    let state = SendingState::Waiting(None);
                    sending.push(Sending { session: session.clone(), since: now(), state });
                    true
                }
            }
        };
        if added {
            let keeping = wallet.clone();
            self.shared.store(move |store| keeping.keep_sending(store)).await?;
        }
        self.send_one(&wallet, &session).await
    }

    /// Checks that a transaction of a group could be sent, before it is asked for.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotReady`] without a chain source; [`ServiceError::Conflict`] if there are
    /// too many.
    pub(in crate::service) fn check_sending(
        &self,
        group: &GroupService,
    ) -> Result<(), ServiceError> {
        let wallet = self.wallet_of(group)?;
        make_room(&mut lock(&wallet.sending))
    }

    /// How far the sending of a request's transaction is; `None` if it is not to be sent.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such request, [`ServiceError::NotReady`] without a
    /// chain source.
    pub async fn sending(&self, session: &str) -> Result<Option<Sending>, ServiceError> {
        let (group, kept) = self.find_request(session).await?;
        let wallet = self.wallet_of(&group)?;
        let session = kept.request.session_id().to_string();
        let known = lock(&wallet.sending).iter().find(|known| known.session == session).cloned();
        Ok(known)
    }

    /// Sends what is signed by now.
    pub(super) fn send_signed(&self, wallet: &Arc<GroupWallet>) {
        let waiting: Vec<String> = lock(&wallet.sending)
            .iter()
            .filter(|sending| matches!(sending.state, SendingState::Waiting(_)))
            .map(|sending| sending.session.clone())
            .collect();
        for session in waiting {
            if *self.stop.borrow() {
                return;
            }
            let sent = self.shared.runtime.block_on(self.send_one(wallet, &session));
            if let Err(error) = sent {
                tracing::warn!(session, %error, "a transaction is not sent yet");
            }
        }
    }

    /// Sends the transaction of a request if it is signed, and keeps how far that is.
    async fn send_one(
        &self,
        wallet: &Arc<GroupWallet>,
        session: &str,
    ) -> Result<Sending, ServiceError> {
        let at = |sending: &Sending| sending.session == session;
        let known = lock(&wallet.sending).iter().find(|sending| at(sending)).cloned();
        let missing = || ServiceError::NotFound { what: "request", name: session.to_owned() };
        let known = known.ok_or_else(missing)?;
        if !matches!(known.state, SendingState::Waiting(_)) {
            return Ok(known);
        }
        let state = self.try_sending(wallet, &known).await?;
        let (changed, now) = {
            let mut sending = lock(&wallet.sending);
            let known = sending.iter_mut().find(|sending| at(sending)).ok_or_else(missing)?;
            let changed = known.state != state;
            // Another call may have sent it meanwhile.
            if !matches!(known.state, SendingState::Sent(_)) {
                known.state = state;
            }
            (changed, known.clone())
        };
        if changed {
            let keeping = wallet.clone();
            self.shared
                .store(move |store| {
                    keeping.keep_chain(store)?;
                    keeping.keep_sending(store)
                })
                .await?;
        }
        Ok(now)
    }

    /// How far the sending of a request is whose group does not run: it may start again, or the
    /// request may be gone.
    async fn unread(&self, known: &Sending) -> Result<SendingState, ServiceError> {
        let ended = |reason: &str| Ok(SendingState::Ended(reason.to_owned()));
        let session = <[u8; 32]>::from_hex(&known.session).map(SessionId::from_bytes);
        let Ok(session) = session else { return ended("the request has no session") };
        if self.shared.store(move |store| store.request(session)).await?.is_none() {
            return ended("the request is not in the store any more");
        }
        if now() > known.since.saturating_add(OFFERED) {
            return ended("the group of the request did not run for two weeks");
        }
        Ok(SendingState::Waiting(Some("the group of the request does not run".to_owned())))
    }

    async fn try_sending(
        &self,
        wallet: &Arc<GroupWallet>,
        known: &Sending,
    ) -> Result<SendingState, ServiceError> {
        let request = match self.request(&known.session, Duration::ZERO, Role::Operator).await {
            Ok(request) => request,
            Err(ServiceError::NotFound { .. }) => return self.unread(known).await,
            Err(error) => return Err(error),
        };
        let state = request.current.state;
        match state {
            State::Signed => {}
            State::Proposed | State::Approved => return Ok(SendingState::Waiting(None)),
            _ => return Ok(SendingState::Ended(format!("not signed: the request is {state}"))),
        }
        let transaction = match self.signed_transaction(&known.session).await {
            Ok(Ok(transaction)) => transaction,
            Ok(Err(input)) => {
                let reason = format!("input {input} asks for more than this group's signature");
                return Ok(SendingState::Ended(reason));
            }
            // Other parts of it are not signed yet.
            Err(ServiceError::Conflict(reason)) => {
                return Ok(SendingState::Waiting(Some(reason.to_string())));
            }
            Err(error) => return Err(error),
        };
        let txid = transaction.compute_txid();
        match self.broadcast(transaction.clone()).await? {
            Ok(()) => {
                let mut chain = lock(&wallet.chain);
                chain.sent(transaction, now());
                wallet.show(&chain);
                tracing::info!(session = known.session, %txid, "the transaction is sent");
                Ok(SendingState::Sent(txid))
            }
            Err(reason) if now() > known.since.saturating_add(OFFERED) => {
                Ok(SendingState::Ended(format!("the chain source did not take it: {reason}")))
            }
            Err(reason) => Ok(SendingState::Waiting(Some(format!(
                "the chain source does not take it, and is asked again: {reason}"
            )))),
        }
    }

    /// Gives a transaction to the source; the inner error is its reason.
    async fn broadcast(
        &self,
        transaction: Transaction,
    ) -> Result<Result<(), String>, ServiceError> {
        let missing = || ServiceError::NotReady("this node has no chain source".into());
        let source = self.wallets.source().ok_or_else(missing)?;
        let sent = self.shared.blocking(move || source.broadcast(&transaction)).await;
        let sent = sent.map_err(|error| ServiceError::Internal(error.into()))?;
        Ok(sent.map_err(|error| error.to_string()))
    }
}

/// Forgets the oldest that have ended, until there is room for one more.
fn make_room(sending: &mut Vec<Sending>) -> Result<(), ServiceError> {
    while sending.len() >= MOST_SENDING {
        let ended = |one: &Sending| !matches!(one.state, SendingState::Waiting(_));
        let Some(oldest) = sending.iter().position(ended) else {
            let reason =
                format!("{MOST_SENDING} transactions wait to be sent: reject some of them first");
            return Err(ServiceError::Conflict(reason.into()));
        };
        sending.remove(oldest);
    }
    Ok(())
}

/// Whether what was sent, or was not, is sent anew when a person asks for it: a source may have
/// forgotten it.
fn is_to_be_sent_again(state: &SendingState, view: &View) -> bool {
    match state {
        SendingState::Ended(_) => true,
        SendingState::Sent(txid) => !view.heights.contains_key(txid),
        SendingState::Waiting(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{Txid, hashes::Hash as _};

    use super::*;

    #[test]
    fn what_the_source_has_forgotten_is_sent_again_when_it_is_asked_for() {
        let txid = Txid::from_byte_array([7; 32]);
        let known = View { heights: [(txid, None)].into(), ..View::default() };
        let sent = SendingState::Sent(txid);
        assert!(is_to_be_sent_again(&sent, &View::default()));
        assert!(!is_to_be_sent_again(&sent, &known));
        assert!(is_to_be_sent_again(&SendingState::Ended(String::new()), &known));
        assert!(!is_to_be_sent_again(&SendingState::Waiting(None), &View::default()));
    }
}
