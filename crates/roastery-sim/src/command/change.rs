use std::process::ExitCode;

use clap::Args;
use roastery_sim::change::{Scenario, Totals};

use super::{series::Words, single::Single};

#[derive(Args)]
pub(super) struct Change {
    #[command(flatten)]
    single: Single,
}

impl Change {
    pub(super) fn execute(self) -> ExitCode {
        let words = Words { games: "chains of changes", replay: "change", options: " --trace" };
        self.single.execute::<Scenario>(&words, |totals: &Totals| totals.runs, |_| Vec::new())
    }
}
