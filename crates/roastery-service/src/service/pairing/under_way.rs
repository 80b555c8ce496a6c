use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use roastery_protocol::{
    clock::Moment,
    group::PeerId,
    machine::{Link, Machine as _},
    pairing::{Pairing, Seats},
};

/// The pause after the first call that did not connect; each further one is twice as long.
pub(super) const FIRST_CALL: Duration = Duration::from_millis(500);

/// A pairing under way.
#[derive(Debug)]
pub(in crate::service) struct Running {
    pub(super) machine: Pairing,
    /// The peers with a stream.
    pub(super) here: BTreeSet<PeerId>,
    /// From which IP addresses peers have come.
    pub(super) from: BTreeMap<PeerId, String>,
    /// The members that this node is connected to.
    pub(super) reached: Seats,
    /// What stands in its way now, for the operator.
    pub(super) note: String,
    /// Whose message the note is about, if it is about one.
    pub(super) noted: Option<PeerId>,
    pub(super) next_call: Duration,
    pub(super) pause: Duration,
    /// Whether the roster's members are to be put into this node's roster.
    pub(super) to_meet: bool,
    /// When its key generation is to be begun.
    pub(super) to_begin: Option<Duration>,
}

impl Running {
    pub(super) fn new(machine: Pairing) -> Self {
        Self {
            machine,
            here: BTreeSet::new(),
            from: BTreeMap::new(),
            reached: Seats::default(),
            note: String::new(),
            noted: None,
            next_call: Duration::ZERO,
            pause: FIRST_CALL,
            to_meet: false,
            to_begin: None,
        }
    }

    /// What was stored before a restart: what follows from it is done anew.
    pub(super) fn restored(machine: Pairing) -> Self {
        let to_meet = machine.roster().is_some();
        let to_begin = machine.agreed().map(|_| Duration::ZERO);
        Self { to_meet, to_begin, ..Self::new(machine) }
    }

    /// The streams that are open already, as another pairing of the same kind knows them.
    pub(super) fn take_streams<'a>(&mut self, others: impl Iterator<Item = &'a Self>, now: Moment) {
        let inviter = self.inviter().cloned();
        for other in others.filter(|other| other.inviter() == inviter.as_ref()) {
            self.here.extend(other.here.iter().cloned());
            self.from.extend(other.from.iter().map(|(peer, from)| (peer.clone(), from.clone())));
        }
        if let Some(inviter) = inviter.filter(|inviter| self.here.contains(inviter)) {
            self.machine.handle_link(&inviter, Link::Up, now);
        }
    }

    /// A message of this peer was taken: what stood in its way does so no more.
    pub(super) fn is_well_with(&mut self, peer: &PeerId) {
        if self.noted.as_ref() == Some(peer) {
            self.noted = None;
            self.note.clear();
        }
    }

    /// Whether this peer is one of it: the one that invites, or one that has used a line.
    pub(super) fn has(&self, peer: &PeerId) -> bool {
        let lines = self.machine.lines();
        let mut used = lines.iter().filter_map(|(seat, _)| self.machine.used(*seat));
        self.inviter() == Some(peer) || used.any(|(user, _)| user == peer)
    }

    pub(super) fn inviter(&self) -> Option<&PeerId> {
        self.machine.invited_by().map(|(_, inviter)| inviter)
    }

    /// Whether nodes that this one does not know may come for it.
    pub(super) fn is_open(&self) -> bool {
        let members = self.machine.terms().map_or(0, |terms| terms.names.len());
        let all = self.machine.roster().is_some_and(|roster| {
            let seats = roster.invitation().seats();
            seats.into_iter().all(|seat| {
                let compared = self.machine.compared(seat);
                let seats = roster.invitation().seats();
                seats.into_iter().filter(|other| compared.has(*other)).count() + 1 == members
            })
        });
        self.inviter().is_none() && self.machine.ended().is_none() && !all
    }
}
