use std::process::ExitCode;

use anyhow::anyhow;
use clap::Subcommand;
use roastery_bitcoin::network::network_name;

use roastery_service::{Role, api::ClientError, config::Config, users, view::Status};

use super::{At, wait_for};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read the configuration and the environment as the node would, and print what is wrong;
    /// nothing is started
    Check,
}

pub(super) fn run(at: &At, command: Command) -> anyhow::Result<ExitCode> {
    let Command::Check = command;
    let (folder, config) = at.config()?;
    let network = config.network()?;
    check_users(&config)?;
    check_groups(at, &config)?;
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
    for (user, role) in config.operators.iter().flatten() {
        let user = roastery_service::text::visible(user);
        say!("User          {user}: {}", Role::from(*role));
    }
    for (group, own) in &config.group {
        let group = roastery_service::text::visible(group);
        match &own.policy {
            Some(policy) => say!("Group         {group}: {:?}", policy.approval),
            None => say!("Group         {group}: the policy of the node"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A line about no user of this machine has no effect.
fn check_users(config: &Config) -> anyhow::Result<()> {
    // Which users the node's own process sees is known to that alone.
    let users = config.users(users::number_of, |_| true);
    match users.map(|users| users.problems).unwrap_or_default().as_slice() {
        [] => Ok(()),
        problems => Err(anyhow!("{}", problems.join("; "))),
    }
}

/// A section for a group that does not exist has no effect. Only a running node knows which groups
/// exist.
fn check_groups(at: &At, config: &Config) -> anyhow::Result<()> {
    if config.group.is_empty() {
        return Ok(());
    }
    let client = at.client()?;
    let status: Result<Status, ClientError> =
        wait_for(async { Ok(client.get("/v1/status").await) })?;
    let status = match status {
        Ok(status) => status,
        Err(ClientError::NoNode { .. }) => {
            complain!("note: the names of groups are not checked, for no node runs here");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let groups = status.groups.iter().flat_map(|group| [group.name.as_str(), group.id.as_str()]);
    let to_be = status.keygens.iter().map(|one| one.name.as_str());
    match config.unknown_groups(groups.chain(to_be)).as_slice() {
        [] => Ok(()),
        unknown => Err(anyhow!(
            "{} about no group of this node, and would have no effect; roastery status shows the groups",
            match unknown {
                [one] => format!("{one} is"),
                all => format!("{} are", all.join(" and ")),
            }
        )),
    }
}
