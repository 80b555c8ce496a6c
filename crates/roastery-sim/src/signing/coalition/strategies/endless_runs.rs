use std::time::Duration;

use roastery_protocol::member::{Run, frame::Content};

use super::Strategy;
use crate::{signing::coalition::Kit, world::Delayed};

/// A package of a new run every 60 ms, which draws a share of each signer if it may.
#[derive(Debug, Default)]
pub struct EndlessRuns {
    runs: u64,
}

impl Strategy for EndlessRuns {
    fn every(&self) -> Option<Duration> {
        Some(Duration::from_millis(60))
    }

    fn turn(&mut self, kit: &mut Kit<'_>) -> Vec<Delayed> {
        self.runs += 1;
        let session = kit.some_session();
        let run = Run::new(u64::MAX - 1_000_000 + self.runs, [9; 8]);
        let Some(package) = kit.package(session, run, 0) else { return Vec::new() };
        let bytes = kit.state(session, &Content::SigningPackage(package));
        kit.to_all(&bytes)
    }
}
