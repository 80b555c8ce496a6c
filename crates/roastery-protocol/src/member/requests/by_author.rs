use std::collections::{BTreeMap, BTreeSet};

use roastery_frost::Seat;

use crate::SessionId;

/// A bounded map of requests. If there are too many, the author that has the most of them loses the
/// one that ends first: a member turns over its own requests only.
#[derive(Debug)]
pub(crate) struct ByAuthor<T> {
    most: usize,
    all: BTreeMap<SessionId, Entry<T>>,
    /// Of each author when its requests end, in seconds since 1970.
    authors: BTreeMap<Option<Seat>, BTreeSet<(u64, SessionId)>>,
    ends: BTreeSet<(u64, SessionId)>,
}

#[derive(Debug)]
struct Entry<T> {
    author: Option<Seat>,
    end: u64,
    value: T,
}

impl<T> ByAuthor<T> {
    pub(crate) fn new(most: usize) -> Self {
        let (all, authors, ends) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { most, all, authors, ends }
    }

    /// Adds a request, in the place of what was known of it. Returns the one that was evicted for
    /// it.
    pub(crate) fn insert(
        &mut self,
        session: SessionId,
        author: Option<Seat>,
        end: u64,
        value: T,
    ) -> Option<(SessionId, T)> {
        self.remove(session);
        self.all.insert(session, Entry { author, end, value });
        self.authors.entry(author).or_default().insert((end, session));
        self.ends.insert((end, session));
        if self.all.len() <= self.most {
            return None;
        }
        let largest = self.authors.values().max_by_key(|requests| requests.len());
        let (_, evicted) = *largest?.first()?;
        self.remove(evicted).map(|value| (evicted, value))
    }

    pub(crate) fn remove(&mut self, session: SessionId) -> Option<T> {
        let Entry { author, end, value } = self.all.remove(&session)?;
        self.ends.remove(&(end, session));
        if let Some(requests) = self.authors.get_mut(&author) {
            requests.remove(&(end, session));
            if requests.is_empty() {
                self.authors.remove(&author);
            }
        }
        Some(value)
    }

    /// Takes out a request that has ended by now.
    pub(crate) fn take_ended(&mut self, now: u64) -> Option<(SessionId, T)> {
        let (_, session) = self.ends.first().copied().filter(|(end, _)| *end <= now)?;
        self.remove(session).map(|value| (session, value))
    }

    pub(crate) fn get(&self, session: SessionId) -> Option<&T> {
        self.all.get(&session).map(|entry| &entry.value)
    }

    pub(crate) fn get_mut(&mut self, session: SessionId) -> Option<&mut T> {
        self.all.get_mut(&session).map(|entry| &mut entry.value)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (SessionId, &mut T)> {
        self.all.iter_mut().map(|(session, entry)| (*session, &mut entry.value))
    }

    /// The first request behind this one, in the order of ids.
    pub(crate) fn after(&self, session: Option<SessionId>) -> Option<SessionId> {
        next_key(&self.all, session)
    }
}

/// The first key behind this one; the first of all without one.
pub(crate) fn next_key<T>(
    all: &BTreeMap<SessionId, T>,
    session: Option<SessionId>,
) -> Option<SessionId> {
    use std::ops::Bound::{Excluded, Unbounded};
    let from = session.map_or(Unbounded, Excluded);
    all.range((from, Unbounded)).next().map(|(session, _)| *session)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: usize) -> SessionId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        SessionId::from_bytes(id)
    }

    #[test]
    fn the_author_with_the_most_requests_turns_over_its_own_only() {
        let (one, other) = (Seat::new(1).unwrap(), Seat::new(2).unwrap());
        let mut map = ByAuthor::new(10);
        // That of the other author ends first.
        assert_eq!(map.insert(session(0), Some(other), 2, 0), None);
        assert_eq!(map.insert(session(1), Some(one), 3, 1), None);
        let evicted: Vec<_> =
            (2..30).filter_map(|at| map.insert(session(at), Some(one), 9, at)).collect();
        assert_eq!(evicted.len(), 20);
        assert_eq!(evicted[0], (session(1), 1), "of its own the one goes that ends first");
        assert!(map.get(session(0)).is_some());
        assert_eq!((map.all.len(), map.ends.len()), (10, 10));
        assert_eq!(map.authors.values().map(BTreeSet::len).sum::<usize>(), 10);
    }

    #[test]
    fn requests_are_taken_out_when_they_have_ended_and_walked_through_in_order() {
        let mut map = ByAuthor::new(10);
        for at in 0..4 {
            map.insert(session(at), None, 10 + at as u64, at);
        }
        assert_eq!(map.take_ended(9), None);
        assert_eq!(map.take_ended(10), Some((session(0), 0)));
        assert_eq!(map.take_ended(10), None);
        let mut walked = Vec::new();
        while let Some(next) = map.after(walked.last().copied()) {
            walked.push(next);
        }
        assert_eq!(walked, [session(1), session(2), session(3)]);
    }

    #[test]
    fn a_request_that_is_added_again_is_there_once() {
        let mut map = ByAuthor::new(10);
        map.insert(session(1), None, 5, 'a');
        map.insert(session(1), Some(Seat::new(3).unwrap()), 7, 'b');
        assert_eq!(map.get(session(1)), Some(&'b'));
        assert_eq!((map.all.len(), map.ends.len(), map.authors.len()), (1, 1, 1));
    }
}
