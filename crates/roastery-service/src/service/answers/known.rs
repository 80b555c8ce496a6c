//! What is known of a request.

use std::sync::Arc;

use roastery_bitcoin::{
    message::TextSignature,
    spend::{Report, Spend},
};
use roastery_protocol::{
    SessionId,
    request::{Derivation, SigningRequest, Subject},
};
use roastery_store::{KeptRequest, RequestState};

use crate::{
    policy::{Examined, PolicyEngine, Refusal},
    service::{
        answers::payment::PaymentDetails,
        group::{
            progress::MemberDecisions,
            service::GroupService,
            shown::{Ruling, Seen, Shown},
            state::CurrentState,
            summaries::{Summary, summary},
            turns::Lane,
            warning::RequestWarning,
        },
    },
};

/// A request, as this node knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownRequest {
    /// The name of its group at this node.
    pub group: String,
    /// What the store has of it.
    pub kept: KeptRequest,
    /// The name of the member that proposed it; of this node if it was made here.
    pub proposer_name: String,
    /// Its state, from the store, the time, and the other members' answers.
    pub current: CurrentState,
    /// Which members have approved and refused it.
    pub decisions: MemberDecisions,
    /// A summary of its subject; `None` if that is no text and was not parsed yet.
    pub summary: Option<Summary>,
    /// What takes time to find out; `None` in lists.
    pub details: Option<RequestDetails>,
}

/// What takes time to find out about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestDetails {
    /// The x-only public key of each message; `None` if it could not be derived.
    pub keys: Vec<Option<[u8; 32]>>,
    /// The description of its transaction, or why it is none; `None` if the subject is another.
    pub report: Option<String>,
    /// The sessions of all parts of its transaction, this one among them; none if this one signs
    /// all of it.
    pub parts: Vec<SessionId>,
    /// The address that signs its text; `None` if the subject is another, or the key is not that of
    /// an address.
    pub signer: Option<TextSigner>,
    /// What its transaction pays; `None` if the subject is another, or it pays nothing.
    pub payment: Option<PaymentDetails>,
    /// The warnings to read before it is approved.
    pub warnings: Vec<RequestWarning>,
    /// What the policy says of it now; `None` if it is signed or has expired.
    pub ruling: Option<Ruling>,
    /// The hash of what is shown of it, by which a decision says what was seen.
    pub seen: Seen,
}

/// The address as which the group signs a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSigner {
    /// The address.
    pub address: String,
    /// Its signature, if there is one yet.
    pub signature: Option<TextSignature>,
}

impl TextSigner {
    /// The address that signs the text of a request. A request that is not for this text by this
    /// node's rules has none.
    fn of(kept: &KeptRequest, policy: &PolicyEngine) -> Option<Self> {
        let Subject::Text(text) = &kept.subject else { return None };
        let wallet = policy.wallet();
        wallet.check_text(&kept.request, text).ok()?;
        let path = &kept.request.messages().first()?.derivation.path;
        let address = wallet.text_address(path, policy.network()).ok()?.to_string();
        let signature = match &kept.state {
            RequestState::Signed(outcome) => outcome.signatures.first(),
            _ => None,
        };
        let signature =
            signature.and_then(|made| wallet.text_signature(path, text, &made.to_bytes()).ok());
        Some(Self { address, signature })
    }
}

impl GroupService {
    /// A request, as in a list: without what takes time to find out.
    pub(in crate::service) fn known(&self, kept: KeptRequest) -> KnownRequest {
        KnownRequest {
            group: self.name.clone(),
            proposer_name: self.shown_as(kept.proposer.unwrap_or(self.first_seat())),
            current: self.current_state(&kept),
            decisions: self.decisions_on(&kept),
            summary: self.summary_of(&kept),
            details: None,
            kept,
        }
    }

    /// The same, with the keys of its messages and the description of its transaction, which is
    /// parsed unless it was examined.
    pub(in crate::service) async fn known_whole(
        self: &Arc<Self>,
        kept: KeptRequest,
        lane: Lane,
        examined: Option<&Examined>,
    ) -> KnownRequest {
        let mut known = self.known(kept);
        let (group, policy, kept) = (self.group.clone(), self.policy.clone(), known.kept.clone());
        let mut entries = kept.request.messages().iter();
        let is_own = entries.all(|entry| entry.derivation == Derivation::key_path_only());
        let compute = move || {
            let entries = kept.request.messages().iter();
            let keys = entries.map(|entry| entry.derivation.tweaks(&group).ok());
            let keys = keys.map(|key| Some(key?.x_only_public_key().to_bytes())).collect();
            (keys, TextSigner::of(&kept, &policy))
        };
        let (keys, signer) = match is_own {
            // The group's own key is computed once.
            true => compute(),
            // Each other one takes a tenth of a millisecond and more, and there may be 64 of them.
            // If they are missing it is shown all the same.
            false => self.shared.blocking(compute).await.unwrap_or_default(),
        };
        let (spend, examined) = self.read_whole(&known.kept, lane, examined).await;
        let elsewhere = self.read_elsewhere(&known.kept, spend.as_ref()).await;
        let Shown { warnings, ruling, seen, .. } =
            self.shown(&known.kept, spend.as_deref(), &examined, &elsewhere);
        let mut details = RequestDetails {
            keys,
            report: None,
            parts: Vec::new(),
            signer,
            payment: spend
                .as_deref()
                .and_then(|spend| PaymentDetails::of(spend, self.policy.network())),
            warnings,
            ruling,
            seen,
        };
        match (&known.kept.subject, spend) {
            (Subject::Transaction(_), Some(spend)) => {
                self.describe(&mut known, &mut details, spend, lane).await;
            }
            (Subject::Transaction(_), None) => {
                details.report = examined.err().map(|refusal| refusal.to_string());
            }
            _ => {}
        }
        known.details = Some(details);
        known
    }

    /// The transaction of a request, if it can be read, and its examination.
    async fn read_whole(
        &self,
        kept: &KeptRequest,
        lane: Lane,
        examined: Option<&Examined>,
    ) -> (Option<Arc<Spend>>, Result<Examined, Refusal>) {
        if let Some(examined) = examined {
            return (examined.spend().cloned(), Ok(examined.clone()));
        }
        let Subject::Transaction(psbt) = &kept.subject else {
            return (None, self.policy.examine(kept, None));
        };
        let (psbt, asked) = (psbt.clone(), kept.clone());
        let read = self
            .with_policy(lane, move |policy| {
                let spend = Arc::new(policy.read(&psbt)?);
                Ok((spend.clone(), policy.examine(&asked, Some(spend))))
            })
            .await;
        match read {
            Ok((spend, examined)) => {
                if let Ok(examined) = &examined {
                    self.note_examined(&kept.request, examined);
                }
                (Some(spend), examined)
            }
            Err(refusal) => (None, Err(refusal)),
        }
    }

    /// The description of a transaction, with all warnings.
    async fn describe(
        &self,
        known: &mut KnownRequest,
        details: &mut RequestDetails,
        spend: Arc<Spend>,
        lane: Lane,
    ) {
        let request = known.kept.request.clone();
        let read = self
            .with_policy(lane, move |policy| {
                let report = Report::of(&spend, policy.network()).to_string();
                let summary = summary(&spend, &request, policy.network());
                let parts = match summary.part {
                    None => Vec::new(),
                    Some(_) => policy.parts_of(&spend, &request)?,
                };
                let sessions = parts.iter().map(SigningRequest::session_id).collect();
                Ok((report, summary, sessions, spend.warnings().len()))
            })
            .await;
        details.report = Some(match read {
            Ok((mut report, mut summary, parts, own)) => {
                details.parts = parts;
                for RequestWarning { text, .. } in details.warnings.iter().skip(own) {
                    report.push_str(&format!("Warning       {text}\n"));
                    summary.warning_count += 1;
                    summary.warnings.push(text.clone());
                }
                known.summary = Some(summary);
                report
            }
            Err(refusal) => refusal.to_string(),
        });
    }
}
