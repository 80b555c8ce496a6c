use bitcoin::{
    Amount,
    base64::{Engine as _, prelude::BASE64_STANDARD},
    hex::DisplayHex as _,
};
use roastery_bitcoin::{message::TextSignature, spend::Level};
use roastery_protocol::request::{Derivation, Subject, Taproot};
use roastery_store::RequestState;

use super::numbers;
use crate::{
    ExaminedTransaction, KnownRequest, MemberDecision, MemberDecisions, PaidOutput, Payment,
    PaymentDetails, RequestCounts, RequestDetails, RequestWarning, Ruling, State, Summary, Time,
    config::{ApprovalMode, SubjectKind},
    view,
};

impl From<KnownRequest> for view::Request {
    fn from(known: KnownRequest) -> Self {
        let KnownRequest { group, kept, proposer_name, current, decisions, summary, details } =
            known;
        let keys = details.as_ref().map(|details| details.keys.as_slice()).unwrap_or_default();
        let messages = kept.request.messages().iter().enumerate().map(|(at, entry)| {
            let key = keys.get(at).copied().flatten();
            view::Message {
                message: entry.message.to_lower_hex_string(),
                path: path(&entry.derivation),
                taproot: taproot(&entry.derivation.taproot),
                public_key: key.map(|key| key.to_lower_hex_string()),
            }
        });
        let outcome = match &kept.state {
            RequestState::Signed(outcome) => Some(outcome),
            _ => None,
        };
        let signatures = outcome.map(|outcome| {
            let signatures = outcome.signatures.iter();
            signatures.map(|signature| signature.to_bytes().to_lower_hex_string()).collect()
        });
        let text_signature = details
            .as_ref()
            .and_then(|details| details.signer.as_ref()?.signature.clone())
            .map(Into::into);
        let shown = details.as_ref().map(|details| (&details.seen, &details.ruling));
        let seen = shown.map(|(seen, _)| seen.to_string());
        let policy = shown.and_then(|(_, ruling)| ruling.clone()).map(Into::into);
        let payment = details.as_ref().and_then(|details| details.payment.clone());
        let payment = payment.map(Into::into);
        let warnings = details.iter().flat_map(|details| details.warnings.clone());
        let warnings = warnings.map(Into::into).collect();
        let origin = outcome.and_then(|outcome| outcome.origin.as_ref());
        Self {
            session: kept.request.session_id().to_string(),
            group,
            messages: messages.collect(),
            parts: details
                .iter()
                .flat_map(|details| &details.parts)
                .map(ToString::to_string)
                .collect(),
            summary: summary.map(Into::into),
            proposer: kept.proposer.map(|seat| seat.to_u16()),
            proposer_name,
            since: Time::from_seconds(kept.since),
            changed: Time::from_seconds(kept.changed),
            position: kept.position,
            expiry: Time::from_seconds(kept.request.expiry()),
            revision: kept.revision,
            state: current.state.into(),
            text: current.text,
            progress: decisions.into(),
            payment,
            seen,
            warnings,
            policy,
            signatures,
            text_signature,
            signers: origin.map(|origin| numbers(&origin.signers)),
            subject: subject(kept.subject, details),
        }
    }
}

/// A transaction is shown with its details only: it may be long.
fn subject(subject: Subject, details: Option<RequestDetails>) -> view::Subject {
    let kind = SubjectKind::of(&subject);
    match (subject, details) {
        (Subject::Text(text), details) => {
            let address = details.and_then(|details| Some(details.signer?.address));
            view::Subject { kind, text: Some(text), address, psbt: None }
        }
        (Subject::Transaction(psbt), Some(details)) => {
            let psbt = Some(BASE64_STANDARD.encode(psbt));
            view::Subject { kind, text: details.report, address: None, psbt }
        }
        (Subject::Transaction(_), None) | (Subject::Hash, _) => {
            view::Subject { kind, text: None, address: None, psbt: None }
        }
    }
}

fn path(derivation: &Derivation) -> String {
    let steps: Vec<String> = derivation.path.iter().map(ToString::to_string).collect();
    if steps.is_empty() { "m".to_owned() } else { format!("m/{}", steps.join("/")) }
}

fn taproot(taproot: &Taproot) -> String {
    match taproot {
        Taproot::Untweaked => "untweaked".to_owned(),
        Taproot::KeyPathOnly => "key-path-only".to_owned(),
        Taproot::ScriptRoot(root) => root.to_lower_hex_string(),
    }
}

impl From<ExaminedTransaction> for view::ExaminedTransaction {
    fn from(examined: ExaminedTransaction) -> Self {
        let ExaminedTransaction { psbt, report, payment, warnings, ruling, seen } = examined;
        Self {
            psbt: BASE64_STANDARD.encode(psbt),
            report,
            payment: payment.map(Into::into),
            warnings: warnings.into_iter().map(Into::into).collect(),
            policy: ruling.into(),
            seen: seen.to_string(),
        }
    }
}

impl From<TextSignature> for view::TextSignature {
    fn from(signature: TextSignature) -> Self {
        let TextSignature { simple, unprefixed, full } = signature;
        Self { simple, unprefixed, full }
    }
}

impl From<State> for view::State {
    fn from(state: State) -> Self {
        match state {
            State::Proposed => Self::Proposed,
            State::Approved => Self::Approved,
            State::Refused => Self::Refused,
            State::Signed => Self::Signed,
            State::Stopped => Self::Stopped,
            State::Expired => Self::Expired,
            State::Failed => Self::Failed,
        }
    }
}

impl From<view::State> for State {
    fn from(state: view::State) -> Self {
        match state {
            view::State::Proposed => Self::Proposed,
            view::State::Approved => Self::Approved,
            view::State::Refused => Self::Refused,
            view::State::Signed => Self::Signed,
            view::State::Stopped => Self::Stopped,
            view::State::Expired => Self::Expired,
            view::State::Failed => Self::Failed,
        }
    }
}

impl From<RequestCounts> for view::RequestCounts {
    fn from(counts: RequestCounts) -> Self {
        let RequestCounts { waiting, signing } = counts;
        Self { waiting, signing }
    }
}

impl From<RequestWarning> for view::Warning {
    fn from(warning: RequestWarning) -> Self {
        let level = match warning.level {
            Level::Look => view::Level::Look,
            Level::Stop => view::Level::Stop,
        };
        Self { code: warning.code.to_owned(), level, text: warning.text }
    }
}

impl From<Ruling> for view::Ruling {
    fn from(ruling: Ruling) -> Self {
        let Ruling { refused, by, left } = ruling;
        let by = match (by, &left) {
            (ApprovalMode::Manual, _) | (_, Some(_)) => view::Approver::Person,
            (ApprovalMode::Command, None) => view::Approver::Command,
            (ApprovalMode::Automatic, None) => view::Approver::Rules,
        };
        Self { allowed: refused.is_none(), text: refused.or(left).unwrap_or_default(), by }
    }
}

impl From<MemberDecisions> for view::Progress {
    fn from(decisions: MemberDecisions) -> Self {
        let MemberDecisions {
            needed,
            members,
            approved_seats,
            approved,
            refused,
            can_succeed,
            said,
        } = decisions;
        let said = said.into_iter().map(Into::into).collect();
        Self { needed, members, approved_seats, approved, refused, can_succeed, said }
    }
}

impl From<MemberDecision> for view::MemberDecision {
    fn from(decision: MemberDecision) -> Self {
        let MemberDecision { name, here, approved, why, at } = decision;
        let said = match approved {
            Some(true) => view::Decided::Approved,
            Some(false) => view::Decided::Refused,
            None => view::Decided::Nothing,
        };
        Self { name, here, said, why, at: at.map(Time::from_seconds) }
    }
}

impl From<PaymentDetails> for view::PaymentDetails {
    fn from(payment: PaymentDetails) -> Self {
        let PaymentDetails { txid, outputs, coins, spent, leaves, fee, fee_rate, virtual_size } =
            payment;
        let outputs = outputs.into_iter().map(|output| {
            let PaidOutput { amount, to, own_path } = output;
            view::PaidOutput { amount: amount.to_sat(), to, own_path }
        });
        Self {
            txid,
            outputs: outputs.collect(),
            coins,
            spent: spent.to_sat(),
            leaves: leaves.to_sat(),
            fee: fee.map(Amount::to_sat),
            fee_rate,
            virtual_size,
        }
    }
}

impl From<Summary> for view::Summary {
    fn from(summary: Summary) -> Self {
        let Summary { words, proves, pays, more, returns, fee, part, warnings, warning_count } =
            summary;
        let pay = |Payment { amount, to }| view::Payment { amount: amount.to_sat(), to };
        Self {
            words,
            proves: proves.map(Amount::to_sat),
            pays: pays.into_iter().map(pay).collect(),
            more,
            returns: returns.map(Amount::to_sat),
            fee: fee.map(Amount::to_sat),
            part: part.map(|part| view::Part { number: part.number + 1, of: part.of }),
            warnings,
            warning_count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_the_same_name_in_the_service_and_in_json_and_comes_back_as_itself() {
        for shown in view::State::ALL {
            let state = State::from(shown);
            assert_eq!(state.to_string(), shown.as_str());
            assert_eq!(view::State::from(state), shown);
        }
    }
}
