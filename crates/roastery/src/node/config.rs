use std::process::ExitCode;

use clap::Subcommand;
use roastery_bitcoin::network::network_name;

use super::At;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read the configuration and the environment as the node would, and say what is wrong; nothing is started
    Check,
}

pub(super) fn run(at: &At, command: Command) -> Result<ExitCode, String> {
    let Command::Check = command;
    let (folder, config) = at.config()?;
    let network = config.network().map_err(|error| error.to_string())?;
    say!("{}: nothing is wrong with it", folder.config().display());
    say!("Node          {}", roastery_service::text::visible(config.name.as_str()));
    say!("Network       {}", network_name(network));
    for address in &config.transport.listen {
        say!("Listens       {address}");
    }
    for address in &config.transport.announce {
        say!("Is called at  {address}");
    }
    config.transport.notes().iter().for_each(|note| complain!("note: {note}"));
    say!("Approval      {:?}, if a group has no policy of its own", config.policy.approval);
    for (group, own) in &config.group {
        let group = roastery_service::text::visible(group);
        match &own.policy {
            Some(policy) => say!("Group         {group}: {:?}", policy.approval),
            None => say!("Group         {group}: the policy of the node"),
        }
    }
    Ok(ExitCode::SUCCESS)
}
