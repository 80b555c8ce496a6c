//! How many bytes are kept of what others have signed, in all sessions of a group together (section
//! 9).
//!
//! Each link may bring as much as there is room for. When all links together have brought more than
//! the budget, the one that has brought the most, for each seat of its peer, loses something of its
//! own: so a link that has brought no more than its fair share never loses anything for another.

use std::collections::BTreeMap;

use roastery_frost::Seat;

use crate::SessionId;

/// The most bytes that are kept of what others have signed, as [`Retained`] estimates them.
///
/// [`Retained`]: super::retained::Retained
pub const MOST_RETAINED_BYTES: usize = 256 * 1024 * 1024;

/// The most bytes that are kept of packages of this node's own, with the nonces of their signers
/// and room for the shares; but of each session that runs the newest package stays.
pub const MOST_OWN_BYTES: usize = 256 * 1024 * 1024;

/// What each link has brought that is kept, by session. A link is named by the first seat of its
/// peer.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    total: usize,
    links: BTreeMap<Seat, Brought>,
    sessions: BTreeMap<SessionId, Vec<Seat>>,
}

#[derive(Debug, Default)]
struct Brought {
    /// How many seats its peer has.
    seats: usize,
    bytes: usize,
    sessions: BTreeMap<SessionId, usize>,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(most: usize) -> Self {
        Self { most, total: 0, links: BTreeMap::new(), sessions: BTreeMap::new() }
    }

    /// What is kept in this session now, by link: its peer's number of seats and the bytes.
    pub fn settle(
        &mut self,
        session: SessionId,
        kept: impl IntoIterator<Item = (Seat, (usize, usize))>,
    ) {
        self.forget(session);
        let mut links = Vec::new();
        for (link, (seats, bytes)) in kept {
            let brought = self.links.entry(link).or_default();
            brought.seats = seats.max(1);
            brought.bytes += bytes;
            brought.sessions.insert(session, bytes);
            self.total += bytes;
            links.push(link);
        }
        if !links.is_empty() {
            self.sessions.insert(session, links);
        }
    }

    /// Nothing is kept of this session any more.
    pub fn forget(&mut self, session: SessionId) {
        for link in self.sessions.remove(&session).unwrap_or_default() {
            let Some(brought) = self.links.get_mut(&link) else { continue };
            let bytes = brought.sessions.remove(&session).unwrap_or_default();
            brought.bytes -= bytes;
            self.total -= bytes;
        }
    }

    /// If more is kept than the budget: the link that has brought the most for each seat of its
    /// peer, and the session of which most of that is.
    pub fn over(&self) -> Option<(Seat, SessionId)> {
        if self.total <= self.most {
            return None;
        }
        let links = self.links.iter();
        let (link, brought) = links.max_by_key(|(_, one)| one.bytes / one.seats.max(1))?;
        let (session, _) = brought.sessions.iter().max_by_key(|(_, bytes)| **bytes)?;
        Some((*link, *session))
    }

    /// How many bytes are kept.
    pub fn total(&self) -> usize {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(id: u32) -> Seat {
        Seat::new(id).unwrap()
    }

    fn session(id: u8) -> SessionId {
        SessionId::from_bytes([id; 32])
    }

    #[test]
    fn the_link_that_has_brought_the_most_loses_of_the_session_in_which_most_is() {
        let mut budget = Budget::new(1_000);
        budget.settle(session(1), [(seat(1), (1, 300)), (seat(2), (1, 200))]);
        budget.settle(session(2), [(seat(1), (1, 400)), (seat(2), (1, 100))]);
        assert_eq!((budget.total(), budget.over()), (1_000, None));
        budget.settle(session(3), [(seat(2), (1, 50))]);
        assert_eq!(budget.over(), Some((seat(1), session(2))));
        budget.settle(session(2), [(seat(1), (1, 340)), (seat(2), (1, 100))]);
        assert_eq!((budget.total(), budget.over()), (990, None));
        budget.forget(session(1));
        assert_eq!(budget.total(), 490);
    }

    #[test]
    fn a_peer_with_two_seats_has_two_shares() {
        let mut budget = Budget::new(1_000);
        budget.settle(session(1), [(seat(1), (2, 700)), (seat(3), (1, 400))]);
        assert_eq!(budget.over(), Some((seat(3), session(1))));
    }
}
