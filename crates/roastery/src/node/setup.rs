use std::{net::IpAddr, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, anyhow};
use clap::Args;
use roastery_libp2p::{DialAddress, ListenAddress, Reach};
use roastery_protocol::group::Name;
use roastery_service::{config::Transport, init::NewNode, text::shell_word};
use roastery_store::PassphraseCost;

use super::{
    At, passphrase,
    question::{ask, check_terminal},
};
use crate::values;

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
    /// A file with the passphrase for the store in its first line
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// A node without an address.
const NOWHERE: &str = "nowhere";

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
    let passphrase = passphrase::new(options.passphrase_file.as_deref())?;
    let new = NewNode {
        name: name.clone(),
        seats: 1,
        listen,
        announce,
        passphrase,
        cost: PassphraseCost::default(),
        more_config: String::new(),
    };
    roastery_service::init::init(&folder, new)?;
    notes.iter().for_each(|note| complain!("note: {note}"));
    let at = at.argument();
    say!("{} is made, in {}.", name, folder.path().display());
    say!("  roastery node{at}      runs it; let it run");
    say!("  roastery invite{at}    begins a group");
    say!("  roastery join{at}      takes a line");
    Ok(ExitCode::SUCCESS)
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
        let answer = ask(&format!("Your name{proposed}: "))?;
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
    complain!(
        "Where others call it: a DNS name or an IP address. Enter: nowhere, it is behind\na router and calls the others."
    );
    loop {
        let answer = ask("Others call it at: ")?;
        let host = if answer.is_empty() { NOWHERE } else { &answer };
        match of_host(host, port, options.lan) {
            Ok(addresses) => return Ok(addresses),
            Err(error) => complain!("{error:#}"),
        }
    }
}

fn of_host(host: &str, port: u16, lan: bool) -> anyhow::Result<Vec<DialAddress>> {
    if host == NOWHERE {
        return Ok(Vec::new());
    }
    let place = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => format!("/ip4/{ip}"),
        Ok(IpAddr::V6(ip)) => format!("/ip6/{ip}"),
        Err(_) => format!("/dns/{host}"),
    };
    let texts = [format!("{place}/tcp/{port}"), format!("{place}/udp/{port}/quic-v1")];
    let addresses = DialAddress::list(&texts).with_context(|| {
        format!("{}: allowed are a DNS name and an IP address", shell_word(host))
    })?;
    let is_far = addresses.iter().all(|address| address.reach() == Reach::Anywhere);
    if !is_far && !lan {
        return Err(anyhow!(
            "{host} can be called from this machine or its private network only: give another one, {NOWHERE}, or --lan if all members are there"
        ));
    }
    Ok(addresses)
}
