//! Asking the group for a signature, in two acts: a transaction or a text is shown, and what was
//! shown is proposed, or nothing.

use axum::http::StatusCode;
use bitcoin::base64::{Engine as _, prelude::BASE64_STANDARD};
use maud::{Markup, html};
use roastery_service::{
    api::{ClientError, MAX_BODY},
    view::{
        Examine, ExaminedTransaction, GroupStatus, MadeTransaction, MakeTransaction, ProblemCode,
        Propose, Request, State,
    },
    words::{Clock, typed_for},
};
use serde::Deserialize;

use crate::{
    act::{Decision, changed, may_be_in_effect},
    bbqr,
    console::Shared,
    drafts::{Draft, Subject, Text, Transaction},
    pages::{self, Told},
    place::Place,
};

/// The longest form with a PSBT, in bytes: what the node takes in one call, less what stands beside
/// the PSBT when it is proposed.
pub(crate) const MOST_OF_PSBT: usize = MAX_BODY - 1024;

/// What a form is answered: another page, or something below it.
#[derive(Debug)]
pub(crate) enum Answered {
    Place(String),
    Said(StatusCode, Markup),
}

/// A payment, as the form has it. All of it is text: what is an amount, the node says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Payment {
    address: String,
    amount: String,
    fee_rate: String,
    /// The coins to spend, apart by white space; any if there are none.
    coins: String,
    /// Whether it is paid once more.
    again: bool,
}

/// A PSBT, or the texts of its BBQr frames, as the form has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Pasted {
    psbt: String,
}

/// A transaction whose fee is to be raised, as the form has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Bump {
    txid: String,
    fee_rate: String,
}

/// A text to be signed, as the form has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Written {
    text: String,
}

/// The path of the address as which a text is signed: the first of the group's wallet.
const PATH: &str = "0/0";

/// The longest text, in bytes: what the node takes.
const MOST_OF_TEXT: usize = 4096;

fn given(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn invalid(text: &str) -> Answered {
    Answered::Said(StatusCode::UNPROCESSABLE_ENTITY, html! { p.bad { (text) } })
}

/// Makes a payment, which no member is asked to sign yet.
pub(crate) async fn pay(shared: &Shared, group: &str, payment: Payment) -> Answered {
    let Payment { address, amount, fee_rate, coins, again } = payment;
    let (Some(address), Some(amount)) = (given(&address), given(&amount)) else {
        // To the node an address alone means everything.
        return invalid("Nothing was made: an address and an amount in BTC are needed.");
    };
    let make = MakeTransaction {
        address: Some(address),
        amount: Some(amount),
        fee_rate: given(&fee_rate),
        inputs: coins.split_whitespace().map(str::to_owned).collect(),
        again,
        bump: None,
    };
    match made(shared, group, &make).await {
        Ok(psbt) => {
            keep_transaction(shared, group, Transaction { psbt, once: !again, sends: true })
        }
        Err(error) => refused(&error),
    }
}

/// Makes a transaction that takes the place of another one with a higher fee. No member is asked to
/// sign it yet.
pub(crate) async fn bump(shared: &Shared, group: &str, bump: Bump) -> Answered {
    let Some(txid) = given(&bump.txid) else {
        return invalid("Nothing was made: the id of the transaction to replace is needed.");
    };
    let fee_rate = given(&bump.fee_rate);
    let make = MakeTransaction { bump: Some(txid), fee_rate, ..MakeTransaction::default() };
    match made(shared, group, &make).await {
        // It is no further payment.
        Ok(psbt) => keep_transaction(shared, group, Transaction { psbt, once: false, sends: true }),
        Err(error) => {
            let (status, markup) = pages::refused(&error);
            Answered::Said(status, markup)
        }
    }
}

async fn made(shared: &Shared, group: &str, make: &MakeTransaction) -> Result<String, ClientError> {
    let path = format!("/v1/wallets/{group}/transactions");
    let MadeTransaction { psbt, .. } = shared.client.post(&path, make).await?;
    Ok(psbt)
}

/// Keeps a text as it was written, which no member is asked to sign yet.
pub(crate) async fn write(shared: &Shared, group: &str, Written { text }: Written) -> Answered {
    if text.is_empty() {
        return invalid("Nothing was kept: a text is needed.");
    }
    if text.len() > MOST_OF_TEXT {
        let length = text.len();
        return invalid(&format!(
            "Nothing was kept: the text has {length} bytes; at most {MOST_OF_TEXT} are allowed. \
             Sign a hash of a longer document, as a text that says what it is."
        ));
    }
    match address(shared, group).await {
        Ok(Some(address)) => keep(shared, Draft::new(group, Subject::Text(Text { text, address }))),
        Ok(None) => invalid(
            "Nothing was kept: the node derives no address of this group, as which a text is \
             signed. roastery health says what is wrong.",
        ),
        Err(error) => refused(&error),
    }
}

/// The first address of a group.
async fn address(shared: &Shared, group: &str) -> Result<Option<String>, ClientError> {
    let status: GroupStatus = shared.client.get(&format!("/v1/groups/{group}")).await?;
    Ok(status.address)
}

/// Has the node read a PSBT, which no member is asked to sign yet.
pub(crate) async fn read(shared: &Shared, group: &str, Pasted { psbt }: Pasted) -> Answered {
    let psbt = psbt.trim().to_owned();
    if psbt.is_empty() {
        return invalid(
            "Nothing was read: a PSBT in base64 or hexadecimal digits, the texts of BBQr frames, or a file is needed.",
        );
    }
    let psbt = if bbqr::is_frames(&psbt) {
        // In base64 each three bytes are four characters.
        match bbqr::join(&psbt, MOST_OF_PSBT / 4 * 3) {
            Ok(joined) => BASE64_STANDARD.encode(joined),
            Err(error) => return invalid(&format!("Nothing was read. {error}")),
        }
    } else {
        psbt
    };
    let path = format!("/v1/groups/{group}/examine");
    let examined = shared.client.post::<ExaminedTransaction>(&path, &Examine { psbt }).await;
    let psbt = match examined {
        Ok(examined) => examined.psbt,
        Err(error) => return refused(&error),
    };
    keep_transaction(shared, group, Transaction { psbt, once: false, sends: false })
}

fn keep_transaction(shared: &Shared, group: &str, transaction: Transaction) -> Answered {
    keep(shared, Draft::new(group, Subject::Transaction(transaction)))
}

fn keep(shared: &Shared, draft: Draft) -> Answered {
    match shared.drafts().add(draft) {
        Ok(id) => Answered::Place(format!("/drafts/{id}")),
        Err(error) => {
            let text = format!("the system gives no random numbers: {error}");
            Answered::Said(StatusCode::INTERNAL_SERVER_ERROR, html! { p.bad { (text) } })
        }
    }
}

/// Why nothing was made, with the other request where that makes the same payment.
fn refused(error: &ClientError) -> Answered {
    let (status, markup) = pages::refused(error);
    let Some(other) = other(error) else { return Answered::Said(status, markup) };
    let markup = html! {
        (markup)
        p { (pages::link_to(other)) " To pay it once more, tick “Pay once more”; the coins that are named, if there are some, go into “Coins to spend”." }
    };
    Answered::Said(status, markup)
}

/// The request that makes the same payment, if an error names one.
fn other(error: &ClientError) -> Option<&str> {
    match error {
        ClientError::Problem(problem) if problem.code == ProblemCode::Conflict => {
            problem.request.as_ref().map(|request| request.session.as_str())
        }
        _ => None,
    }
}

/// Proposes a draft as it was shown, and returns what has become of it: the request's page, or the
/// draft's.
pub(crate) async fn propose(
    shared: &Shared,
    id: &str,
    decision: &Decision,
    clock: &Clock,
) -> (StatusCode, Option<String>, Markup) {
    let told = match proposed(shared, id, decision).await {
        Ok(told) => told,
        Err(error) => Told::failed(&error).about(other(&error)),
    };
    let status = told.status;
    let became = shared.drafts().get(id).and_then(|draft| draft.proposed);
    let (place, address) = match became {
        Some(session) => {
            let address = format!("/requests/{session}");
            (Place::Request(session), Some(address))
        }
        None => (Place::Draft(id.to_owned()), None),
    };
    let (shown, markup) = pages::page(shared, &place, clock, Some(told)).await;
    (if shown == StatusCode::OK { status } else { shown }, address, markup)
}

async fn proposed(shared: &Shared, id: &str, decision: &Decision) -> Result<Told, ClientError> {
    // Of two windows the second is told what the first has asked for.
    let _proposing = shared.proposing.lock().await;
    let Some(draft) = shared.drafts().get(id) else {
        let text = "This draft is not kept any more: nothing was proposed. Make it again.";
        return Ok(Told::not_done(StatusCode::NOT_FOUND, text));
    };
    if draft.proposed.is_some() {
        return Ok(Told::done("It was proposed before; this is its request."));
    }
    let what = match draft.subject {
        Subject::Transaction(transaction) => {
            as_shown(shared, &draft.group, transaction, decision).await?
        }
        // A draft of a text stays as it is: its id stands for what was shown.
        Subject::Text(Text { text, address: shown }) => {
            let now = address(shared, &draft.group).await?;
            match now == Some(shown) && decision.seen == id {
                true => {
                    Ok(Propose { text: Some(text), path: PATH.to_owned(), ..Propose::default() })
                }
                false => Err(changed()),
            }
        }
    };
    let what = match what {
        Ok(what) => what,
        Err(told) => return Ok(told),
    };
    let send = what.send;
    let path = format!("/v1/groups/{}/requests", draft.group);
    let request: Request = match shared.deciding.post(&path, &what).await {
        Ok(request) => request,
        Err(ClientError::Problem(problem)) if problem.code == ProblemCode::Changed => {
            return Ok(changed());
        }
        Err(error) if may_be_in_effect(&error) => return Ok(Told::unknown(&error)),
        Err(error) => return Err(error),
    };
    shared.drafts().note_proposed(id, &request.session);
    let here = match request.state {
        State::Proposed => {
            "You have asked for it, and it is not approved here yet: this page says what it waits \
             for."
        }
        State::Approved => "You have proposed it: it is approved here, and the others are asked.",
        _ => "You have asked for it; this page says what has become of it.",
    };
    let sends = if send { " The node sends it when it is signed." } else { "" };
    Ok(Told::done(&format!("{here}{sends}")))
}

/// What is proposed of a transaction, or why it is not: it must be shown as it was.
async fn as_shown(
    shared: &Shared,
    group: &str,
    Transaction { psbt, once, sends }: Transaction,
    decision: &Decision,
) -> Result<Result<Propose, Told>, ClientError> {
    let path = format!("/v1/groups/{group}/examine");
    let examine = Examine { psbt: psbt.clone() };
    let examined: ExaminedTransaction = shared.client.post(&path, &examine).await?;
    // The node compares it once more when it takes the proposal.
    if examined.seen != decision.seen {
        return Ok(Err(changed()));
    }
    if let Some(amount) = typed_for(&examined.warnings, examined.payment.as_ref())
        && decision.typed.trim() != amount
    {
        let text = format!(
            "Nothing was proposed: what is marked as a stop needs the amount that leaves, typed as \
             it stands here: {amount}"
        );
        return Ok(Err(Told::not_done(StatusCode::UNPROCESSABLE_ENTITY, &text)));
    }
    // From then on the node sends it, also if the console ends.
    let (psbt, seen, send) = (Some(psbt), Some(decision.seen.clone()), sends);
    Ok(Ok(Propose { psbt, seen, once, send, ..Propose::default() }))
}
