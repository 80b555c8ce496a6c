use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use roastery_libp2p::{DialAddress, ListenAddress};
use roastery_protocol::group::Name;
use roastery_service::{config::Transport, files::MAX_CARD_SEATS, init::NewNode};
use roastery_store::PassphraseCost;

use super::{At, passphrase};
use crate::values;

#[derive(Args)]
pub(crate) struct Options {
    /// The name of the node: ASCII letters, digits, single spaces and . _ -, at most 64
    #[arg(long, value_name = "NAME")]
    name: Name,
    /// How many seats it holds in each group: it counts as that many members
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = |text: &str| values::number::<usize>(text, 1, MAX_CARD_SEATS))]
    seats: usize,
    /// The address at which it listens, as a multiaddress; may be given several times [default: all
    /// addresses, port 7400, TCP and QUIC]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<ListenAddress>,
    /// The address on its card, at which the others connect to it, like /dns/anna.example/tcp/7400
    /// or /ip4/203.0.113.7/tcp/7400; may be given several times. Without it the others cannot
    /// connect to this node: it connects to them
    #[arg(long, value_name = "ADDRESS")]
    announce: Vec<DialAddress>,
    /// A file with the passphrase for the store in its first line
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

pub(super) fn run(at: &At, options: Options) -> anyhow::Result<ExitCode> {
    let folder = at.folder()?;
    let Options { name, seats, listen, announce, passphrase_file } = options;
    let listen = if listen.is_empty() { Transport::default().listen } else { listen };
    let announce = DialAddress::check_list(announce).context("--announce")?;
    let transport = Transport { listen, announce, ..Transport::default() };
    let notes = transport.notes();
    let Transport { listen, announce, .. } = transport;
    let new = NewNode {
        name,
        seats,
        listen,
        announce,
        passphrase: passphrase::new(passphrase_file.as_deref())?,
        cost: PassphraseCost::default(),
        more_config: String::new(),
    };
    let card = roastery_service::init::init(&folder, new)?;
    complain!("The node's folder is {}.", folder.path().display());
    let its = match seats {
        1 => "Its host key is",
        _ => "The host keys of its seats are",
    };
    complain!(
        "{its} in the file host-key there: back it up, and take it offline when the key is made."
    );
    complain!("Its card, for the others (also in {}):", folder.card().display());
    say!("{}", card.to_text().trim_end());
    notes.iter().for_each(|note| complain!("note: {note}"));
    Ok(ExitCode::SUCCESS)
}
