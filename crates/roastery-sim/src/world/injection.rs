use std::{convert::Infallible, fmt};

use roastery_protocol::Seat;

/// A disturbance of nodes or network. Nodes are named by their first seat. `A` is what can happen
/// to one kind of machine only.
#[derive(Clone, Debug, PartialEq)]
pub enum Injection<A = Infallible> {
    /// A node loses everything but what it has stored.
    Crash(Seat),
    /// A node opens: late, or again after a crash, with what it has stored.
    Open(Seat),
    /// A node that is down loses some of what it has stored.
    Disk(Seat, Disk),
    /// A node's machine and its monotonic clock stand still from now on; its links end.
    Sleep(Seat),
    /// A node goes on after a sleep.
    Resume(Seat),
    /// A node's memory is saved, with its disk and its monotonic clock, as by a snapshot of a
    /// virtual machine. Only what the script saves can be restored.
    Save(Seat),
    /// A node goes on with what was saved last; only its wall clock is right.
    Restore(Seat),
    /// Nothing passes any more between these and all others.
    CutOff(Vec<Seat>),
    /// Nothing passes any more between these two.
    Cut(Seat, Seat),
    /// These two reach each other again.
    Join(Seat, Seat),
    /// Every member reaches every other, and nothing is lost, doubled or delayed any more.
    Calm,
    /// Something happens to a node that only its kind of machine knows.
    Act(Seat, A),
}

/// What happens to what a node has stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disk {
    /// Everything is gone.
    Lost,
    /// An older backup is restored: the later half of the records is gone.
    Restored,
}

impl<A: fmt::Display> fmt::Display for Injection<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Injection::Crash(seat) => write!(f, "seat {seat} crashes"),
            Injection::Open(seat) => write!(f, "seat {seat} opens"),
            Injection::Disk(seat, Disk::Lost) => write!(f, "seat {seat} loses its disk"),
            Injection::Disk(seat, Disk::Restored) => {
                write!(f, "seat {seat} restores an older backup")
            }
            Injection::Sleep(seat) => write!(f, "seat {seat} sleeps"),
            Injection::Resume(seat) => write!(f, "seat {seat} resumes"),
            Injection::Save(seat) => write!(f, "seat {seat} has its memory saved"),
            Injection::Restore(seat) => write!(f, "seat {seat} goes on with its saved memory"),
            Injection::CutOff(few) => {
                let few: Vec<String> = few.iter().map(Seat::to_string).collect();
                write!(f, "cut off: {}", few.join(", "))
            }
            Injection::Cut(one, other) => write!(f, "cut: {one} from {other}"),
            Injection::Join(one, other) => write!(f, "joined: {one} with {other}"),
            Injection::Calm => write!(f, "the network heals and is calm"),
            Injection::Act(seat, action) => write!(f, "seat {seat} {action}"),
        }
    }
}
