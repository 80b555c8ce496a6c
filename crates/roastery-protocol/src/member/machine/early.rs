//! What arrives about sessions that are not open here yet: kept for when they open, bounded for
//! each sender, whose own link brought it.

use std::collections::{BTreeMap, VecDeque};

use roastery_frost::Seat;

use super::session::Said;
use crate::{SessionId, member::frame::Statement};

/// How many sessions of one member that are not open here Ready is kept for.
const MOST_READY: usize = 256;

/// How many packages of one coordinator are kept for sessions that are not open here: of each
/// session the newest, at most 16 KiB each.
const MOST_PACKAGES: usize = 16;

/// Ready and packages of sessions that are not open here. Of each member the newest ones stay.
#[derive(Default)]
pub(super) struct Early {
    members: BTreeMap<Seat, OfMember>,
}

#[derive(Default)]
struct OfMember {
    ready: VecDeque<(SessionId, Said)>,
    packages: VecDeque<(SessionId, Statement)>,
}

/// What is kept of one session, with its senders.
type Kept = (Vec<(Seat, Said)>, Vec<(Seat, Statement)>);

impl Early {
    /// A member has said Ready about a session that is not open here. Gives whether one about
    /// another session made room.
    pub(super) fn ready(&mut self, sender: Seat, session: SessionId, said: Said) -> bool {
        let ready = &mut self.members.entry(sender).or_default().ready;
        ready.retain(|(known, _)| *known != session);
        let is_full = ready.len() == MOST_READY;
        if is_full {
            ready.pop_front();
        }
        ready.push_back((session, said));
        is_full
    }

    /// A coordinator has sent a package of a session that is not open here, over its own link.
    /// Gives whether one of another session made room.
    pub(super) fn package(
        &mut self,
        sender: Seat,
        session: SessionId,
        statement: Statement,
    ) -> bool {
        let packages = &mut self.members.entry(sender).or_default().packages;
        packages.retain(|(known, _)| *known != session);
        let is_full = packages.len() == MOST_PACKAGES;
        if is_full {
            packages.pop_front();
        }
        packages.push_back((session, statement));
        is_full
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
        for (&seat, member) in &mut self.members {
            if let Some(at) = member.ready.iter().position(|(known, _)| *known == session) {
                ready.extend(member.ready.remove(at).map(|(_, said)| (seat, said)));
            }
            if let Some(at) = member.packages.iter().position(|(known, _)| *known == session) {
                packages.extend(member.packages.remove(at).map(|(_, one)| (seat, one)));
            }
        }
        (ready, packages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::Incarnation;

    fn said(counter: u32) -> Said {
        Said { incarnation: Incarnation::after(None, 1, [0; 8]), counter, cannot: None }
    }

    #[test]
    fn the_newest_ready_of_a_session_is_kept_until_it_opens() {
        let (mut early, seat) = (Early::default(), Seat::new(1).unwrap());
        let session = SessionId::from_bytes([1; 32]);
        early.ready(seat, session, said(1));
        early.ready(seat, session, said(2));
        let (ready, _) = early.take(session);
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
        let dropped = (0..300).filter(|id| early.ready(one, session(*id), said(0))).count();
        assert_eq!(dropped, 300 - MOST_READY, "each is reported");
        assert_eq!(early.members[&one].ready.len(), MOST_READY);
        let kept: Vec<Seat> = early.take(session(0)).0.into_iter().map(|(seat, _)| seat).collect();
        assert_eq!(kept, [other]);
        assert_eq!(early.take(session(299)).0.len(), 1);
    }
}
