use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use roastery_protocol::{SessionId, group::PeerId};

use super::error::ProposeError;

/// The most proposals that are retransmitted.
const MOST_OFFERED: usize = 1024;

/// The pause before the first retransmission; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The proposals that this node makes or forwards, retransmitted until all members have them.
#[derive(Debug, Default)]
pub(super) struct ProposalOutbox {
    all: BTreeMap<SessionId, Offer>,
}

#[derive(Debug)]
struct Offer {
    bytes: Arc<[u8]>,
    expiry: u64,
    /// The peers that have shown that they know the request.
    knows: BTreeSet<PeerId>,
    due: Duration,
    pause: Duration,
}

impl ProposalOutbox {
    /// Whether a further proposal can be retransmitted.
    pub(super) fn check_room(
        &mut self,
        session: SessionId,
        wall_seconds: u64,
    ) -> Result<(), ProposeError> {
        self.all.retain(|_, offer| offer.expiry > wall_seconds);
        match self.all.len() >= MOST_OFFERED && !self.all.contains_key(&session) {
            true => Err(ProposeError::TooMany { most: MOST_OFFERED }),
            false => Ok(()),
        }
    }

    /// Adds a proposal that is sent to all others now.
    pub(super) fn add(&mut self, session: SessionId, bytes: Arc<[u8]>, expiry: u64, now: Duration) {
        let due = now.saturating_add(FIRST_PAUSE);
        let offer = Offer { bytes, expiry, knows: BTreeSet::new(), due, pause: FIRST_PAUSE };
        self.all.insert(session, offer);
    }

    /// A peer has sent a message of a session: it knows the request.
    pub(super) fn heard_of(&mut self, session: SessionId, peer: &PeerId) {
        if let Some(offer) = self.all.get_mut(&session)
            && !offer.knows.contains(peer)
        {
            offer.knows.insert(peer.clone());
        }
    }

    /// The proposals that a peer that has just connected may lack.
    pub(super) fn lacked_by(&self, peer: &PeerId) -> Vec<Arc<[u8]>> {
        let lacking = self.all.values().filter(|offer| !offer.knows.contains(peer));
        lacking.map(|offer| offer.bytes.clone()).collect()
    }

    /// When the next retransmission is due.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.all.values().map(|offer| offer.due).min()
    }

    /// One proposal that is to be retransmitted now, and the peers that have not shown that they
    /// know it.
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

    /// No longer needed: the session has ended here.
    pub(super) fn remove(&mut self, session: SessionId) {
        self.all.remove(&session);
    }
}
