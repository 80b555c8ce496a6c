//! A payment from its making to the network: clients of the node's API.

use std::process::ExitCode;

use anyhow::anyhow;
use roastery_service::{
    api::Client,
    text::visible,
    view::{
        Broadcast, BroadcastState, Examine, ExaminedTransaction, Level, MadeTransaction,
        MakeTransaction, Propose, State, Warning,
    },
};

use super::options::{Fetch, How, Until};
use crate::{
    node::{asked, check_terminal, encoded, find, get, post, propose, see_all_through, short_id},
    output::remark,
};

/// Makes a transaction, shows it, has the group sign it, and sends it.
pub(super) fn pay(client: &Client, make: MakeTransaction, how: &How) -> anyhow::Result<ExitCode> {
    if !how.yes {
        check_terminal("approve the payment with --yes")?;
    }
    let (group, again) = (how.of.name(client)?, make.again);
    // A replacement is no further payment.
    let replaces = make.bump.is_some();
    let once = !again && !replaces;
    let make = MakeTransaction { fee_rate: how.fee_rate.clone(), ..make };
    let path = format!("/v1/wallets/{}/transactions", encoded(&group));
    let MadeTransaction { psbt, .. } = post(client, &path, &make)?;
    // With what the node knows of other requests for the same coins.
    let path = format!("/v1/groups/{}/examine", encoded(&group));
    let made: ExaminedTransaction = post(client, &path, &Examine { psbt })?;
    if !how.until.json || !how.yes {
        made.report.lines().for_each(remark);
    }
    // What was paid before is paid once more by those who say so, and what takes the place of a
    // transaction spends its coins.
    let said = |warning: &&Warning| match &*warning.code {
        "paid_before" | "same_payment" => again,
        "spent_twice" => again || replaces,
        _ => false,
    };
    let stops = made.warnings.iter().filter(|warning| warning.level == Level::Stop);
    let stops: Vec<&Warning> = stops.filter(|warning| !said(warning)).collect();
    if how.yes
        && let Some(stop) = stops.first()
    {
        return Err(anyhow!(
            "{}; nothing was asked of the other members: run the command without --yes, on a terminal, which shows it and asks",
            visible(&stop.text)
        ));
    }
    if !how.yes && !asked("Approve it here and propose it to the others? [y/N] ")? {
        remark("nothing was asked of the other members");
        return Ok(ExitCode::FAILURE);
    }
    let (psbt, expires_in) = (Some(made.psbt), how.expires_in);
    // What was shown, and nothing else, is asked for; the node sends it, also if this command ends.
    let seen = Some(made.seen);
    let what = Propose { psbt, expires_in, once, seen, send: true, ..Propose::default() };
    let request = propose(client, &group, what)?;
    remark(&format!(
        "request {}; the node sends the transaction when it is signed; roastery wallet fetch {} shows how far it is",
        request.session,
        short_id(&request.session)
    ));
    finish(client, request, &how.until)
}

pub(super) fn fetch(client: &Client, options: &Fetch) -> anyhow::Result<ExitCode> {
    let request = find(client, &options.request)?;
    let path = format!("/v1/requests/{}/broadcast", request.session);
    let _: Broadcast = post(client, &path, &())?;
    finish(client, request, &options.until)
}

fn finish(
    client: &Client,
    request: roastery_service::view::Request,
    until: &Until,
) -> anyhow::Result<ExitCode> {
    let session = request.session.clone();
    let request = see_all_through(client, request, until.wait)?;
    let path = format!("/v1/requests/{session}/broadcast");
    let broadcast: Broadcast = match request.state {
        State::Signed => post(client, &path, &())?,
        _ => get(client, &path)?,
    };
    let text = visible(&broadcast.text);
    if until.json {
        say!("{}", serde_json::to_string(&broadcast)?);
    } else if let Some(txid) = &broadcast.txid {
        say!("{txid}");
    }
    if !text.is_empty() {
        remark(&format!("not sent: {text}"));
    }
    if broadcast.state == BroadcastState::Waiting {
        remark(&format!(
            "it goes on without this command, so do not ask for the payment again: roastery wallet fetch {} shows how \
             far it is",
            short_id(&session)
        ));
    }
    let asked = request.is_open() && until.wait == 0;
    let done = broadcast.state == BroadcastState::Sent || asked;
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
