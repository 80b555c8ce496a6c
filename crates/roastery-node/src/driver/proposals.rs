use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use roastery_protocol::{
    Seat, SessionId,
    group::{Group, PeerId},
    message::{Envelope, Proposal},
    request::MAX_LIFETIME_SECONDS,
};

/// The most proposals of one member whose requests have not expired, and the most within an hour.
const MOST_OF_ONE: usize = 64;

/// How long a proposal counts at least, in seconds.
const HOUR: u64 = 60 * 60;

/// The most proposals that are repeated.
const MOST_OFFERED: usize = 1024;

/// The pause before the first repeat; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A member's proposal, which nobody here has judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// Who proposes.
    pub by: Seat,
    /// What.
    pub proposal: Proposal,
}

/// The proposals that have come in, so that each is shown once.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Of each member: the sessions, with until when they count, in seconds since 1970.
    by_seat: BTreeMap<Seat, BTreeMap<SessionId, u64>>,
}

impl Heard {
    /// Reads a proposal that is to be shown. One that was shown is not looked at, and of a member that proposes too much
    /// nothing more is shown until something of it has expired.
    pub(super) fn take(&mut self, bytes: &[u8], group: &Group, now: u64) -> Option<Proposed> {
        let session = Envelope::peek_session(bytes)?;
        let claimed = Envelope::parse(bytes).ok()?.sender(group)?;
        if self.by_seat.get(&claimed).is_some_and(|known| known.contains_key(&session)) {
            return None;
        }
        let (by, proposal) = Proposal::open(bytes, group).ok()?;
        let expiry = proposal.request.expiry();
        let known = self.by_seat.entry(by).or_default();
        known.retain(|_, until| *until > now);
        let lives =
            expiry.checked_sub(now).is_some_and(|life| (1..=MAX_LIFETIME_SECONDS).contains(&life));
        if !lives || known.len() >= MOST_OF_ONE {
            return None;
        }
        known.insert(session, expiry.max(now.saturating_add(HOUR)));
        Some(Proposed { by, proposal })
    }
}

/// The proposals that this node makes or passes on, until everybody has them.
#[derive(Debug, Default)]
pub(super) struct Offers {
    all: BTreeMap<SessionId, Offer>,
}

#[derive(Debug)]
struct Offer {
    bytes: Arc<[u8]>,
    expiry: u64,
    /// Who has shown that it knows the request.
    knows: BTreeSet<PeerId>,
    due: Duration,
    pause: Duration,
}

impl Offers {
    /// Takes a proposal over, to be sent now to all others.
    pub(super) fn add(&mut self, session: SessionId, bytes: Arc<[u8]>, expiry: u64, now: Duration) {
        if self.all.len() >= MOST_OFFERED {
            let first = self.all.iter().min_by_key(|(id, offer)| (offer.expiry, **id));
            if let Some(first) = first.map(|(id, _)| *id) {
                self.all.remove(&first);
            }
        }
        let due = now.saturating_add(FIRST_PAUSE);
        let offer = Offer { bytes, expiry, knows: BTreeSet::new(), due, pause: FIRST_PAUSE };
        self.all.insert(session, offer);
    }

    /// A peer has spoken in a session: it knows what it is about.
    pub(super) fn heard_of(&mut self, session: SessionId, peer: &PeerId) {
        if let Some(offer) = self.all.get_mut(&session)
            && !offer.knows.contains(peer)
        {
            offer.knows.insert(peer.clone());
        }
    }

    /// What a peer that has just come may lack.
    pub(super) fn lacked_by(&self, peer: &PeerId) -> Vec<Arc<[u8]>> {
        let lacking = self.all.values().filter(|offer| !offer.knows.contains(peer));
        lacking.map(|offer| offer.bytes.clone()).collect()
    }

    /// When something is to be repeated.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.all.values().map(|offer| offer.due).min()
    }

    /// One proposal that is to be repeated now, and those who have not shown that they know it.
    pub(super) fn due(
        &mut self,
        now: Duration,
        wall_seconds: u64,
        members: impl FnOnce() -> Vec<PeerId>,
    ) -> Option<(Arc<[u8]>, Vec<PeerId>)> {
        self.all.retain(|_, offer| offer.expiry > wall_seconds);
        let offer = self.all.values_mut().find(|offer| now >= offer.due)?;
        offer.pause = (offer.pause * 2).min(LONGEST_PAUSE);
        offer.due = now.saturating_add(offer.pause);
        let mut lacking = members();
        lacking.retain(|peer| !offer.knows.contains(peer));
        Some((offer.bytes.clone(), lacking))
    }

    /// Nobody needs it any more: the session has ended here.
    pub(super) fn remove(&mut self, session: SessionId) {
        self.all.remove(&session);
    }
}
