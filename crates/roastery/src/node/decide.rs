//! Approving and rejecting: the decision applies to what was shown.

use std::process::ExitCode;

use clap::Args;
use roastery_service::view::{Reject as RejectBody, Request};

use super::{
    At, post,
    question::{asked, check_terminal},
    requests::{find, request_id},
    show,
    sign::{Waiting, see_through, tell},
};
use crate::output::remark;

#[derive(Args)]
pub(crate) struct Approve {
    /// The request: the first 8 digits of its session, or more of them. A decision about one part
    /// of a transaction is about all its parts
    #[arg(value_parser = request_id)]
    request: String,
    /// Approve without asking, as scripts must
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    waiting: Waiting,
}

#[derive(Args)]
pub(crate) struct Reject {
    /// The request: the first 8 digits of its session, or more of them. A decision about one part
    /// of a transaction is about all its parts
    #[arg(value_parser = request_id)]
    request: String,
    /// The reason, for this node's own records
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

pub(super) fn approve(at: &At, options: &Approve) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    if !options.yes {
        check_terminal("look at the request with roastery requests ID, then approve it")?;
    }
    let request = find(&client, &options.request)?;
    if !options.yes {
        show::whole(&request);
        if !asked("Approve it? [y/N] ")? {
            remark("nothing was approved");
            return Ok(ExitCode::FAILURE);
        }
    }
    // The whole id of the session that was shown, for another request with the same prefix may have
    // appeared; and only in the revision that was shown.
    let shown = if options.yes { String::new() } else { format!("?revision={}", request.revision) };
    let path = format!("/v1/requests/{}/approve{shown}", request.session);
    let request: Request = post(&client, &path, &())?;
    tell(&see_through(&client, request, options.waiting.wait)?, &options.waiting)
}

pub(super) fn reject(at: &At, options: Reject) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let request = find(&client, &options.request)?;
    let path = format!("/v1/requests/{}/reject", request.session);
    let request: Request = post(&client, &path, &RejectBody { note: options.note })?;
    show::whole(&request);
    Ok(ExitCode::SUCCESS)
}
