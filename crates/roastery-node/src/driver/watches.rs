use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use roastery_protocol::{
    Seat, SessionId,
    group::{Group, PeerId},
    message::RefusalReason,
    request::SigningRequest,
    signing::{Outcome, Told, Watch},
};

use super::refused::largest;

/// The most requests that are watched for their outcome.
const MOST_WATCHED: usize = 4096;

/// How long the outcome is asked for after the request has expired, in seconds: the last signature
/// may have been made just before.
const LINGER: u64 = 60 * 60;

/// The pause before the other members are first asked; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The pause between two questions to a member that has just connected.
const STEP: Duration = Duration::from_millis(10);

/// How many questions of one member are answered at once, and how long it takes until one more is:
/// each costs a read of the store.
const MOST_QUESTIONS: u32 = 256;
const QUESTION_PAUSE: Duration = Duration::from_millis(30);

/// What a node receives about a request that has no open session here.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A watched request is signed. The signatures were verified by this node.
    Signed {
        /// The request's session.
        session: SessionId,
        /// The signatures.
        outcome: Outcome,
    },
    /// A member does not take part in a watched request.
    Refused {
        /// The request's session.
        session: SessionId,
        /// The member that refuses.
        seat: Seat,
        /// Its reason.
        reason: RefusalReason,
    },
    /// A member asks for the outcome of a request that this node's task does not know: the store
    /// may have it.
    Asked {
        /// The request's session.
        session: SessionId,
        /// The peer that asks.
        by: PeerId,
    },
}

/// The requests that this node knows and does not sign, and whose outcome it wants.
#[derive(Debug, Default)]
pub(super) struct Watches {
    all: BTreeMap<SessionId, Entry>,
    due: BTreeSet<(Duration, SessionId)>,
    /// Until when each is watched, in seconds since 1970.
    ends: BTreeSet<(u64, SessionId)>,
    askers: BTreeMap<PeerId, Asker>,
}

#[derive(Debug)]
struct Entry {
    watch: Watch,
    /// The member that proposed the request, if that is known.
    author: Option<Seat>,
    end: u64,
    due: Duration,
    pause: Duration,
}

/// How many questions of a member may still be answered.
#[derive(Debug)]
struct Asker {
    left: u32,
    counted: Duration,
}

impl Watches {
    /// Watches a request. If there are too many, evicts one of the author that has the most: the
    /// one whose watch ends first. Returns whether one was evicted.
    pub(super) fn add(
        &mut self,
        group: &Arc<Group>,
        (author, request): (Option<Seat>, SigningRequest),
        now: Duration,
        wall_seconds: u64,
    ) -> bool {
        self.expire(wall_seconds);
        let session = request.session_id();
        let end = request.expiry().saturating_add(LINGER);
        if self.all.contains_key(&session) || end <= wall_seconds {
            return false;
        }
        let due = now.saturating_add(FIRST_PAUSE);
        let watch = Watch::new(group.clone(), request);
        self.all.insert(session, Entry { watch, author, end, due, pause: FIRST_PAUSE });
        self.due.insert((due, session));
        self.ends.insert((end, session));
        if self.all.len() <= MOST_WATCHED {
            return false;
        }
        let most = largest(self.all.values().map(|entry| entry.author));
        let theirs = |session: &SessionId| self.all.get(session).map(|entry| entry.author) == most;
        let first = self.ends.iter().find(|(_, session)| theirs(session)).copied();
        if let Some((_, first)) = first {
            self.remove(first);
        }
        true
    }

    pub(super) fn remove(&mut self, session: SessionId) {
        if let Some(entry) = self.all.remove(&session) {
            self.due.remove(&(entry.due, session));
            self.ends.remove(&(entry.end, session));
        }
    }

    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.all.contains_key(&session)
    }

    /// Handles a message about a watched request. A signed request is no longer watched.
    pub(super) fn hear(&mut self, session: SessionId, from: &PeerId, bytes: &[u8]) -> Option<News> {
        // A message without an outcome is never an error of this node.
        let told = self.all.get_mut(&session)?.watch.hear(from, bytes).ok()?;
        Some(match told {
            Told::Signed(outcome) => {
                self.remove(session);
                News::Signed { session, outcome }
            }
            Told::Refused { seat, reason } => News::Refused { session, seat, reason },
        })
    }

    /// When the next question is due.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A request whose outcome is to be asked for now.
    pub(super) fn due(&mut self, now: Duration, wall_seconds: u64) -> Option<SessionId> {
        self.expire(wall_seconds);
        let (due, session) = self.due.first().copied().filter(|(due, _)| now >= *due)?;
        self.due.remove(&(due, session));
        let entry = self.all.get_mut(&session)?;
        entry.pause = (entry.pause * 2).min(LONGEST_PAUSE);
        entry.due = now.saturating_add(entry.pause);
        self.due.insert((entry.due, session));
        Some(session)
    }

    /// A member has connected that may know more: all outcomes are asked for again, one after the
    /// other.
    pub(super) fn hurry(&mut self, now: Duration) {
        self.due.clear();
        for (number, (session, entry)) in (1..).zip(&mut self.all) {
            entry.pause = FIRST_PAUSE;
            entry.due = entry.due.min(now.saturating_add(STEP * number));
            self.due.insert((entry.due, *session));
        }
    }

    /// Whether a further question of this peer is answered (a rate limit).
    pub(super) fn may_ask(&mut self, peer: &PeerId, now: Duration) -> bool {
        let full = Asker { left: MOST_QUESTIONS, counted: now };
        let asker = self.askers.entry(peer.clone()).or_insert(full);
        let more = now.saturating_sub(asker.counted).as_millis() / QUESTION_PAUSE.as_millis();
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if more > 0 {
            asker.left = asker.left.saturating_add(more).min(MOST_QUESTIONS);
            asker.counted = now;
        }
        let may = asker.left > 0;
        asker.left = asker.left.saturating_sub(1);
        may
    }

    fn expire(&mut self, wall_seconds: u64) {
        while let Some((_, session)) =
            self.ends.first().copied().filter(|(end, _)| *end <= wall_seconds)
        {
            self.remove(session);
        }
    }
}

#[cfg(test)]
mod tests {
    use roastery_frost::{SigningKey, danger_trusted_dealer};
    use roastery_protocol::{
        group::Member,
        keys::HostKey,
        request::{Derivation, MessageToSign},
    };
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn a_member_that_asks_without_end_is_answered_at_a_pace() {
        let (mut watches, peer) = (Watches::default(), PeerId::new([1]).unwrap());
        let other = PeerId::new([2]).unwrap();
        let now = Duration::from_secs(9);
        for _ in 0..MOST_QUESTIONS {
            assert!(watches.may_ask(&peer, now));
        }
        assert!(!watches.may_ask(&peer, now));
        assert!(watches.may_ask(&other, now));
        let later = now + QUESTION_PAUSE;
        assert!(watches.may_ask(&peer, later));
        assert!(!watches.may_ask(&peer, later));
        assert!(watches.may_ask(&peer, now + Duration::from_secs(3600)));
    }
    fn group() -> Arc<Group> {
        let key = |byte| SigningKey::from_bytes(Zeroizing::new([byte; 32])).unwrap();
        let members = [1, 2].map(|name| {
            let (host, identity_key) = (HostKey::new(key(name)), key(name + 2).public_key());
            let peer = PeerId::new([name]).unwrap();
            let binding = host.bind(&identity_key, &peer, 0);
            Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding }
        });
        let (keys, _) = danger_trusted_dealer::deal(2, 2, &mut getrandom::SysRng).unwrap();
        Arc::new(Group::new(keys, [7; 32], members.into()).unwrap())
    }

    #[test]
    fn a_member_of_whose_requests_most_are_watched_turns_over_its_own_only() {
        let (one, other) = (Seat::new(1).unwrap(), Seat::new(2).unwrap());
        let group = group();
        let request = |number: usize, expiry| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_le_bytes());
            let derivation = Derivation::key_path_only();
            let messages = vec![MessageToSign { message: [1; 32], derivation }];
            SigningRequest::new(group.id(), id, expiry, messages).unwrap()
        };
        let mut watches = Watches::default();
        let mut add = |number, author, expiry| {
            watches.add(&group, (Some(author), request(number, expiry)), Duration::ZERO, 1)
        };
        // That of the other member ends first.
        assert!(!add(0, other, 2));
        assert!(!add(1, one, 3));
        let over = (2..MOST_WATCHED + 100).filter(|number| add(*number, one, 9)).count();
        assert_eq!(over, 100);
        assert!(watches.contains(request(0, 2).session_id()));
        // Of its own the one goes that ends first.
        assert!(!watches.contains(request(1, 3).session_id()));
        assert_eq!(watches.all.len(), MOST_WATCHED);
        assert_eq!((watches.due.len(), watches.ends.len()), (MOST_WATCHED, MOST_WATCHED));
    }
}
