//! A node on the terminal, for as long as a person looks: members and their links, requests, what
//! waits, what happens. Where standard output is no terminal, lines.
//!
//! `follow` asks the node, `changes` makes lines of what has changed, and `plain` prints them. With
//! the feature `tui`, `lists` asks for more, `model` keeps all that is shown, `draw` makes the
//! picture of it, and `view` has both on the terminal. `changes`, `model`, `trips` and `draw` are
//! without input and output.

mod changes;
mod follow;
mod plain;

#[cfg(feature = "tui")]
mod draw;
#[cfg(feature = "tui")]
mod keys;
#[cfg(feature = "tui")]
mod lists;
#[cfg(feature = "tui")]
mod model;
#[cfg(feature = "tui")]
mod terminal;
#[cfg(feature = "tui")]
#[cfg(test)]
mod tests;
#[cfg(feature = "tui")]
mod trips;
#[cfg(feature = "tui")]
mod view;

use std::{process::ExitCode, time::Duration};

use clap::Args;

use super::At;

#[derive(Args)]
pub(crate) struct Options {
    /// Print lines, also on a terminal
    #[arg(long)]
    lines: bool,
}

/// The timeout of each step of a call.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn watch(at: &At, options: &Options) -> anyhow::Result<ExitCode> {
    let client = at.client()?.with_patience(PATIENCE);
    #[cfg(feature = "tui")]
    if !options.lines && terminal::can_draw() {
        return view::show(at, client);
    }
    // Without the feature there are lines only.
    #[cfg(not(feature = "tui"))]
    let _ = options.lines;
    plain::print(&client)
}
