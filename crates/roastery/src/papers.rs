//! Shell completions and manual pages.

use std::{path::PathBuf, process::ExitCode};

use anyhow::anyhow;
use clap::Args;
use clap_complete::Shell;
use roastery_service::text::io_reason;

#[derive(Args)]
pub(crate) struct Completions {
    /// The shell: bash, elvish, fish, powershell or zsh
    shell: Shell,
}

#[derive(Args)]
pub(crate) struct Man {
    /// The folder, which is made if it is not there; pages that are there are written anew
    folder: PathBuf,
}

/// Prints the completions of a shell.
pub(crate) fn complete(options: &Completions) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut crate::command(), "roastery", &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
    Ok(ExitCode::SUCCESS)
}

/// Writes a page for each command.
pub(crate) fn manual(options: &Man) -> anyhow::Result<ExitCode> {
    let folder = &options.folder;
    let failed = |error: std::io::Error| anyhow!("{}: {}", folder.display(), io_reason(&error));
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(crate::command(), folder).map_err(failed)?;
    say!("{}: man -l {}/roastery.1 shows the first page", folder.display(), folder.display());
    Ok(ExitCode::SUCCESS)
}
