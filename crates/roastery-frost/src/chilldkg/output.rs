use std::fmt;

use secp::Point;

use crate::{GroupKeys, SecretShare};

/// What a participant has from a successful session: *DKGOutput*, in the types that signing takes.
///
/// The share of participant *i* is that of [`Seat`](crate::Seat) *i*. Its `Debug` shows the public
/// part only.
pub struct DkgOutput {
    pub(super) secshare: SecretShare,
    pub(super) group: GroupKeys,
}

impl DkgOutput {
    /// This participant's secret share.
    pub fn secshare(&self) -> &SecretShare {
        &self.secshare
    }

    /// The threshold public key. It commits to an unspendable script path, as BIP-341 recommends.
    pub fn threshold_pubkey(&self) -> Point {
        self.group.threshold_public_key()
    }

    /// The public shares, by participant.
    pub fn pubshares(&self) -> &[Point] {
        self.group.public_shares()
    }

    /// The public part, as signing takes it.
    pub fn group(&self) -> &GroupKeys {
        &self.group
    }

    /// The share and the public part.
    pub fn into_parts(self) -> (SecretShare, GroupKeys) {
        (self.secshare, self.group)
    }
}

impl fmt::Debug for DkgOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DkgOutput").field("group", &self.group).finish_non_exhaustive()
    }
}
