use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use roastery_service::{
    files::{Folder, MAX_CARD},
    view::{AddCard, PeerAddresses},
};

use super::{At, wait_for};

/// Commands for the other members' nodes.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add the new addresses of a member's node, from its newer card
    Add(Add),
}

#[derive(Args)]
pub(crate) struct Add {
    /// The member's card
    card: PathBuf,
}

pub(super) fn run(at: &At, command: &Command) -> anyhow::Result<ExitCode> {
    let Command::Add(Add { card }) = command;
    let card = Folder::read_text(card, MAX_CARD)?;
    let client = at.client()?;
    let added: PeerAddresses = wait_for(async {
        client.post("/v1/peers", &AddCard { card }).await.map_err(anyhow::Error::from)
    })?;
    let PeerAddresses { name, addresses, skipped, newer, overridden, .. } = added;
    match (newer, addresses.is_empty()) {
        (false, _) => say!("{name}: nothing is taken up; this node knows this card or a newer one"),
        (true, true) => say!("{name}: calls this node, and cannot be called"),
        (true, false) => say!("{name}: is called at {}", addresses.join(" ")),
    }
    for skipped in skipped {
        complain!("note: {name}: {skipped}");
    }
    if overridden {
        complain!(
            "note: {name}: the addresses in transport.peers of the configuration count instead"
        );
    }
    Ok(ExitCode::SUCCESS)
}
