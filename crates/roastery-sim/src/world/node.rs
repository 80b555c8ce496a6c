use std::{fmt, time::Duration};

use roastery_protocol::{Seat, machine::Machine};

use super::Disk;

/// What a machine has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has reached its aim.
    Done,
    /// It has stopped without that.
    Stopped,
}

/// The node of a seat, over all its restarts.
pub struct Node<M: Machine> {
    /// The seat.
    pub seat: Seat,
    /// The number of its openings.
    pub openings: usize,
    /// When it first reached its aim.
    pub done_at: Option<Duration>,
    /// When it first stopped without that.
    pub stopped_at: Option<Duration>,
    /// The time that it has computed on this machine.
    pub busy: Duration,
    pub(super) free_at: Duration,
    /// The number of steps that it has done.
    pub(super) steps: usize,
    pub(super) wake_at: Option<Duration>,
    /// Since when it sleeps, if it does.
    pub(super) asleep_since: Option<Duration>,
    /// For how long it has slept: its monotonic clock lags by that.
    pub(super) slept: Duration,
    /// The records that it has stored, in their order.
    stored: Vec<M::Record>,
    machine: Option<M>,
}

impl<M: Machine> fmt::Debug for Node<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("seat", &self.seat)
            .field("up", &self.is_up())
            .field("done_at", &self.done_at)
            .finish_non_exhaustive()
    }
}

impl<M: Machine> Node<M> {
    pub(super) fn new(seat: Seat) -> Self {
        Self {
            seat,
            openings: 0,
            done_at: None,
            stopped_at: None,
            busy: Duration::ZERO,
            free_at: Duration::ZERO,
            steps: 0,
            wake_at: None,
            asleep_since: None,
            slept: Duration::ZERO,
            stored: Vec::new(),
            machine: None,
        }
    }

    /// Its machine, unless it is down.
    pub fn machine(&self) -> Option<&M> {
        self.machine.as_ref()
    }

    pub(crate) fn machine_mut(&mut self) -> Option<&mut M> {
        self.machine.as_mut()
    }

    /// Whether it is open.
    pub fn is_up(&self) -> bool {
        self.machine.is_some()
    }

    /// What it has stored, over all its restarts.
    pub fn stored(&self) -> &[M::Record] {
        &self.stored
    }

    pub(super) fn store(&mut self, record: M::Record) {
        self.stored.push(record);
    }

    pub(super) fn disk(&mut self, what: Disk) {
        let kept = match what {
            Disk::Lost => 0,
            Disk::Restored => self.stored.len() / 2,
        };
        self.stored.truncate(kept);
    }

    /// Whether it is open and does not sleep.
    pub fn is_awake(&self) -> bool {
        self.is_up() && self.asleep_since.is_none()
    }

    /// Its monotonic clock at this time of the world.
    pub fn monotonic(&self, now: Duration) -> Duration {
        self.asleep_since.unwrap_or(now) - self.slept
    }

    pub(super) fn opened(&mut self, machine: M) {
        self.machine = Some(machine);
        self.openings += 1;
        self.wake_at = None;
    }

    /// Goes on with a machine, a disk and a monotonic clock that lags by so much.
    pub(super) fn restored(&mut self, machine: M, stored: Vec<M::Record>, slept: Duration) {
        self.opened(machine);
        (self.stored, self.slept) = (stored, slept);
    }

    pub(super) fn ended(&mut self, end: End, at: Duration) {
        match end {
            End::Done => self.done_at.get_or_insert(at),
            End::Stopped => self.stopped_at.get_or_insert(at),
        };
    }

    /// Crashes the node: only what was stored stays.
    pub(super) fn crash(&mut self, now: Duration) {
        self.machine = None;
        self.wake_at = None;
        if let Some(since) = self.asleep_since.take() {
            self.slept += now - since;
        }
    }
}
