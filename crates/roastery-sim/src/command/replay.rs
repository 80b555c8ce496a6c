use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;
use roastery_sim::{
    campaign::{Game, shrink},
    signing::Scenario,
    trace::Detail,
    violation::Violation,
};

#[derive(Args)]
pub(super) struct Replay {
    /// The seed that the campaign named.
    #[arg(long)]
    seed: u64,
    /// If something is violated, makes the scenario smaller first.
    #[arg(long)]
    shrink: bool,
}

impl Replay {
    pub(super) fn execute(self) -> ExitCode {
        show::<Scenario>(self.seed, self.shrink, Detail::Lines, |_| Vec::new())
    }
}

/// Plays the simulation of one seed and prints it, with these further lines of its result. If
/// something is violated it can be made smaller first.
pub(super) fn show<G>(
    seed: u64,
    smaller: bool,
    detail: Detail,
    further: impl Fn(&G::Played) -> Vec<String>,
) -> ExitCode
where
    G: Game + fmt::Display,
    Violation<G::Invariant>: fmt::Display,
{
    let mut scenario = G::draw(seed);
    if smaller && let Some(violation) = G::violation(&scenario.play(Detail::Hash)).cloned() {
        (scenario, _) = shrink(scenario, violation);
    }
    let played = scenario.play(detail);
    let violation = G::violation(&played);
    // A reader that closes the pipe, as `head` does, misses the rest.
    let _ = print(&scenario, G::trace(&played), &further(&played), violation);
    match violation {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    }
}

fn print(
    scenario: &impl fmt::Display,
    (lines, hash): (&[String], &str),
    further: &[String],
    violation: Option<&impl fmt::Display>,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{scenario}")?;
    for line in lines {
        writeln!(out, "{line}")?;
    }
    for line in further {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "\ntrace {hash}")?;
    violation.map_or(Ok(()), |violation| writeln!(out, "{violation}"))
}
