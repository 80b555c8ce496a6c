//! What the drivers of a machine do alike in each turn.

use roastery_protocol::{
    clock::Moment,
    machine::{Link, Machine},
};
use tokio::sync::watch;

use crate::bus::BusEvent;

/// Gives a machine what has come from the bus.
pub(super) fn take<M: Machine>(machine: &mut M, event: BusEvent, now: Moment) {
    match event {
        // A peer's message is never an error of this node; the machine has recorded what matters.
        BusEvent::Message { from, bytes } => {
            let _ = machine.handle_message(&from, &bytes, now);
        }
        BusEvent::Connected(peer) => machine.handle_link(&peer, Link::Up, now),
        BusEvent::Disconnected(peer) => machine.handle_link(&peer, Link::Down, now),
    }
}

/// Tells a report. Those who wait for another one go on only if it says something else.
pub(super) fn tell<R>(reports: &watch::Sender<R>, report: R, is_same: impl FnOnce(&R, &R) -> bool) {
    reports.send_if_modified(|known| {
        let is_new = !is_same(known, &report);
        *known = report;
        is_new
    });
}
