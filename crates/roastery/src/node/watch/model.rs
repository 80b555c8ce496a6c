//! All that the view shows of a node: what is told goes in, and is kept within bounds.

use std::collections::{BTreeMap, VecDeque};

use roastery_service::{
    Time,
    view::{Decided, PeerStatus, Request},
};

use super::{
    changes::{Changes, Happened},
    follow::{Look, Told},
    lists::{Lists, SHARES},
    trips::Trips,
};
use crate::node::short_id;

/// The most lines of what has happened.
const MOST_LINES: usize = 200;

/// How long ago a share is recent, in seconds.
pub(super) const RECENT: i64 = 600;

/// What is known of the node.
#[derive(Default)]
pub(super) struct Model {
    pub(super) node: Node,
    /// What it answered last, and when.
    pub(super) look: Option<(Box<Look<Lists>>, Time)>,
    trips: BTreeMap<String, Trips>,
    /// When a link came or went, while it was watched.
    turned: BTreeMap<String, Time>,
    /// The shares that left it: when, and for which session.
    shares: VecDeque<(Time, String)>,
    /// The last one at the front.
    happened: VecDeque<Happened>,
    changes: Changes,
}

/// Whether the node answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Node {
    /// It is asked for the first time.
    #[default]
    Asked,
    Answers,
    /// It does not answer, since when and why.
    Away(Time, String),
}

/// The shares that left this node a short time ago.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) count: usize,
    /// Whether there may be more.
    pub(super) is_least: bool,
    /// The last one, and the first digits of its session.
    pub(super) last: (Time, String),
}

impl Model {
    pub(super) fn take(&mut self, told: Told<Lists>, now: Time) {
        for happened in self.changes.take(&told, now) {
            self.happened.push_front(happened);
        }
        self.happened.truncate(MOST_LINES);
        match told {
            Told::Look(look) => self.look(look, now),
            Told::Away(why) => {
                let since = match self.node {
                    Node::Away(since, _) => since,
                    Node::Asked | Node::Answers => now,
                };
                self.node = Node::Away(since, why);
                // When it is back, the log is read anew.
                self.shares.clear();
            }
            Told::Event(_) | Told::Missed => {}
        }
    }

    fn look(&mut self, mut look: Box<Look<Lists>>, now: Time) {
        let peers = &look.status.peers;
        let known = |id: &String| peers.iter().any(|peer| peer.peer == *id);
        self.trips.retain(|id, _| known(id));
        self.turned.retain(|id, _| known(id));
        for peer in peers {
            self.trips.entry(peer.peer.clone()).or_default().note(peer, now);
            let before = self.look.as_ref().and_then(|(before, _)| {
                let mut peers = before.status.peers.iter();
                peers.find(|before| before.peer == peer.peer)
            });
            if before.is_some_and(|before| before.connected != peer.connected) {
                self.turned.insert(peer.peer.clone(), now);
            }
        }
        let shares = std::mem::take(&mut look.more.shares);
        self.shares.extend(shares.into_iter().map(|share| (share.time, share.session)));
        let most = usize::try_from(SHARES).unwrap_or(usize::MAX);
        let excess = self.shares.len().saturating_sub(most);
        self.shares.drain(..excess);
        self.node = Node::Answers;
        self.look = Some((look, now));
    }

    /// What has happened, the last first.
    pub(super) fn happened(&self) -> impl ExactSizeIterator<Item = &Happened> {
        self.happened.iter()
    }

    /// The round trips of the link to this peer.
    pub(super) fn trips(&self, peer: &str, now: Time) -> String {
        self.trips.get(peer).map(|trips| trips.picture(now)).unwrap_or_default()
    }

    /// The shares that left within the last ten minutes; none if there are none.
    pub(super) fn shares(&self, now: Time) -> Option<Shares> {
        let is_recent = |time: &Time| time.seconds() > now.seconds() - RECENT;
        let count = self.shares.iter().filter(|(time, _)| is_recent(time)).count();
        let (time, session) = self.shares.back().filter(|(time, _)| is_recent(time))?;
        let most = usize::try_from(SHARES).unwrap_or(usize::MAX);
        let last = (*time, short_id(session).to_owned());
        Some(Shares { count, is_least: count >= most, last })
    }

    /// What a member did last, as far as that is known: when, and what.
    pub(super) fn last_of(&self, name: &str, peer: Option<&PeerStatus>) -> Option<(Time, String)> {
        let turned = peer.and_then(|peer| {
            let word = if peer.connected { "came" } else { "went" };
            Some((*self.turned.get(&peer.peer)?, word.to_owned()))
        });
        let requests = self.look.iter().flat_map(|(look, _)| &look.more.recent);
        let acts = requests.flat_map(|request| acts_of(request, name));
        acts.chain(turned).max_by_key(|(time, _)| *time)
    }
}

/// What a member did with a request.
fn acts_of(request: &Request, name: &str) -> impl Iterator<Item = (Time, String)> {
    let id = short_id(&request.session);
    let proposed =
        (request.proposer_name == name).then(|| (request.since, format!("proposed {id}")));
    let said = request.progress.said.iter().filter(move |said| said.name == name);
    let said = said.filter_map(move |said| {
        let word = match said.said {
            Decided::Approved => "approved",
            Decided::Refused => "refused",
            Decided::Nothing => return None,
        };
        Some((said.at?, format!("{word} {id}")))
    });
    said.chain(proposed)
}
