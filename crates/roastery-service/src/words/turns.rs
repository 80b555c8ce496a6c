//! The order in which requests are reviewed: one of each member in turn, so that a member that asks
//! for much delays its own requests only.

use std::collections::VecDeque;

use super::cut;
use crate::view::Request;

/// The most columns of a name.
const NAME: usize = 24;

/// Requests, one of each member in turn.
#[derive(Clone, Debug)]
pub struct Turns(VecDeque<Request>);

impl Turns {
    /// The requests of each member stay in their order.
    pub fn new(requests: Vec<Request>) -> Self {
        let mut members: Vec<VecDeque<Request>> = Vec::new();
        for request in requests {
            let of_one = |of: &&mut VecDeque<Request>| {
                of.front().is_some_and(|first| are_of_one(first, &request))
            };
            match members.iter_mut().find(of_one) {
                Some(of) => of.push_back(request),
                None => members.push([request].into()),
            }
        }
        let mut all = VecDeque::new();
        while !members.is_empty() {
            members.retain_mut(|of| {
                all.extend(of.pop_front());
                !of.is_empty()
            });
        }
        Self(all)
    }

    /// Takes the next one.
    pub fn take(&mut self) -> Option<Request> {
        self.0.pop_front()
    }

    /// How many are left.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// How many more there are of the member that has proposed this one.
    pub fn more_of(&self, request: &Request) -> usize {
        self.0.iter().filter(|other| are_of_one(request, other)).count()
    }

    /// Leaves the others of the member that has proposed this one.
    pub fn leave(&mut self, request: &Request) {
        self.0.retain(|other| !are_of_one(request, other));
    }

    /// The next request of each member, and how many there are of it.
    pub fn each(&self) -> Vec<(&Request, usize)> {
        let mut counts: Vec<(&Request, usize)> = Vec::new();
        for request in &self.0 {
            match counts.iter_mut().find(|(first, _)| are_of_one(first, request)) {
                Some((_, count)) => *count += 1,
                None => counts.push((request, 1)),
            }
        }
        counts
    }

    /// How many there are of each member: `5 of bert, 1 of cleo`.
    pub fn of_each(&self) -> String {
        let counts = self.each();
        let several = self.0.iter().any(|request| Some(&request.group) != self.group());
        let words = counts.iter().map(|(first, count)| match several {
            true => format!("{count} of {} in {}", member(first), cut(&first.group, NAME)),
            false => format!("{count} of {}", member(first)),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    fn group(&self) -> Option<&String> {
        self.0.front().map(|request| &request.group)
    }
}

/// Who has proposed a request, as it is shown.
pub fn member(request: &Request) -> String {
    cut(&request.proposer_name, NAME)
}

/// Whether one member has proposed both: its seat says so, for it chooses its name.
fn are_of_one(one: &Request, other: &Request) -> bool {
    (&one.group, one.proposer) == (&other.group, other.proposer)
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn request(session: &str, group: &str, proposer: u16) -> Request {
        let names = ["anna", "bert", "bert"];
        from_value(json!({
            "session": session, "group": group, "subject": { "kind": "text" },
            "messages": [], "parts": [], "proposer": proposer,
            "proposer_name": names[usize::from(proposer)],
            "since": "2026-05-01T14:00:00Z", "changed": "2026-05-01T14:00:00Z", "position": 1,
            "expiry": "2026-05-01T16:00:00Z", "revision": 0, "state": "proposed", "text": "",
            "progress": {
                "needed": 2, "members": 3, "approved_seats": 1, "approved": [], "refused": [],
                "can_succeed": true, "said": [],
            },
            "warnings": [],
        }))
        .unwrap()
    }

    fn sessions(mut turns: Turns) -> Vec<String> {
        std::iter::from_fn(|| turns.take()).map(|request| request.session).collect()
    }

    #[test]
    fn a_member_that_asks_for_much_delays_its_own_requests_only() {
        let many = ["b1", "b2", "b3"].map(|session| request(session, "treasury", 1));
        let one = request("c1", "treasury", 2);
        let all = [many.to_vec(), vec![one]].concat();
        let turns = Turns::new(all.clone());
        // Another one may have the same name.
        assert_eq!(turns.of_each(), "3 of bert, 1 of bert");
        assert_eq!(turns.count(), 4);
        assert_eq!(sessions(turns), ["b1", "c1", "b2", "b3"]);
        let elsewhere = Turns::new([all, vec![request("x1", "other", 1)]].concat());
        let each = "3 of bert in treasury, 1 of bert in treasury, 1 of bert in other";
        assert_eq!(elsewhere.of_each(), each);
    }

    #[test]
    fn leaving_a_members_requests_leaves_those_of_no_other_member() {
        let all = [("b1", 1), ("b2", 1), ("c1", 2), ("b3", 1), ("a1", 0), ("c2", 2)];
        let all = all.map(|(session, proposer)| request(session, "treasury", proposer));
        let mut turns = Turns::new(all.to_vec());
        let first = turns.take().unwrap();
        assert_eq!((first.session.as_str(), turns.more_of(&first)), ("b1", 2));
        turns.leave(&first);
        assert_eq!(sessions(turns), ["c1", "a1", "c2"]);
    }
}
