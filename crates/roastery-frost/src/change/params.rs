use std::collections::HashMap;
use std::sync::Arc;

use secp::Point;

use crate::curve::decode_point;
use crate::seat::seats;
use crate::{GroupKeys, MAX_SEATS, Seat};

/// What all members of a change must agree on: the plan id, the old group, who of it may deal, and
/// the new members' host public keys and threshold.
///
/// A value of this type is valid: `2 <= t' <= n' <= 128`, the host public keys are points of the
/// curve, no two with one x coordinate, and at least *t* old seats may deal. New seat *j* has the
/// *j*-th key. Cloning is cheap.
///
/// The plan id is 32 bytes that stand for all of this; the caller must ensure that no two different
/// parameters have one plan id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeParams(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    plan: [u8; 32],
    old: GroupKeys,
    excluded: [bool; MAX_SEATS],
    t: usize,
    hostpubkeys: Vec<[u8; 33]>,
    points: Vec<Point>,
}

impl ChangeParams {
    /// Checks what a plan says.
    ///
    /// `excluded` are old seats whose dealings do not count, in any order; `hostpubkeys` are the
    /// host public keys of the new members, in the order of their seats; `t` is the new threshold.
    ///
    /// # Errors
    ///
    /// [`ChangeParamsError`] names the bound that does not hold, or the first seat at fault.
    pub fn new(
        plan: [u8; 32],
        old: &GroupKeys,
        excluded: &[Seat],
        hostpubkeys: Vec<[u8; 33]>,
        t: usize,
    ) -> Result<ChangeParams, ChangeParamsError> {
        let n = hostpubkeys.len();
        if n > MAX_SEATS || !(2..=n).contains(&t) {
            return Err(ChangeParamsError::ThresholdOrCount { t, n });
        }
        let excluded = marked(old, excluded)?;
        let dealers = seats(old.n()).filter(|seat| !excluded[seat.index()]).count();
        if dealers < old.threshold() {
            return Err(ChangeParamsError::Dealers { dealers, threshold: old.threshold() });
        }
        let points = decode_distinct(&hostpubkeys)?;
        Ok(ChangeParams(Arc::new(Inner {
            plan,
            old: old.clone(),
            excluded,
            t,
            hostpubkeys,
            points,
        })))
    }

    /// The plan id, 32 bytes.
    pub fn plan(&self) -> &[u8; 32] {
        &self.0.plan
    }

    /// The keys of the old group.
    pub fn old(&self) -> &GroupKeys {
        &self.0.old
    }

    /// The number of new members, *n'*, `2..=128`.
    pub fn n(&self) -> usize {
        self.0.hostpubkeys.len()
    }

    /// The new threshold, *t'*, `2..=n'`.
    pub fn t(&self) -> usize {
        self.0.t
    }

    /// The new members' host public keys, compressed, by new seat.
    pub fn hostpubkeys(&self) -> &[[u8; 33]] {
        &self.0.hostpubkeys
    }

    /// The new seats, in order.
    pub fn members(&self) -> impl ExactSizeIterator<Item = Seat> + use<> {
        seats(self.n())
    }

    /// The new seat with this host public key, if there is one.
    pub fn member_of(&self, hostpubkey: &[u8; 33]) -> Option<Seat> {
        self.members().zip(self.hostpubkeys()).find(|(_, key)| *key == hostpubkey).map(|x| x.0)
    }

    /// The old seats that may deal, in order; at least *t*.
    pub fn dealers(&self) -> impl Iterator<Item = Seat> + '_ {
        seats(self.old().n()).filter(|seat| !self.0.excluded[seat.index()])
    }

    /// Whether this old seat may deal, and its public share.
    ///
    /// # Errors
    ///
    /// [`NotADealer`].
    pub(super) fn dealer(&self, dealer: Seat) -> Result<Point, NotADealer> {
        let n = self.old().n();
        let share = self.old().public_share(dealer).ok_or(NotADealer::OutOfRange { dealer, n })?;
        if self.0.excluded[dealer.index()] {
            return Err(NotADealer::Excluded { dealer });
        }
        Ok(share)
    }

    /// The host public keys as points.
    pub(super) fn points(&self) -> &[Point] {
        &self.0.points
    }
}

/// The excluded seats as marks, each of which must be of the old group.
fn marked(old: &GroupKeys, excluded: &[Seat]) -> Result<[bool; MAX_SEATS], ChangeParamsError> {
    let mut marks = [false; MAX_SEATS];
    for &seat in excluded {
        if seat.index() >= old.n() {
            return Err(ChangeParamsError::Excluded { seat, n: old.n() });
        }
        marks[seat.index()] = true;
    }
    Ok(marks)
}

/// Host public keys sign as x-only keys, so two of one x coordinate would sign for each other.
fn decode_distinct(hostpubkeys: &[[u8; 33]]) -> Result<Vec<Point>, ChangeParamsError> {
    let mut seen = HashMap::new();
    let mut points = Vec::with_capacity(hostpubkeys.len());
    for (member, key) in seats(hostpubkeys.len()).zip(hostpubkeys) {
        points.push(decode_point(key).map_err(|_| ChangeParamsError::HostPubkey { member })?);
        if let Some(earlier) = seen.insert(&key[1..], member) {
            return Err(ChangeParamsError::DuplicateHostPubkey { earlier, later: member });
        }
    }
    Ok(points)
}

/// Parameters that make no change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChangeParamsError {
    /// The new threshold or the number of new members is out of bounds.
    #[error("t' = {t} of n' = {n} is out of range, allowed are 2 <= t' <= n' <= {MAX_SEATS}")]
    ThresholdOrCount {
        /// The new threshold.
        t: usize,
        /// The number of new members.
        n: usize,
    },
    /// An excluded seat is not of the old group.
    #[error("excluded seat {seat} is not of the old group, allowed are 0 to {}", n - 1)]
    Excluded {
        /// The seat.
        seat: Seat,
        /// The number of old seats.
        n: usize,
    },
    /// Too many old seats are excluded.
    #[error("{dealers} old seats may deal, {threshold} are needed")]
    Dealers {
        /// The number of old seats that may deal.
        dealers: usize,
        /// The threshold of the old group.
        threshold: usize,
    },
    /// A host public key is not a point.
    #[error("the host public key of new seat {member} is not a point of the curve")]
    HostPubkey {
        /// The new seat whose key it is.
        member: Seat,
    },
    /// Two host public keys have one x coordinate.
    #[error("new seats {earlier} and {later} have the same host public key")]
    DuplicateHostPubkey {
        /// The earlier of the two.
        earlier: Seat,
        /// The later of the two.
        later: Seat,
    },
}

/// An old seat whose dealings do not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotADealer {
    /// The old group has no such seat.
    #[error("old seat {dealer} does not exist, allowed are 0 to {}", n - 1)]
    OutOfRange {
        /// The seat.
        dealer: Seat,
        /// The number of old seats.
        n: usize,
    },
    /// The plan excludes the seat.
    #[error("old seat {dealer} is excluded by the plan")]
    Excluded {
        /// The seat.
        dealer: Seat,
    },
}
