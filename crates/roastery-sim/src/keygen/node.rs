use std::{fmt, time::Duration};

use roastery_frost::SecretShare;
use roastery_protocol::{
    Seat, TranscriptHash,
    keygen::{Keygen, ReportPhase},
};

/// The node of a seat, over all its restarts.
pub struct Node {
    /// The seat.
    pub seat: Seat,
    /// The number of its openings.
    pub openings: usize,
    /// The transcript that it has stored as signed.
    pub stored: Option<TranscriptHash>,
    /// When it first held the certificate.
    pub done_at: Option<Duration>,
    /// The share that it has taken out.
    pub share: Option<SecretShare>,
    /// The number of steps that it has done.
    pub(super) steps: usize,
    pub(super) wake_at: Option<Duration>,
    machine: Option<Keygen>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("seat", &self.seat)
            .field("up", &self.machine.is_some())
            .field("done_at", &self.done_at)
            .finish_non_exhaustive()
    }
}

impl Node {
    pub(super) fn new(seat: Seat) -> Self {
        Self {
            seat,
            openings: 0,
            stored: None,
            done_at: None,
            share: None,
            steps: 0,
            wake_at: None,
            machine: None,
        }
    }

    /// Its key generation, unless it is down.
    pub fn machine(&self) -> Option<&Keygen> {
        self.machine.as_ref()
    }

    pub(super) fn machine_mut(&mut self) -> Option<&mut Keygen> {
        self.machine.as_mut()
    }

    pub(super) fn opened(&mut self, machine: Keygen) {
        self.machine = Some(machine);
        self.openings += 1;
        self.wake_at = None;
    }

    /// Crashes the node: only the seed and what was stored stay.
    pub(super) fn crash(&mut self) {
        self.machine = None;
        self.share = None;
        self.wake_at = None;
    }

    /// The state of its key generation, unless it is down.
    pub fn phase(&self) -> Option<ReportPhase> {
        self.machine.as_ref().map(|machine| machine.report().phase)
    }

    /// Whether it holds the certificate now.
    pub fn is_done(&self) -> bool {
        self.machine.as_ref().is_some_and(|machine| machine.recovery_file().is_some())
    }
}
