//! What waits for a decision here, one request after the other.

use std::process::ExitCode;

use clap::Args;
use roastery_service::{
    api::{Client, ClientError},
    config::SubjectKind,
    view::{ProblemCode, Request, State},
    words::{Turns, member},
};

use super::{
    At,
    decide::{CHANGED, Decided, approve_seen, reject_seen, seen_of},
    question::{answered, ask, check_screen},
    requests::{find, request_id, waiting},
    screen::{WIDTH, hides, prospect, screen, stop_lines, typed, words, wrapped},
    show::{self, short_id},
    wait_for,
};
use crate::{
    output::{one_line, remark, say},
    when::Clock,
};

#[derive(Args)]
pub(crate) struct Review {
    /// Only this request: the first 8 digits of its session, or more of them
    #[arg(value_parser = request_id)]
    request: Option<String>,
}

impl Review {
    /// All that waits.
    #[cfg(feature = "tui")]
    pub(super) const ALL: Self = Self { request: None };
}

/// How long the end of a session is waited for after an approval, in seconds.
const SIGNING: u64 = 5;

/// What a person answers.
enum Answer {
    Approve,
    Reject,
    Later,
    /// Nothing about this one and the others of the member that has proposed it.
    LeaveMember,
    Details,
    Quit,
    /// None of these words.
    Other,
}

pub(super) fn review(at: &At, options: &Review) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    check_screen(
        "roastery requests --state waiting lists what waits, and roastery approve ID --seen HASH \
         decides",
    )?;
    let waiting = match &options.request {
        Some(id) => vec![find(&client, id)?],
        None => waiting(&client)?,
    };
    let mut turns = Turns::new(waiting);
    let all = turns.count();
    match all {
        0 => say!("Nothing waits for you."),
        1 => {}
        _ => {
            let each = format!("{all} requests wait for you, one of each member in turn: {}.", {
                turns.of_each()
            });
            tell(&each);
        }
    }
    let mut status = ExitCode::SUCCESS;
    while let Some(request) = turns.take() {
        say!("{:>80}", format!("{} of {all}", all - turns.count()));
        match one(&client, &request.session, turns.more_of(&request))? {
            End::Next => {}
            End::NotDone => status = ExitCode::FAILURE,
            End::LeaveMember => turns.leave(&request),
            End::Quit => break,
        }
    }
    Ok(status)
}

/// How the review of one request ends.
enum End {
    Next,
    /// What was decided is not done; the next one follows all the same.
    NotDone,
    /// The others of the member that has proposed it are left, too.
    LeaveMember,
    Quit,
}

/// Shows a request until there is a decision about what it shows; `more` wait that are of the same
/// member.
fn one(client: &Client, session: &str, more: usize) -> anyhow::Result<End> {
    // Whether all details of what is shown were on the terminal.
    let mut looked = false;
    let Some(mut request) = unless_gone(client, &format!("/v1/requests/{session}"))? else {
        say!("{} is gone: this node does not have it any more.", short_id(session));
        return Ok(End::Next);
    };
    loop {
        if !matches!(request.state, State::Proposed) {
            say!("{} is {} now.", short_id(session), request.state);
            return Ok(End::Next);
        }
        for (paint, line) in screen(&request, &Clock::system()) {
            say(paint, &line);
        }
        let decided = match answer(&request, more)? {
            Answer::Approve if hides(&request) && !looked => {
                remark("not all that it pays is on the screen: d shows all, then approve it");
                continue;
            }
            Answer::Approve => {
                seen_of(&request).and_then(|seen| approve_seen(client, session, Some(seen)))
            }
            Answer::Reject => {
                let note = answered("Reason, for this node's own records (may be empty): ")?;
                let Some(note) = note else {
                    remark("nothing was rejected");
                    return Ok(End::NotDone);
                };
                seen_of(&request).and_then(|seen| reject_seen(client, session, Some(seen), &note))
            }
            Answer::Later => return Ok(End::Next),
            Answer::LeaveMember => return Ok(End::LeaveMember),
            Answer::Quit => return Ok(End::Quit),
            Answer::Details => {
                show::whole(&request);
                looked = true;
                continue;
            }
            Answer::Other => continue,
        };
        match decided {
            Ok(Decided::Done(request)) => {
                outcome(client, *request)?;
                return Ok(End::Next);
            }
            Ok(Decided::Changed(now)) => {
                remark(CHANGED);
                request = *now;
                looked = false;
            }
            Err(error) => {
                remark(&format!("not done: {}", one_line(&error)));
                return Ok(End::NotDone);
            }
        }
    }
}

/// A request at this path; none if the node does not have it any more.
fn unless_gone(client: &Client, path: &str) -> anyhow::Result<Option<Request>> {
    match wait_for(async { Ok(client.get(path).await) })? {
        Ok(request) => Ok(Some(request)),
        Err(ClientError::Problem(problem)) if problem.code == ProblemCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Asks about a request. An approval of one with warnings of level stop is the amount that leaves.
fn answer(request: &Request, more: usize) -> anyhow::Result<Answer> {
    let typed = typed(request);
    if more > 0 {
        say!("m leaves this one and {more} more of {} for later", member(request));
    }
    let said = match &typed {
        None => ask("y approve  n reject, for all to see  l later  d all details  q quit : ")?,
        Some(typed) => {
            for (paint, line) in stop_lines(&request.warnings) {
                say(paint, &line);
            }
            tell(&format!(
                "What is marked with ! can take the money elsewhere. n rejects, l leaves it, d shows \
                 all, q quits. To approve all the same, type what leaves: {typed}"
            ));
            ask(": ")?
        }
    };
    Ok(meaning(&said, typed.as_deref(), more))
}

/// The meaning of an answer; `typed` is what approves where a letter does not, and `more` is the
/// number of the other requests of the same member. No answer decides nothing.
fn meaning(said: &str, typed: Option<&str>, more: usize) -> Answer {
    match (said, typed) {
        (said, Some(typed)) if said == typed => Answer::Approve,
        ("y", None) => Answer::Approve,
        ("n", _) => Answer::Reject,
        ("l" | "", _) => Answer::Later,
        ("m", _) if more > 0 => Answer::LeaveMember,
        ("d", _) => Answer::Details,
        ("q", _) => Answer::Quit,
        _ => Answer::Other,
    }
}

/// Says a sentence, in lines of the screen's width.
fn tell(text: &str) {
    wrapped(text, "", WIDTH).iter().for_each(|line| say!("{line}"));
}

/// Says what has become of a decision.
fn outcome(client: &Client, mut request: Request) -> anyhow::Result<()> {
    let session = request.session.clone();
    let id = short_id(&session);
    if request.state == State::Refused {
        let clock = Clock::system();
        let (said, prospect) = (words(&request.progress, &clock), prospect(&request.progress));
        tell(&format!("Rejected. {said}. {prospect}."));
        return Ok(());
    }
    if request.is_open() && request.progress.can_succeed {
        let now = unless_gone(client, &format!("/v1/requests/{session}?wait={SIGNING}"))?;
        request = now.unwrap_or(request);
    }
    match request.state {
        State::Signed => {
            tell(&format!("Approved, and signed: {}", words(&request.progress, &Clock::system())));
            say!("  roastery fetch {id} --out {}", usual_name(&request));
        }
        _ => {
            tell(&format!("Approved. {}.", words(&request.progress, &Clock::system())));
            tell(&format!(
                "{}. roastery fetch {id} gives the result when it is signed.",
                prospect(&request.progress)
            ));
        }
    }
    Ok(())
}

/// The name of a file for the result of a request, as examples have it.
fn usual_name(request: &Request) -> &'static str {
    match request.subject.kind {
        SubjectKind::Transaction => "signed.psbt",
        SubjectKind::Text | SubjectKind::Hash => "signature",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_money_may_go_elsewhere_only_the_amount_that_leaves_approves() {
        let approves = |said, typed| matches!(meaning(said, typed, 0), Answer::Approve);
        assert!(approves("y", None));
        assert!(approves("0.12001850", Some("0.12001850")));
        for said in ["y", "yes", "0.1200185", "0.12001851", "", "n"] {
            assert!(!approves(said, Some("0.12001850")), "{said}");
        }
        assert!(!approves("", None));
        assert!(matches!(meaning("", None, 0), Answer::Later));
    }
}
