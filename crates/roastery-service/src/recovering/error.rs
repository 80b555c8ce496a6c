//! Why a host key does not leave a store, or brings no share into it.

use roastery_frost::Seat;
use roastery_store::StoreError;
use thiserror::Error;

use crate::files::HostKeyFileError;

/// Why a host key does not leave a store, or brings no share into it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecoveringError {
    /// An error of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be sealed.
    #[error(transparent)]
    File(#[from] HostKeyFileError),
    /// The store has no keys of a node.
    #[error("the store has no keys of a node: restore a backup of this node first")]
    NoKeys,
    /// There is no such group.
    #[error("this node has no group {0}: roastery status shows its groups")]
    NoGroup(String),
    /// The store has no host key of the epoch.
    #[error(
        "the host key of epoch {epoch} is not in this store: that of epoch 0 is in the file host-key that the \
         configuration names, and one that is erased is gone"
    )]
    NoHostKey {
        /// The number of the epoch.
        epoch: u32,
    },
    /// The recovery file has no epoch after the first group.
    #[error(
        "the recovery file has no epoch after the first group of the key: take the recovery file of the key from a \
         member whose group was changed (roastery group export NAME --recovery-file FILE)"
    )]
    NoEpochs,
    /// The recovery file begins after all that the store knows of the key.
    #[error(
        "the recovery file begins with epoch {first}, which this store does not know: take the recovery file of a \
         member that was there from the start"
    )]
    BeginsLater {
        /// The first epoch of the file.
        first: u32,
    },
    /// The host key is of no seat of the last epoch.
    #[error(
        "the host key is not that of a seat of epoch {epoch}, the last one of the recovery file. {why}"
    )]
    OtherHostKey {
        /// The last epoch.
        epoch: u32,
        /// What it is of instead, and what to do.
        why: String,
    },
    /// The seat is another node's.
    #[error(
        "seat {seat} of epoch {epoch} belongs to another node than the one whose keys are in this store: restore a \
         backup of that node first, or write the share into a file (roastery recover)"
    )]
    OtherNode {
        /// The seat.
        seat: Seat,
        /// The number of the epoch.
        epoch: u32,
    },
    /// This node holds further seats, whose host keys are missing.
    #[error("the host keys of these seats of this node are missing too: {}", list(.0))]
    FurtherSeats(Vec<Seat>),
    /// The share is there.
    #[error("this node's share of epoch {epoch} is in this store: nothing is to be restored")]
    AlreadyThere {
        /// The number of the epoch.
        epoch: u32,
    },
    /// The share was erased here, or the store knows a later epoch.
    #[error(
        "epoch {epoch} is superseded: this store knows epoch {current}. Its share is not brought back; take the \
         recovery file from a member now, and the host key of its last epoch"
    )]
    Superseded {
        /// The epoch of the recovery file.
        epoch: u32,
        /// The greatest epoch that the store knows.
        current: u32,
    },
    /// These are not the words of the kit, or it was altered.
    #[error(
        "the kit does not open: these are not its words, or it was altered; read the paper again, and else take \
         the kit that another member keeps"
    )]
    KitNotOpened,
    /// The recovery file is of another group, or of later epochs.
    #[error(
        "the recovery file is not that of the key generation of the kit: take the one of its group. If the group was \
         changed since, the kit brings nothing back: join with a fresh card (roastery change card)"
    )]
    OtherKit,
    /// The store has been used.
    #[error(
        "this node has been used for a group, a pairing or a change: a seat returns to a node that roastery setup \
         has just made"
    )]
    Used,
    /// The host key was erased here.
    #[error("the host key was erased at this node, since another epoch superseded its own")]
    Erased,
}

fn list(seats: &[Seat]) -> String {
    seats.iter().map(Seat::to_string).collect::<Vec<_>>().join(", ")
}
