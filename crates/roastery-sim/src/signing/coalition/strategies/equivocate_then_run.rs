use std::time::Duration;

use roastery_protocol::member::{Run, frame::Content};

use super::Strategy;
use crate::{signing::coalition::Kit, world::Delayed};

/// Two packages of one number to all, and newer runs behind them.
#[derive(Debug, Default)]
pub struct EquivocateThenRun {
    turns: u64,
}

impl Strategy for EquivocateThenRun {
    fn every(&self) -> Option<Duration> {
        Some(Duration::from_millis(400))
    }

    fn turn(&mut self, kit: &mut Kit<'_>) -> Vec<Delayed> {
        self.turns += 1;
        let session = kit.some_session();
        // Greater than any run of the honest code, whose numbers begin with its incarnation.
        let run = Run::new(u64::MAX - 1_000_000 + self.turns / 3, [7; 8]);
        let number = 0;
        let Some(package) = kit.package(session, run, number) else { return Vec::new() };
        let bytes = kit.state(session, &Content::SigningPackage(package));
        kit.to_all(&bytes)
    }
}
