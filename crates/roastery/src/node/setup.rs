use std::{io::Write as _, net::IpAddr, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, anyhow};
use clap::Args;
use roastery_libp2p::{DialAddress, ListenAddress};
use roastery_protocol::group::Name;
use roastery_service::{config::Transport, init::NewNode};
use roastery_store::{Passphrase, PassphraseCost};
use zeroize::Zeroizing;

use super::{
    At,
    callable::{NOWHERE, look_up, of_host, own},
    passphrase, process,
    question::{check_screen, check_terminal, is_asked, needed},
    wait_for,
};
use crate::{
    output::{self, Paint},
    values,
};

/// The port that is proposed.
const PORT: u16 = 7400;

#[derive(Args)]
pub(crate) struct Options {
    /// Ask nothing: what is not given has its default
    #[arg(long)]
    yes: bool,
    /// Your name, as others know you: ASCII letters, digits, single spaces and . _ -, at most 64
    #[arg(long, value_name = "NAME")]
    name: Option<Name>,
    /// Where the others call this node: a DNS name or an IP address; or nowhere, for a node behind
    /// a router, which calls the others
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
    /// The port, for TCP and UDP; to be open in the firewall [default: 7400]
    #[arg(long, value_name = "PORT", value_parser = |text: &str| values::number::<u16>(text, 1, u16::MAX))]
    port: Option<u16>,
    /// Allow an address of this machine or of a private network, for all members in one
    #[arg(long)]
    lan: bool,
    /// Start the node as well: it runs until the machine stops
    #[arg(long)]
    start: bool,
    /// Do not start it; the default with --yes
    #[arg(long, conflicts_with = "start")]
    no_start: bool,
    /// A file with the passphrase for the store in its first line
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Make a passphrase of six words, and print it: it is needed whenever the node is started
    #[arg(long, conflicts_with = "passphrase_file")]
    make_passphrase: bool,
}

pub(super) fn run(at: &At, options: Options) -> anyhow::Result<ExitCode> {
    let folder = at.folder()?;
    if folder.config().exists() {
        return Err(anyhow!(
            "{}: there is a node in this folder already: roastery invite begins a group, roastery join takes a line",
            folder.path().display()
        ));
    }
    if !options.yes {
        check_terminal("give --yes, --name, --address and --passphrase-file")?;
        complain!(
            "Roastery makes a node on this machine. Nothing is sent, and nothing is written\nbefore the last answer."
        );
    }
    let name = name(&options)?;
    let port = options.port.unwrap_or(PORT);
    let announce = addresses(&options, port)?;
    let listen = ["/ip4/0.0.0.0", "/ip6/::"]
        .iter()
        .flat_map(|ip| [format!("{ip}/tcp/{port}"), format!("{ip}/udp/{port}/quic-v1")]);
    let listen = listen.map(|text| Ok(text.parse::<ListenAddress>()?));
    let listen = listen.collect::<anyhow::Result<Vec<_>>>()?;
    let transport = Transport { listen, announce, ..Transport::default() };
    let notes = transport.notes();
    let Transport { listen, announce, .. } = transport;
    let starts = match (options.start, options.no_start || options.yes) {
        (true, _) => true,
        (false, true) => false,
        (false, false) => asks_to_start()?,
    };
    let text = match options.make_passphrase {
        true if !options.yes && is_asked() => {
            check_screen("give --yes, and it is printed")?;
            passphrase::shown(passphrase::made()?)?
        }
        true => printed(passphrase::made()?)?,
        false => passphrase::of_new_node(options.passphrase_file.as_deref())?,
    };
    let new = NewNode {
        name: name.clone(),
        seats: 1,
        listen,
        announce,
        passphrase: Passphrase::new(text.to_string()),
        cost: PassphraseCost::default(),
        more_config: String::new(),
    };
    roastery_service::init::init(&folder, new)?;
    notes.iter().for_each(|note| complain!("note: {note}"));
    let at = at.argument();
    say!("{} is made, in {}.", name, folder.path().display());
    if starts {
        let mut node =
            process::start(&std::path::absolute(folder.path())?, process::Given::Text(&text))?;
        wait_for(process::await_start(folder.path(), &mut node))?;
        say!("It runs until this machine stops, or until you log out where the system ends");
        say!("what you have started then (a unit: docs/operators.md). Its log is there.");
        say!("  roastery node{at}      starts it again then");
    } else {
        say!("  roastery node{at}      runs it; let it run");
    }
    say!("  roastery invite{at}    begins a group");
    say!("  roastery join{at}      takes a line");
    Ok(ExitCode::SUCCESS)
}

/// Prints a passphrase before there is a node that needs it: one that cannot be printed makes none.
fn printed(text: Zeroizing<String>) -> anyhow::Result<Zeroizing<String>> {
    let line = format!("Its passphrase: {}", text.as_str());
    output::write(Paint::Plain, &line)
        .and_then(|()| std::io::stdout().flush())
        .context("the passphrase could not be printed: nothing was made")?;
    Ok(text)
}

/// Whether the node is to run when this command ends.
fn asks_to_start() -> anyhow::Result<bool> {
    let answer = needed("Start it now? It runs until this machine stops [Y/n]: ")?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "" | "y" | "yes"))
}

fn name(options: &Options) -> anyhow::Result<Name> {
    if let Some(name) = &options.name {
        return Ok(name.clone());
    }
    let login = std::env::var("USER").ok().and_then(|name| name.parse::<Name>().ok());
    if options.yes {
        return login.context("--name NAME is needed: the login name is not known");
    }
    let proposed = login.as_ref().map_or(String::new(), |name| format!(" [{name}]"));
    loop {
        let answer = needed(&format!("Your name{proposed}: "))?;
        match (answer.as_str(), &login) {
            ("", Some(name)) => return Ok(name.clone()),
            (text, _) => match text.parse() {
                Ok(name) => return Ok(name),
                Err(error) => complain!("{error}"),
            },
        }
    }
}

/// The addresses on the card, of what was given or answered.
fn addresses(options: &Options, port: u16) -> anyhow::Result<Vec<DialAddress>> {
    if let Some(host) = &options.address {
        return of_host(host, port, options.lan);
    }
    if options.yes {
        return Err(anyhow!("--address HOST is needed, or --address {NOWHERE} behind a router"));
    }
    let own = own(options.lan);
    let nowhere = own.len() + 2;
    complain!("Where others call it:");
    complain!("  1  a DNS name");
    for (number, own) in (2..).zip(&own) {
        complain!("  {number}  {}", own.shown());
    }
    complain!("  {nowhere}  nowhere: it is behind a router, and calls the others");
    loop {
        let answer = needed("Others call it at, by its number or as DNS name or IP address [2]: ")?;
        let host = match answer.parse::<usize>() {
            Ok(1) => needed("DNS name: ")?,
            Ok(number) if number == nowhere => NOWHERE.to_owned(),
            Ok(number) => match number.checked_sub(2).and_then(|at| own.get(at)) {
                Some(own) => own.ip.to_string(),
                None => {
                    complain!("a number from 1 to {nowhere}, a DNS name or an IP address");
                    continue;
                }
            },
            // The second of the list: an address of this machine, or nowhere where it has none.
            Err(_) if answer.is_empty() => {
                own.first().map_or_else(|| NOWHERE.to_owned(), |own| own.ip.to_string())
            }
            Err(_) => answer,
        };
        match checked(&host, port, options.lan) {
            Ok(addresses) => return Ok(addresses),
            Err(error) => complain!("{error:#}"),
        }
    }
}

/// The addresses of a host; a DNS name is looked up before it is taken.
fn checked(host: &str, port: u16, lan: bool) -> anyhow::Result<Vec<DialAddress>> {
    let addresses = of_host(host, port, lan)?;
    if host != NOWHERE && host.parse::<IpAddr>().is_err() {
        complain!("  {}", look_up(host, port, lan)?);
    }
    Ok(addresses)
}
