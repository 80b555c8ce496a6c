use std::process::ExitCode;

use clap::Args;
use roastery_sim::signing::{Scenario, Totals};

use super::series::{Series, Words};

#[derive(Args)]
pub(super) struct Campaign {
    #[command(flatten)]
    series: Series,
}

impl Campaign {
    pub(super) fn execute(self) -> ExitCode {
        let words = Words { games: "scenarios", replay: "replay", options: "" };
        self.series.play::<Scenario>(&words, |totals: &Totals| totals.runs)
    }
}
