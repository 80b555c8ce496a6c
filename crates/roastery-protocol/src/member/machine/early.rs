//! What arrives about sessions that are not open here yet: kept for when they open, bounded for
//! each sender, whose own link brought it.

use std::collections::{BTreeMap, VecDeque};

use roastery_frost::Seat;

use super::session::Readiness;
use crate::{
    SessionId,
    member::frame::{Refusal, Statement},
};

/// Of how many sessions of one member that are not open here Ready is kept, and of how many
/// refusals.
const MOST_READY: usize = 256;

/// How many packages of one coordinator are kept for sessions that are not open here: of each
/// session the newest, at most 16 KiB each.
const MOST_PACKAGES: usize = 16;

/// Ready, packages and refusals of sessions that are not open here. Of each member the newest ones
/// stay.
#[derive(Default)]
pub(super) struct Early {
    members: BTreeMap<Seat, OfMember>,
}

#[derive(Default)]
struct OfMember {
    ready: VecDeque<(SessionId, Readiness)>,
    packages: VecDeque<(SessionId, Statement)>,
    refusals: VecDeque<(SessionId, Refusal)>,
}

/// What is kept of one session, with its senders.
type Kept = (Vec<(Seat, Readiness)>, Vec<(Seat, Statement)>, Vec<(Seat, Refusal)>);

/// What came of something that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    New,
    /// The same is kept.
    Repeat,
    /// It was kept in the place of the oldest one of its sender.
    InPlaceOfOldest,
}

/// Keeps something of a session in the place of what was kept of it before.
fn keep<T: PartialEq>(
    kept: &mut VecDeque<(SessionId, T)>,
    session: SessionId,
    value: T,
    most: usize,
) -> Keeping {
    let at = kept.iter().position(|(known, _)| *known == session);
    let before = at.and_then(|at| kept.remove(at)).map(|(_, before)| before);
    let is_repeat = before.as_ref() == Some(&value);
    let is_full = kept.len() >= most;
    if is_full {
        kept.pop_front();
    }
    kept.push_back((session, value));
    match (is_repeat, is_full) {
        (true, _) => Keeping::Repeat,
        (false, true) => Keeping::InPlaceOfOldest,
        (false, false) => Keeping::New,
    }
}

impl Early {
    /// A member has said Ready about a session that is not open here.
    pub(super) fn ready(&mut self, sender: Seat, session: SessionId, said: Readiness) -> Keeping {
        let member = self.members.entry(sender).or_default();
        member.refusals.retain(|(known, refusal)| {
            *known != session
                || (refusal.incarnation == said.incarnation && refusal.counter > said.counter)
        });
        keep(&mut member.ready, session, said, MOST_READY)
    }

    /// A coordinator has sent a package of a session that is not open here, over its own link.
    pub(super) fn package(
        &mut self,
        sender: Seat,
        session: SessionId,
        statement: Statement,
    ) -> Keeping {
        let packages = &mut self.members.entry(sender).or_default().packages;
        keep(packages, session, statement, MOST_PACKAGES)
    }

    /// A member does not take part in a session that is not open here. What it says is older than
    /// its Ready, if that has a greater counter: `None`.
    pub(super) fn refusal(
        &mut self,
        sender: Seat,
        session: SessionId,
        refusal: Refusal,
    ) -> Option<Keeping> {
        let member = self.members.entry(sender).or_default();
        let of_session = |(known, said): &&(SessionId, Readiness)| {
            *known == session && said.incarnation == refusal.incarnation
        };
        if member.ready.iter().any(|one| of_session(&one) && one.1.counter >= refusal.counter) {
            return None;
        }
        member.ready.retain(|(known, _)| *known != session);
        let mut refusals = member.refusals.iter();
        let known = refusals.find(|(known, _)| *known == session).map(|(_, known)| *known);
        if known.is_some_and(|known| {
            known.incarnation == refusal.incarnation && known.counter > refusal.counter
        }) {
            return None;
        }
        Some(keep(&mut member.refusals, session, refusal, MOST_READY))
    }

    /// The refusals of a session that is not open here.
    pub(super) fn refusals(&self, session: SessionId) -> Vec<(Seat, Refusal)> {
        let all = self.members.iter();
        let all = all.flat_map(|(seat, member)| member.refusals.iter().map(|one| (*seat, one)));
        let all = all.filter(|(_, (known, _))| *known == session);
        all.map(|(seat, (_, refusal))| (seat, *refusal)).collect()
    }

    /// The member has another incarnation: what it said before means nothing.
    pub(super) fn forget_ready(&mut self, sender: Seat) {
        if let Some(member) = self.members.get_mut(&sender) {
            member.ready.clear();
        }
    }

    /// Takes what is kept of a session that opens now.
    pub(super) fn take(&mut self, session: SessionId) -> Kept {
        let (mut ready, mut packages) = (Vec::new(), Vec::new());
        let refusals = self.refusals(session);
        for (&seat, member) in &mut self.members {
            if let Some(at) = member.ready.iter().position(|(known, _)| *known == session) {
                ready.extend(member.ready.remove(at).map(|(_, said)| (seat, said)));
            }
            if let Some(at) = member.packages.iter().position(|(known, _)| *known == session) {
                packages.extend(member.packages.remove(at).map(|(_, one)| (seat, one)));
            }
            member.refusals.retain(|(known, _)| *known != session);
        }
        (ready, packages, refusals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::Incarnation;

    fn said(counter: u32) -> Readiness {
        Readiness { incarnation: Incarnation::after(None, 1, [0; 8]), counter, cannot: None }
    }

    #[test]
    fn the_newest_ready_of_a_session_is_kept_until_it_opens() {
        let (mut early, seat) = (Early::default(), Seat::new(1).unwrap());
        let session = SessionId::from_bytes([1; 32]);
        early.ready(seat, session, said(1));
        early.ready(seat, session, said(2));
        let (ready, ..) = early.take(session);
        assert_eq!(ready.iter().map(|(_, said)| said.counter).collect::<Vec<_>>(), [2]);
        assert!(early.take(session).0.is_empty());
    }

    #[test]
    fn one_member_has_room_for_256_sessions_and_takes_none_from_others() {
        let mut early = Early::default();
        let (one, other) = (Seat::new(1).unwrap(), Seat::new(2).unwrap());
        let session = |id: u16| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&id.to_le_bytes());
            SessionId::from_bytes(bytes)
        };
        early.ready(other, session(0), said(0));
        let keeping: Vec<Keeping> =
            (0..300).map(|id| early.ready(one, session(id), said(0))).collect();
        let dropped = keeping.iter().filter(|one| **one == Keeping::InPlaceOfOldest).count();
        assert_eq!(dropped, 300 - MOST_READY, "each is reported");
        assert_eq!(early.members[&one].ready.len(), MOST_READY);
        let kept: Vec<Seat> = early.take(session(0)).0.into_iter().map(|(seat, _)| seat).collect();
        assert_eq!(kept, [other]);
        assert_eq!(early.take(session(299)).0.len(), 1);
    }
}
