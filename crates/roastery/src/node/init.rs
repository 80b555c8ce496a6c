use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use roastery_node::{bus::p2p::Multiaddr, store::PassphraseCost};
use roastery_service::{config::Transport, init::NewNode};

use super::{At, passphrase};

#[derive(Args)]
pub(crate) struct Options {
    /// What the node is called, for people
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Where it listens, as a multiaddress; may be given several times [default: all addresses, port 7400, TCP and QUIC]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<Multiaddr>,
    /// Where the others call it: this stands on its card; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    announce: Vec<Multiaddr>,
    /// A file with the passphrase for the store in its first line
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

pub(super) fn run(at: &At, options: Options) -> Result<ExitCode, String> {
    let folder = at.folder()?;
    let Options { name, listen, announce, passphrase_file } = options;
    let listen = if listen.is_empty() { Transport::default().listen } else { listen };
    let new = NewNode {
        name,
        listen,
        announce,
        passphrase: passphrase::new(passphrase_file.as_deref())?,
        cost: PassphraseCost::default(),
        more_config: String::new(),
    };
    let card = roastery_service::init::init(&folder, new).map_err(|error| error.to_string())?;
    eprintln!("The node's folder is {}.", folder.path().display());
    eprintln!(
        "Its host key is the file host-key there: back it up, and take it offline when the key is made."
    );
    eprintln!("Its card, for the others (also in {}):", folder.card().display());
    say!("{}", card.to_text().trim_end());
    Ok(ExitCode::SUCCESS)
}
