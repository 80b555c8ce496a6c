//! A transaction that a person looks at before the group is asked to sign it.

use std::io::IsTerminal as _;

use anyhow::anyhow;
use roastery_service::{
    api::{Client, ClientError},
    view::{Examine, ExaminedTransaction, ProblemCode, Propose, Request},
    words::{hides_of, typed_for},
};

use super::{
    decide::CHANGED,
    post,
    question::{ask, is_asked},
    screen,
    url::encoded,
    wait_for,
};
use crate::output::remark;

/// Whether a person is asked. Standard output may be a file for the result: what is asked about is
/// on standard error.
pub(crate) fn is_shown() -> anyhow::Result<bool> {
    if !is_asked() {
        return Ok(false);
    }
    if std::io::stderr().is_terminal() {
        return Ok(true);
    }
    Err(anyhow!(
        "standard error is no terminal, so what is decided about is not seen there; give --yes to \
         propose it without asking"
    ))
}

/// Shows a transaction, and asks the group to sign it once the person at the terminal agrees; no
/// request otherwise. What has changed meanwhile is shown again.
pub(crate) fn propose_shown(
    client: &Client,
    group: &str,
    psbt: &str,
    expires_in: Option<u64>,
) -> anyhow::Result<Option<Request>> {
    let path = format!("/v1/groups/{}", encoded(group));
    loop {
        let examine = Examine { psbt: psbt.to_owned() };
        let made: ExaminedTransaction = post(client, &format!("{path}/examine"), &examine)?;
        screen::draft(group, &made).iter().for_each(|line| remark(line));
        if !agrees(&made)? {
            return Ok(None);
        }
        let (psbt, seen) = (Some(made.psbt), Some(made.seen));
        let what = Propose { psbt, expires_in, seen, ..Propose::default() };
        let asked = wait_for(async { Ok(client.post(&format!("{path}/requests"), &what).await) })?;
        match asked {
            Ok(request) => return Ok(Some(request)),
            Err(ClientError::Problem(problem)) if problem.code == ProblemCode::Changed => {
                remark(CHANGED);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the person agrees: with a letter, or, where money can go elsewhere, with the amount that
/// leaves.
fn agrees(made: &ExaminedTransaction) -> anyhow::Result<bool> {
    let typed = typed_for(&made.warnings, made.payment.as_ref());
    let mut looked = !made.payment.as_ref().is_some_and(hides_of);
    loop {
        let said = match &typed {
            None => ask("Approve it here, and propose it to the others? d shows all [y/N]: ")?,
            Some(typed) => {
                // They may have left the screen above all that it pays.
                screen::stop_lines(&made.warnings).iter().for_each(|(_, line)| remark(line));
                remark(
                    "What is marked with ! can take the money elsewhere; d shows all. To approve and\n\
                     propose it all the same, type what leaves:",
                );
                ask(&format!("{typed} : "))?
            }
        };
        let agreed = match &typed {
            None => matches!(said.to_ascii_lowercase().as_str(), "y" | "yes"),
            Some(typed) => said == *typed,
        };
        if said == "d" {
            made.report.lines().for_each(remark);
            looked = true;
        } else if agreed && !looked {
            remark("not all that it pays is on the screen: d shows all, then approve it");
        } else {
            return Ok(agreed);
        }
    }
}
