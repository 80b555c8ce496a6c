//! The state of a pairing that outlives a restart.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;

use super::{
    Terms, comparing::Typed, frame::EndReason, line::Line, output::Ended, roster::Entry,
    secret::Secret,
};
use crate::group::PeerId;

/// The version of a stored state.
pub(super) const KEPT: u8 = 1;

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct Kept {
    pub(super) version: u8,
    pub(super) role: Role,
    /// The attempt, from 1; 0 before the first. It never goes back, and in each one this node
    /// reveals once at most: so it bounds the reveals, also over restarts.
    pub(super) attempt: u8,
    /// When it ends, in seconds since 1970, unless all words were right before.
    pub(super) deadline: u64,
    /// What this node's commitment of this attempt stands for.
    pub(super) random: Option<Secret<32>>,
    /// This node's entry of this attempt.
    pub(super) entry: Option<Entry>,
    pub(super) sealed: Option<Sealed>,
    pub(super) agreed: bool,
    pub(super) end: Option<(Option<u16>, EndReason)>,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) enum Role {
    Inviting(Inviting),
    Joining(Joining),
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct Inviting {
    pub(super) terms: Terms,
    /// The invited members, by seat.
    pub(super) invited: BTreeMap<u16, Invited>,
    /// The entries of this attempt, by seat, without this node's.
    pub(super) entries: BTreeMap<u16, Entry>,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct Invited {
    pub(super) line: Line,
    pub(super) used: Option<Use>,
    pub(super) declined: bool,
}

/// Which node has used a line first, and when, in seconds since 1970.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct Use {
    pub(super) peer: PeerId,
    pub(super) at: u64,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct Joining {
    pub(super) line: Line,
    pub(super) inviter: PeerId,
    pub(super) offered: Option<(Terms, u16)>,
    pub(super) accepted: bool,
}

/// What is fixed once the roster was checked.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct Sealed {
    pub(super) entries: Vec<Entry>,
    /// What members have revealed, this node included, by seat.
    pub(super) revealed: BTreeMap<u16, Secret<32>>,
    pub(super) typed: Typed,
}

impl Kept {
    pub(super) fn new(role: Role, deadline: u64) -> Self {
        Self {
            version: KEPT,
            role,
            attempt: 0,
            deadline,
            random: None,
            entry: None,
            sealed: None,
            agreed: false,
            end: None,
        }
    }

    pub(super) fn terms(&self) -> Option<&Terms> {
        match &self.role {
            Role::Inviting(inviting) => Some(&inviting.terms),
            Role::Joining(joining) => joining.offered.as_ref().map(|(terms, _)| terms),
        }
    }

    /// This node's seat.
    pub(super) fn own(&self) -> Option<Seat> {
        match &self.role {
            Role::Inviting(_) => Some(inviter()),
            Role::Joining(joining) => Seat::new(joining.offered.as_ref()?.1.into()).ok(),
        }
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        let (seat, reason) = self.end?;
        let seat = seat.and_then(|seat| Seat::new(seat.into()).ok());
        Some(Ended { seat, reason })
    }
}

/// The seat of the node that invites.
pub(super) fn inviter() -> Seat {
    Seat::new(0).expect("there is a first seat")
}
