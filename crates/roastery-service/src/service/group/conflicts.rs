//! Warnings about other requests that spend the same coins: a coin can be spent once, so the
//! approver of a request is shown the others.

use roastery_bitcoin::spend::{Level, Part};
use roastery_protocol::SessionId;
use roastery_store::KeptRequest;

use crate::service::{
    group::{
        service::GroupService,
        state::{State, state_of},
        warning::RequestWarning,
    },
    now,
};

/// The most other requests that are named in one request.
const MOST_NAMED: usize = 8;

/// The most other requests that are read for one request.
const MOST_READ: usize = 64;

/// Whether two requests are different parts of one transaction, of which both show the same.
fn are_parts_of_one(one: &KeptRequest, other: &KeptRequest) -> bool {
    let (a, b) = (&one.request, &other.request);
    Part::may_be_of_one(a, b) && one.subject == other.subject && a.messages() != b.messages()
}

/// Whether two requests sign one transaction. Those of two epochs may divide it otherwise.
fn is_same(one: &KeptRequest, other: &KeptRequest) -> bool {
    let epochs = one.request.group() != other.request.group();
    one.request.messages() == other.request.messages() || epochs && one.subject == other.subject
}

/// The other requests that spend coins of one, as they are stored.
#[derive(Debug, Default)]
pub(in crate::service) struct CoinsElsewhere {
    known: Vec<KeptRequest>,
    /// The number of those that were not read.
    unread: usize,
}

impl CoinsElsewhere {
    /// So many, of which none was read.
    pub(in crate::service) fn unread(unread: usize) -> Self {
        Self { known: Vec::new(), unread }
    }
}

impl GroupService {
    /// The other requests that spend a coin of this one; `read` gives a request from the store.
    pub(in crate::service) fn elsewhere<E>(
        &self,
        kept: &KeptRequest,
        read: impl FnMut(SessionId) -> Result<Option<KeptRequest>, E>,
    ) -> Result<CoinsElsewhere, E> {
        self.elsewhere_among(kept, self.coins.others(kept.request.session_id()), read)
    }

    /// The same of these other requests.
    pub(in crate::service) fn elsewhere_among<E>(
        &self,
        kept: &KeptRequest,
        others: Vec<SessionId>,
        mut read: impl FnMut(SessionId) -> Result<Option<KeptRequest>, E>,
    ) -> Result<CoinsElsewhere, E> {
        let unread = others.len().saturating_sub(MOST_READ);
        let mut known = Vec::new();
        for other in others.into_iter().take(MOST_READ) {
            known.extend(read(other)?);
        }
        known.retain(|other| !are_parts_of_one(kept, other));
        Ok(CoinsElsewhere { known, unread })
    }

    /// The same where the store does not answer.
    pub(in crate::service) fn elsewhere_unread(&self, kept: &KeptRequest) -> CoinsElsewhere {
        let unread = self.coins.others(kept.request.session_id()).len();
        CoinsElsewhere::unread(unread)
    }

    /// Warnings about other requests that are open or signed and spend the same coins, or were
    /// refused and sign the same transaction: one for each, those approved or signed first.
    pub(in crate::service) fn conflicts(
        &self,
        kept: &KeptRequest,
        elsewhere: &CoinsElsewhere,
    ) -> Conflicts {
        let CoinsElsewhere { known, unread } = elsewhere;
        let mut conflicts = Conflicts { unread: *unread, ..Conflicts::default() };
        for other in known {
            let state = self.state_in_its_group(other);
            let same = is_same(kept, other);
            match state {
                State::Approved | State::Signed => {
                    conflicts.decided.push(conflict(other, state, same));
                }
                State::Proposed => conflicts.proposed.push(conflict(other, state, same)),
                // The same messages were refused before.
                State::Refused if same => conflicts.proposed.push(conflict(other, state, same)),
                _ => {}
            }
        }
        conflicts
    }

    /// The state of a request of this key, as its own group shows it.
    fn state_in_its_group(&self, other: &KeptRequest) -> State {
        let group = other.request.group();
        if group == self.group.id() {
            return self.current_state(other).state;
        }
        match state_of(&other.state).0 {
            state @ (State::Signed | State::Refused) => state,
            // Only its group hears of refusals. One that does not run here hears of none.
            _ if self.coins.has_failed(group, other.request.session_id()) => State::Failed,
            _ if other.request.expiry() <= now() => State::Expired,
            state => state,
        }
    }
}

fn conflict(other: &KeptRequest, state: State, same: bool) -> RequestWarning {
    let session = other.request.session_id().to_string();
    let id = &session[..8];
    if same {
        let text = format!("the same transaction as request {id}, which is {state}");
        return RequestWarning { code: "same_transaction", level: Level::Look, text };
    }
    let text = format!(
        "spends a coin that request {id} spends, which is {state}: one replaces the other, and \
         only one can be confirmed"
    );
    RequestWarning { code: "spent_twice", level: Level::Stop, text }
}

/// The warnings about other requests with the same coins.
#[derive(Debug, Default)]
pub(in crate::service) struct Conflicts {
    /// About those that are approved or signed: each is part of what a decision is about.
    pub(in crate::service) decided: Vec<RequestWarning>,
    /// About the others. One member alone can make and end them at any time, so a decision is only
    /// about whether there are some.
    pub(in crate::service) proposed: Vec<RequestWarning>,
    pub(in crate::service) unread: usize,
}

impl Conflicts {
    /// Whether there are some, of each level, that are neither approved nor signed, or were not
    /// read: to look at, and to stop at.
    pub(in crate::service) fn proposed(&self) -> [bool; 2] {
        let some = |level| self.proposed.iter().any(|warning| warning.level == level);
        [some(Level::Look), some(Level::Stop) || self.unread > 0]
    }

    /// The lines to be shown: a bounded number, with the number of those that are left out.
    pub(in crate::service) fn lines(self) -> Vec<RequestWarning> {
        let Self { decided, proposed, unread } = self;
        let mut lines = decided;
        lines.extend(proposed);
        let more = lines.len().saturating_sub(MOST_NAMED);
        lines.truncate(MOST_NAMED);
        let also = |number: usize, text: &str| {
            let text = format!("{number} {text}");
            RequestWarning { code: "spent_twice", level: Level::Stop, text }
        };
        if more > 0 {
            lines.push(also(more, "more requests spend the same coins"));
        }
        if unread > 0 {
            lines.push(also(unread, "further requests have the same coins, and were not read"));
        }
        lines
    }
}

#[cfg(test)]
mod tests;
