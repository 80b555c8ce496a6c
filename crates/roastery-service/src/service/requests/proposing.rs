//! Requests that are made here.

use std::sync::Arc;

use bitcoin::hex::FromHex as _;
use roastery_bitcoin::policy::Refusal as TransactionRefusal;
use roastery_protocol::request::{
    Derivation, MAX_LIFETIME_SECONDS, MessageToSign, SigningRequest, Subject, Taproot,
};
use roastery_store::{Durability, KeptRequest, RequestState};

use crate::{
    config::ApprovalMode,
    policy::{Examined, Refusal},
    service::{
        Service, ServiceError,
        decisions::approval::ApprovalBasis,
        group::{service::GroupService, turns::Lane},
        now,
    },
    view,
};

/// The life of a request, in seconds, if none is given.
const USUAL_LIFE: u64 = 3600;

/// A request that a client asks for, read and examined, and not stored.
struct NewRequest {
    kept: KeptRequest,
    examined: Result<Examined, Refusal>,
}

impl Service {
    /// Makes a request, approves it here, and proposes it to the others. If there is a request for
    /// the same transaction already, signed or open, none is made: that one is approved here.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the input is invalid; [`ServiceError::Refused`] if this node's
    /// own rules do not allow it.
    pub async fn propose(
        self: &Arc<Self>,
        group: &str,
        what: view::Propose,
    ) -> Result<view::Request, ServiceError> {
        // A rejection after this stays.
        let after = self.shared.rejections.last();
        self.find_group(group)?.propose(what, after).await
    }
}

impl GroupService {
    /// Makes a request, approves it and proposes it. A rejection after the one of this number
    /// stays.
    pub(in crate::service) async fn propose(
        self: &Arc<Self>,
        what: view::Propose,
        after: u64,
    ) -> Result<view::Request, ServiceError> {
        let NewRequest { kept, examined } = self.read_proposal(what).await?;
        if let Subject::Transaction(_) = &kept.subject
            && let Some(known) = self.request_for(kept.request.messages()).await?
        {
            // This approves the request that another member has proposed.
            let approves = known.state == RequestState::Proposed
                && self.approval_mode() != ApprovalMode::Command;
            if !approves {
                return self.acknowledge(&known, None).await;
            }
            let spend = examined.ok().and_then(|examined| examined.spend().cloned());
            let spend = spend.filter(|_| known.subject == kept.subject);
            let examined = self.examine_for(Lane::Operator, &known, spend).await;
            let examined = examined.map_err(ServiceError::Refused)?;
            self.approve(&known, &examined, ApprovalBasis::Operator { after }).await?;
            return self.acknowledge(&known, Some(&examined)).await;
        }
        let refused = ServiceError::Refused;
        // A request that the rules forbid is not stored.
        let (session, examined) = (kept.request.session_id(), examined.map_err(refused)?);
        self.check(session, &examined).map_err(refused)?;
        self.note_examined(session, &examined);
        let (request, subject, since) = (kept.request.clone(), kept.subject.clone(), kept.since);
        self.shared
            .write(Durability::Deferred, move |change| {
                change.add_request(&request, &subject, None, since)
            })
            .await?;
        if self.approval_mode() == ApprovalMode::Command {
            self.evaluate(kept.clone(), Some(examined.clone()));
        } else {
            let basis = ApprovalBasis::Operator { after };
            if let Err(error) = self.approve(&kept, &examined, basis).await {
                self.give_up(&kept, &error).await;
                return Err(error);
            }
        }
        self.acknowledge(&kept, Some(&examined)).await
    }

    /// Reads the input: its subject, its messages, and what is found in it. A transaction is parsed
    /// here and not again.
    async fn read_proposal(&self, what: view::Propose) -> Result<NewRequest, ServiceError> {
        let invalid = |reason: &str| ServiceError::Invalid(reason.into());
        let view::Propose { text, psbt, hashes, path, untweaked, expires_in } = what;
        let life = expires_in.unwrap_or(USUAL_LIFE);
        if !(1..=MAX_LIFETIME_SECONDS).contains(&life) {
            let reason = format!("expires_in is {life}; 1 to {MAX_LIFETIME_SECONDS} are allowed");
            return Err(ServiceError::Invalid(reason.into()));
        }
        let mut id = [0; 32];
        getrandom::fill(&mut id)
            .map_err(|_| ServiceError::Internal("the system gave no randomness".into()))?;
        let at = now();
        let group = self.group.id();
        let request = move |messages| SigningRequest::new(group, id, at + life, messages);
        let derivation = Derivation {
            path: read_path(&path)?,
            taproot: if untweaked { Taproot::Untweaked } else { Taproot::KeyPathOnly },
        };
        let messages = |messages: Vec<[u8; 32]>| {
            let entry = |message| MessageToSign { message, derivation: derivation.clone() };
            messages.into_iter().map(entry).collect()
        };
        let (subject, messages) = match (text, psbt, hashes) {
            (Some(text), None, None) => {
                let message = Subject::text_message(&text);
                (Subject::Text(text), messages(vec![message]))
            }
            (None, None, Some(hashes)) => {
                let read = |hash: String| {
                    <[u8; 32]>::from_hex(&hash)
                        .map_err(|_| invalid("a hash has 64 hexadecimal digits"))
                };
                let hashes = hashes.into_iter().map(read).collect::<Result<_, _>>()?;
                (Subject::Hash, messages(hashes))
            }
            (None, Some(psbt), None) => {
                let read = self
                    .with_policy(Lane::Operator, move |policy| {
                        let spend = Arc::new(policy.read(psbt.as_bytes())?);
                        let messages = spend.messages().map_err(TransactionRefusal::from)?;
                        let subject = Subject::Transaction(spend.psbt().serialize());
                        Ok(request(messages).map(|request| {
                            let kept = KeptRequest::proposed(request, subject, None, at);
                            let examined = policy.examine(&kept, Some(spend));
                            NewRequest { kept, examined }
                        }))
                    })
                    .await;
                let read = read.map_err(|refusal| ServiceError::Invalid(refusal.into()))?;
                return Ok(read?);
            }
            _ => return Err(invalid("exactly one of text, psbt and hashes is to be given")),
        };
        let kept = KeptRequest::proposed(request(messages)?, subject, None, at);
        let examined = self.policy.examine(&kept, None);
        Ok(NewRequest { kept, examined })
    }
}

/// Reads "m/0/7", "0/7" or nothing.
fn read_path(path: &str) -> Result<Vec<u32>, ServiceError> {
    let steps = path.strip_prefix("m").unwrap_or(path);
    let steps = steps.strip_prefix('/').unwrap_or(steps);
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let read = |step: &str| {
        step.parse::<u32>().ok().filter(|index| *index < 1 << 31).ok_or_else(|| {
            let allowed = "unhardened steps below 2147483648, like 0/7";
            ServiceError::Invalid(
                format!("step {step:?} of the path: allowed are {allowed}").into(),
            )
        })
    };
    steps.split('/').map(read).collect()
}
