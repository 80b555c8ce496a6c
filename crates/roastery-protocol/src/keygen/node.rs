//! The key generation at a node that holds one or several seats.
//!
//! Each seat is a [`Keygen`] of its own, with its own host key, identity key, seed and signature. A
//! message for any of them goes to all of them, since an envelope names its sender only. What one
//! of them sends to another stays in the node.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use roastery_frost::{Seat, SecretShare};
use thiserror::Error;

use super::{
    Event, Invitation, Keygen, OpenError, Opening, RecoveryFile, Rejected, Report, Seed, Settings,
};
use crate::{
    TranscriptHash,
    clock::Moment,
    group::PeerId,
    keys::{HostKey, IdentityKey},
    machine::{Destination, Link, Machine, Output},
};

/// The keys of one seat of a node, and what the node has stored of its key generation.
#[derive(Debug)]
pub struct SeatOpening {
    /// The seat's host key.
    pub host: HostKey,
    /// The seat's identity key.
    pub identity: Arc<IdentityKey>,
    /// As [`Opening::seed`]: each seat has its own.
    pub seed: Seed,
    /// As [`Opening::signed`].
    pub signed: Option<TranscriptHash>,
}

/// Everything that a node needs to open a key generation.
#[derive(Debug)]
pub struct NodeOpening {
    /// The invitation that all members agreed on.
    pub invitation: Invitation,
    /// The node's seats, at least one.
    pub seats: Vec<SeatOpening>,
    /// Intervals and time limits.
    pub settings: Settings,
}

/// Why a node cannot open a key generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NodeOpenError {
    /// No seat is opened.
    #[error("no seat of this node is opened")]
    NoSeat,
    /// A seat cannot be opened.
    #[error("{0}")]
    Seat(#[from] OpenError),
    /// A seat is opened twice.
    #[error("seat {seat} is opened twice")]
    Twice {
        /// The seat.
        seat: Seat,
    },
    /// Two seats belong to different nodes.
    #[error("seats {first} and {second} have different peers")]
    OtherPeer {
        /// One seat.
        first: Seat,
        /// The other seat.
        second: Seat,
    },
}

/// What a node stores beside the seed of a seat before that seat's signature leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedTranscript {
    /// The seat.
    pub seat: Seat,
    /// The transcript that the seat signs.
    pub transcript: TranscriptHash,
}

/// An event of one seat.
#[derive(Clone, Debug, PartialEq)]
pub struct SeatEvent {
    /// The seat.
    pub seat: Seat,
    /// The event.
    pub event: Event,
}

/// One key generation at one node, for all its seats. See the [module](super).
///
/// It is done when each of its seats has its share, and has ended without a key when one of them
/// has.
#[derive(Debug)]
pub struct NodeKeygen {
    invitation: Invitation,
    peer: PeerId,
    seats: BTreeMap<Seat, Keygen>,
    outbox: VecDeque<Output<SeatEvent, SignedTranscript>>,
}

impl NodeKeygen {
    /// Opens a key generation for all seats of a node.
    ///
    /// # Errors
    ///
    /// [`NodeOpenError`].
    pub fn open(opening: NodeOpening, now: Moment) -> Result<Self, NodeOpenError> {
        let NodeOpening { invitation, seats: openings, settings } = opening;
        let mut seats: BTreeMap<Seat, Keygen> = BTreeMap::new();
        for SeatOpening { host, identity, seed, signed } in openings {
            let invitation = invitation.clone();
            let opening = Opening { invitation, host, identity, seed, signed, settings };
            let keygen = Keygen::open(opening, now)?;
            let seat = keygen.seat();
            if seats.insert(seat, keygen).is_some() {
                return Err(NodeOpenError::Twice { seat });
            }
        }
        let first = *seats.keys().next().ok_or(NodeOpenError::NoSeat)?;
        let peer = |seat| invitation.member(seat).map(|member| member.peer.clone());
        let own = peer(first).ok_or(NodeOpenError::NoSeat)?;
        if let Some(&second) = seats.keys().find(|seat| peer(**seat).as_ref() != Some(&own)) {
            return Err(NodeOpenError::OtherPeer { first, second });
        }
        let mut node = Self { invitation, peer: own, seats, outbox: VecDeque::new() };
        node.settle(now);
        Ok(node)
    }

    /// Ends the key generation of all seats, as [`Keygen::stop`] does.
    pub fn stop(&mut self, now: Moment) {
        self.seats.values_mut().for_each(|keygen| keygen.stop(now));
        self.settle(now);
    }

    /// The invitation that all members agreed on.
    pub fn invitation(&self) -> &Invitation {
        &self.invitation
    }

    /// The node's seats, in ascending order.
    pub fn seats(&self) -> impl ExactSizeIterator<Item = Seat> + '_ {
        self.seats.keys().copied()
    }

    /// The recovery file, once each seat of this node has its share.
    pub fn recovery_file(&self) -> Option<&RecoveryFile> {
        let mut files = self.seats.values().map(Keygen::recovery_file);
        let first = files.next()??;
        files.all(|file| file.is_some()).then_some(first)
    }

    /// Moves the secret shares of all seats out, once, when each seat has its own.
    pub fn take_shares(&mut self) -> Option<Vec<(Seat, SecretShare)>> {
        self.recovery_file()?;
        let seats = self.seats.iter_mut();
        seats.map(|(seat, keygen)| Some((*seat, keygen.take_share()?))).collect()
    }

    /// As [`Keygen::expires_at`], of all seats.
    pub fn expires_at(&self) -> Duration {
        self.seats.values().map(Keygen::expires_at).max().unwrap_or_default()
    }

    /// What the seats of this node know together, and which other members they wait for.
    pub fn report(&self) -> Report {
        let reports = self.seats.iter().map(|(seat, keygen)| (*seat, keygen.report()));
        Report::of_node(reports).expect("a node has at least one seat")
    }

    /// Takes the outputs of all seats, and delivers what they send to each other, until no seat has
    /// anything to say. It ends: a seat answers each other seat within the limits of its replies.
    fn settle(&mut self, now: Moment) {
        let mut local: VecDeque<(Seat, Arc<[u8]>)> = VecDeque::new();
        loop {
            self.take_outputs(&mut local);
            let Some((to, bytes)) = local.pop_front() else { return };
            if let Some(keygen) = self.seats.get_mut(&to) {
                // What a message did not do is in the seat's report, where it matters.
                let _ = keygen.handle_message(&self.peer, &bytes, now);
            }
        }
    }

    fn take_outputs(&mut self, local: &mut VecDeque<(Seat, Arc<[u8]>)>) {
        let own: Vec<Seat> = self.seats.keys().copied().collect();
        for seat in &own {
            while let Some(output) = self.seats.get_mut(seat).and_then(Machine::poll_output) {
                let output = match output {
                    Output::Send { to: Destination::Seat(to), bytes } if own.contains(&to) => {
                        local.push_back((to, bytes));
                        continue;
                    }
                    Output::Send { to, bytes } => {
                        if to == Destination::Everyone {
                            let others = own.iter().filter(|other| *other != seat);
                            local.extend(others.map(|other| (*other, bytes.clone())));
                        }
                        Output::Send { to, bytes }
                    }
                    Output::Persist(transcript) => {
                        Output::Persist(SignedTranscript { seat: *seat, transcript })
                    }
                    Output::Event(event) => Output::Event(SeatEvent { seat: *seat, event }),
                };
                if !self.is_queued(&output) {
                    self.outbox.push_back(output);
                }
            }
        }
    }

    /// Whether the same bytes wait to be sent to another seat of the same peer: they reach all of
    /// its seats.
    fn is_queued(&self, output: &Output<SeatEvent, SignedTranscript>) -> bool {
        let Output::Send { to: Destination::Seat(to), bytes } = output else { return false };
        let Some(member) = self.invitation.member(*to) else { return false };
        self.outbox.iter().any(|queued| match queued {
            Output::Send { to: Destination::Seat(other), bytes: same } => {
                self.invitation.holds(&member.peer, *other) && same == bytes
            }
            _ => false,
        })
    }
}

impl Machine for NodeKeygen {
    type Event = SeatEvent;
    type Address = Seat;
    type Record = SignedTranscript;
    type Rejected = Rejected;

    /// As [`Keygen`]'s, once for each seat of the node. An error states why the message had no
    /// effect at the first seat, and is returned if it had none at any.
    fn handle_message(&mut self, from: &PeerId, bytes: &[u8], now: Moment) -> Result<(), Rejected> {
        let mut result = None;
        for keygen in self.seats.values_mut() {
            let handled = keygen.handle_message(from, bytes, now);
            if handled.is_ok() || result.is_none() {
                result = Some(handled);
            }
        }
        self.settle(now);
        result.unwrap_or(Ok(()))
    }

    fn handle_timeout(&mut self, now: Moment) {
        self.seats.values_mut().for_each(|keygen| keygen.handle_timeout(now));
        self.settle(now);
    }

    fn handle_link(&mut self, peer: &PeerId, link: Link, now: Moment) {
        self.seats.values_mut().for_each(|keygen| keygen.handle_link(peer, link, now));
        self.settle(now);
    }

    fn persisted(&mut self, record: SignedTranscript, kept: bool, now: Moment) {
        if let Some(keygen) = self.seats.get_mut(&record.seat) {
            keygen.persisted(record.transcript, kept, now);
        }
        self.settle(now);
    }

    fn poll_output(&mut self) -> Option<Output<SeatEvent, SignedTranscript>> {
        self.outbox.pop_front()
    }

    fn next_timeout(&self) -> Option<Duration> {
        self.seats.values().filter_map(Machine::next_timeout).min()
    }
}
