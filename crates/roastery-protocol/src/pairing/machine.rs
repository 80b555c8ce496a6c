use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use roastery_frost::Seat;
use thiserror::Error;

use super::{
    Card, TransportKeys, Whereabouts,
    frame::{EndReason, Frame},
    kept::{KEPT, Kept, Role},
    live::Live,
    outbox::Outbox,
    output::{Ended, Event, Output, Record, Rejected},
    roster::{Entry, Roster, commitment},
    secret::Secret,
    terms::is_text,
};
use crate::{
    clock::Moment,
    group::{Name, PeerId},
    machine::{Destination, Link, Machine},
    wire,
};

/// The attempts of one line, and so the most numbers that a node ever reveals for it.
pub const MOST_ATTEMPTS: u8 = 5;

/// How far apart clocks may be.
const CLOCKS: u64 = 120_000;

/// What a node brings to its pairings.
pub struct Own {
    /// Its peer.
    pub peer: PeerId,
    /// Its card under a name, signed by its keys.
    pub card: Box<dyn Fn(&Name) -> Card + Send>,
    /// Where it is dialled.
    pub whereabouts: Whereabouts,
    /// Its Bitcoin network; at most 32 bytes of printable ASCII.
    pub network: String,
    /// Its release; the same.
    pub version: String,
    /// The check of others' transport keys.
    pub keys: Arc<dyn TransportKeys>,
    /// Gives 32 random bytes; `None` if the system has none.
    pub entropy: Box<dyn FnMut() -> Option<[u8; 32]> + Send>,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Why a pairing cannot begin, or not go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PairingError {
    /// What is offered does not hold.
    #[error(transparent)]
    Terms(#[from] super::TermsError),
    /// The network's name or the release's is too long, or has other characters.
    #[error("network and release have at most 32 printable characters")]
    Text,
    /// The own addresses are more than a roster takes.
    #[error("at most 8 addresses of 1,024 bytes together are allowed")]
    Addresses,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Randomness,
    /// The line's time is over.
    #[error("the line has ended: ask for roastery invite --again")]
    Expired,
    /// It is the line of this node itself.
    #[error("this line is of this node: it is for another one")]
    OwnLine,
    /// It is a line to return, and not one to join.
    #[error("this line brings a lost member back, and joins no new group")]
    ToReturn,
    /// The stored state does not decode.
    #[error("the stored state of a pairing does not decode: {0}")]
    Stored(String),
    /// This node agrees already, so that its key generation has begun.
    #[error(
        "all words were compared to the end here, so the key generation has begun, and it cannot \
             be cancelled here. A key is made only if all members do the same: one that has not can \
             still cancel. If all have, use the group for nothing"
    )]
    Agreed,
    /// A joiner agrees already, and takes part in no further attempt.
    #[error(
        "{0} has compared all words to the end and takes part in no further attempt: the others \
             compare theirs, or roastery invite --cancel ends it and another pairing begins"
    )]
    AgreedThere(Name),
    /// There is no such offer or member, or it is too late for that.
    #[error("{0}")]
    NotNow(&'static str),
}

/// One pairing at one node: from a line, or from lines for others, to an invitation that all
/// members have alike.
///
/// The node that invites has seat 0, and all others are connected to it alone. It passes on what
/// each says; that it passes on the same to all is what the words show.
pub struct Pairing {
    pub(super) own: Own,
    pub(super) kept: Kept,
    pub(super) live: Option<Live>,
    pub(super) outbox: Outbox,
    changed: bool,
    pub(super) last: Moment,
    /// The peers that are connected.
    pub(super) here: BTreeSet<PeerId>,
    /// At the inviter: when each seat was last answered; at a joiner: when it said Hello.
    pub(super) answered: BTreeMap<u16, Duration>,
    /// At the inviter: who gets an offer later, and when.
    pub(super) later: BTreeMap<u16, Duration>,
    /// At the inviter: who has been sent an offer that was not answered yet.
    pub(super) offered: BTreeSet<u16>,
    /// At a joiner: the attempt of the last offer over this connection.
    pub(super) offer: Option<u8>,
    pub(super) bits: u32,
}

impl Pairing {
    pub(super) fn with(own: Own, kept: Kept, last: Moment) -> Result<Self, PairingError> {
        if !is_text(&own.network) || own.network.is_empty() || !is_text(&own.version) {
            return Err(PairingError::Text);
        }
        // Read as others read it: with its bounds.
        if wire::decode::<Whereabouts>(&wire::encode(&own.whereabouts)).is_err() {
            return Err(PairingError::Addresses);
        }
        Ok(Self {
            own,
            kept,
            live: None,
            outbox: Outbox::default(),
            changed: false,
            last,
            here: BTreeSet::new(),
            answered: BTreeMap::new(),
            later: BTreeMap::new(),
            offered: BTreeSet::new(),
            offer: None,
            bits: 11,
        })
    }

    /// Goes on with a pairing whose state was stored.
    ///
    /// # Errors
    ///
    /// [`PairingError::Stored`] if the bytes are not one of this version.
    pub fn restore(record: &[u8], own: Own, now: Moment) -> Result<Self, PairingError> {
        let stored = |error: String| PairingError::Stored(error);
        let kept: Kept = wire::decode(record).map_err(|error| stored(error.to_string()))?;
        if kept.version != KEPT {
            return Err(stored(format!("version {}", kept.version)));
        }
        let mut pairing = Self::with(own, kept, now)?;
        if let (Some(sealed), Some(terms)) = (&pairing.kept.sealed, pairing.kept.terms()) {
            let (entries, attempt) = (sealed.entries.clone(), pairing.kept.attempt);
            let roster = Roster::check(terms, attempt, entries, &*pairing.own.keys);
            let roster = roster.map_err(|error| stored(error.to_string()))?;
            pairing.live = Some(Live::new(roster));
            pairing.find_words();
        }
        Ok(pairing)
    }

    /// Compares only the first so many bits of each word: for simulations.
    #[cfg(any(test, feature = "fake"))]
    pub fn compare_bits(&mut self, bits: u32) {
        self.bits = bits;
        self.find_words();
    }

    /// The operator ends it. Nothing is made.
    ///
    /// # Errors
    ///
    /// [`PairingError::Agreed`] once this node agrees: its key generation has begun.
    pub fn cancel(&mut self, now: Moment) -> Result<(), PairingError> {
        self.last = now;
        if self.kept.agreed {
            return Err(PairingError::Agreed);
        }
        self.end(EndReason::Cancelled);
        self.flush();
        Ok(())
    }

    /// Whether all that it has done is stored. Until then nothing of it should be shown.
    pub fn is_stored(&self) -> bool {
        !self.changed && self.outbox.is_stored()
    }

    /// Ends it here and says so to the others, unless it has ended or this node agrees already.
    pub(super) fn end(&mut self, reason: EndReason) {
        if self.kept.end.is_some() || self.kept.agreed {
            return;
        }
        let own = self.own_seat();
        self.kept.end = Some((own.map(Seat::to_u16), reason));
        self.changed = true;
        self.say(Some(reason));
        self.event(Event::Ended(Ended { seat: own, reason }));
    }

    /// Draws this node's number of an attempt, and makes its entry. `None` without randomness.
    pub(super) fn begin_attempt(&mut self, attempt: u8) -> Option<()> {
        let random = Secret::new((self.own.entropy)()?);
        let (terms, own) = (self.kept.terms()?, self.own_seat()?);
        let card = (self.own.card)(terms.name(own)?);
        let commitment = commitment(&terms.pairing, attempt, own, &card, random.expose());
        let (whereabouts, version) = (self.own.whereabouts.clone(), self.own.version.clone());
        self.kept.entry = Some(Entry { card, whereabouts, version, commitment });
        self.kept.random = Some(random);
        self.kept.attempt = attempt;
        self.kept.sealed = None;
        self.live = None;
        self.changed = true;
        Some(())
    }

    /// Sends to all others that have entered, or to the inviter.
    pub(super) fn tell(&mut self, frame: &Frame, but: Option<Seat>) {
        let to: Vec<PeerId> = match &self.kept.role {
            Role::Inviting(inviting) => inviting
                .invited
                .iter()
                .filter(|(seat, _)| but.is_none_or(|but| but.to_u16() != **seat))
                .filter_map(|(_, invited)| Some(invited.used.as_ref()?.peer.clone()))
                .collect(),
            Role::Joining(joining) => vec![joining.inviter.clone()],
        };
        to.into_iter().for_each(|peer| self.send(peer, frame));
    }

    pub(super) fn send(&mut self, to: PeerId, frame: &Frame) {
        if self.here.contains(&to) {
            self.flush();
            let bytes = frame.encode().into();
            self.outbox.push(Output::Send { to: Destination::Seat(to), bytes });
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.flush();
        self.outbox.push(Output::Event(event));
    }

    pub(super) fn touch(&mut self) {
        self.changed = true;
    }

    /// Has the state stored, if it has changed: before whatever is queued next.
    pub(super) fn flush(&mut self) {
        if std::mem::take(&mut self.changed) {
            self.outbox.store(wire::encode(&self.kept));
        }
    }

    /// Whether the other clock is near enough to this node's.
    pub(super) fn check_clock(&self, theirs: u64) -> Result<(), Rejected> {
        let own = u64::try_from(self.last.wall.as_millis()).unwrap_or(u64::MAX);
        if own.abs_diff(theirs) <= CLOCKS {
            return Ok(());
        }
        let milliseconds = i64::try_from(own.abs_diff(theirs)).unwrap_or(i64::MAX);
        Err(Rejected::Clock {
            milliseconds: if theirs < own { -milliseconds } else { milliseconds },
        })
    }

    /// This node's clock, in milliseconds since 1970.
    pub(super) fn clock(&self) -> u64 {
        u64::try_from(self.last.wall.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Machine for Pairing {
    type Event = Event;
    type Address = PeerId;
    type Record = Record;
    type Rejected = Rejected;

    fn handle_message(&mut self, from: &PeerId, bytes: &[u8], now: Moment) -> Result<(), Rejected> {
        self.last = now;
        let done = match self.kept.role {
            Role::Inviting(_) => self.handle_joiner(from, bytes),
            Role::Joining(_) => self.handle_inviter(from, bytes),
        };
        self.flush();
        done
    }

    fn handle_timeout(&mut self, now: Moment) {
        self.last = now;
        self.outbox.handle_timeout(now.monotonic);
        if self.kept.deadline <= now.wall_seconds() {
            self.end(EndReason::Expired);
        }
        self.say_hello_again();
        if self.kept.end.is_none() {
            self.offer_later();
        }
        self.flush();
    }

    fn handle_link(&mut self, peer: &PeerId, link: Link, now: Moment) {
        self.last = now;
        match link {
            Link::Up => {
                if self.here.insert(peer.clone()) {
                    self.say_hello(peer);
                }
            }
            Link::RoundTrip(_) => {}
            Link::Down => {
                self.here.remove(peer);
                if self.invited_by().is_some_and(|(_, inviter)| inviter == peer) {
                    self.offer = None;
                }
            }
        }
        self.flush();
    }

    fn persisted(&mut self, record: Record, kept: bool, now: Moment) {
        self.last = now;
        self.outbox.persisted(&record, kept, now.monotonic);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outbox.poll()
    }

    fn next_timeout(&self) -> Option<Duration> {
        let ends = (self.kept.end.is_none() && !self.kept.agreed).then(|| {
            let left = Duration::from_secs(self.kept.deadline).saturating_sub(self.last.wall);
            self.last.monotonic.saturating_add(left)
        });
        [ends, self.outbox.due(), self.next_hello(), self.next_offer()].into_iter().flatten().min()
    }
}

impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, .. } = self;
        f.debug_struct("Pairing")
            .field("own", &kept.own())
            .field("attempt", &kept.attempt)
            .field("agreed", &kept.agreed)
            .finish_non_exhaustive()
    }
}
