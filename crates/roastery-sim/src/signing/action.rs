use std::fmt;

use roastery_protocol::member::machine::RequestOrigin;

use crate::world;

/// A disturbance of nodes or network.
pub type Injection = world::Injection<Action>;

/// What can happen to a node in signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Its owner approves a request, and opens it again after each restart.
    Approve {
        /// The number of the request.
        request: usize,
        /// How it came to the node.
        origin: RequestOrigin,
    },
    /// Its owner proposes a request to all.
    Propose(usize),
    /// Its policy does not agree to a request any more.
    Withdraw(usize),
    /// Its owner stops a request.
    Stop(usize),
    /// Its wall clock is set by so many milliseconds.
    StepClock(i64),
    /// Its disk keeps no record from now on, or does again.
    Disk(DiskState),
    /// Its owner voids all stock.
    VoidStock,
}

impl Action {
    /// The request that it is about, if it is about one.
    pub fn request(&self) -> Option<usize> {
        match *self {
            Action::Approve { request, .. }
            | Action::Propose(request)
            | Action::Withdraw(request)
            | Action::Stop(request) => Some(request),
            Action::StepClock(_) | Action::Disk(_) | Action::VoidStock => None,
        }
    }
}

/// Whether a disk keeps what is to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskState {
    /// It does.
    Works,
    /// It does not.
    Fails,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Approve { request, origin } => {
                write!(f, "approves request {request} ({origin:?})")
            }
            Action::Propose(request) => write!(f, "proposes request {request}"),
            Action::Withdraw(request) => write!(f, "withdraws its approval of request {request}"),
            Action::Stop(request) => write!(f, "stops request {request}"),
            Action::StepClock(by) => write!(f, "has its wall clock set by {by} ms"),
            Action::Disk(DiskState::Works) => f.write_str("has a disk that works"),
            Action::Disk(DiskState::Fails) => f.write_str("has a disk that fails"),
            Action::VoidStock => f.write_str("voids its stock"),
        }
    }
}
