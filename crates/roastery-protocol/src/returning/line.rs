//! A line to return, at the node that has made it.

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::Seat;
use zeroize::Zeroizing;

use super::ReturnEnd;
use crate::{
    GroupId,
    group::PeerId,
    pairing::{Hello, Line},
    wire,
};

/// The most lines to return that a node has open at a time.
pub const MOST_RETURN_LINES: usize = 4;

/// A line to return to one seat of one group. It works for the node that proves it first, and for
/// no other one, ever; that is stored before anything leaves for it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReturnLine {
    /// The line.
    pub line: Line,
    /// The group.
    pub group: GroupId,
    /// The seat.
    #[borsh(serialize_with = "wire::put", deserialize_with = "wire::take")]
    pub seat: Seat,
    /// The node that has used it, and when, in seconds since 1970.
    pub used: Option<(PeerId, u64)>,
    /// When the seat said that it came back with it, in milliseconds since 1970.
    pub returned_ms: Option<u64>,
    /// Whether it was cancelled, or another line was made in its place.
    pub cancelled: bool,
}

/// What a Hello has proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proven {
    /// Another line, or none.
    Nothing,
    /// The line, for the first time: it is this node's now. That is to be stored first.
    First,
    /// The line, by the node that has used it.
    Again,
    /// The line, which is good for nothing any more for this node.
    Ended(ReturnEnd),
}

impl ReturnLine {
    /// A line that was not used.
    pub fn new(line: Line, group: GroupId, seat: Seat) -> Self {
        Self { line, group, seat, used: None, returned_ms: None, cancelled: false }
    }

    /// Whether a node may still use it, or go on with it.
    pub fn is_open(&self, now_seconds: u64) -> bool {
        !self.cancelled && self.returned_ms.is_none() && now_seconds < self.line.expiry.into()
    }

    /// Takes the Hello of a node.
    pub fn hello(&mut self, hello: &Hello, from: &PeerId, own: &PeerId, now: u64) -> Proven {
        if !self.line.hello(from, own).is(hello) {
            return Proven::Nothing;
        }
        match &self.used {
            Some((used, at)) if used != from => return Proven::Ended(ReturnEnd::Used { at: *at }),
            _ if self.cancelled => return Proven::Ended(ReturnEnd::Cancelled),
            _ if !self.is_open(now) => return Proven::Ended(ReturnEnd::Expired),
            Some(_) => return Proven::Again,
            None => {}
        }
        self.used = Some((from.clone(), now));
        Proven::First
    }

    /// Its bytes, as they are stored. They have its secret.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(wire::encode(self))
    }

    /// The counterpart of [`ReturnLine::encode`].
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        wire::decode(bytes).ok()
    }
}
