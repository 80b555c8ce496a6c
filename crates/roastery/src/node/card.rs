use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use roastery_libp2p::TransportKey;
use roastery_protocol::keys::IdentityKey;
use roastery_service::{
    api::{Client, ClientError},
    config::Config,
    files::{Access, Folder, NodeCard},
    own_card::{self, OwnCard, OwnKeys},
};
use roastery_store::Store;

use super::{At, passphrase, wait_for};

#[derive(Args)]
pub(crate) struct Options {
    /// Write the card into this new file as well
    #[arg(long, value_name = "FILE")]
    out: Option<std::path::PathBuf>,
}

pub(super) fn run(at: &At, options: &Options) -> anyhow::Result<ExitCode> {
    let (folder, config) = at.config()?;
    let card = match own_card::current(&folder, &config) {
        Some(card) => card,
        None => renew(&folder, &config, &at.client()?)?,
    };
    if let Some(out) = &options.out {
        Folder::write_new(out, card.to_text().as_bytes(), Access::Everyone)?;
    }
    say!("{}", card.to_text().trim_end());
    config.transport.notes().iter().for_each(|note| complain!("note: {note}"));
    Ok(ExitCode::SUCCESS)
}

/// Renews the card, which needs the keys in the store.
fn renew(folder: &Folder, config: &Config, client: &Client) -> anyhow::Result<NodeCard> {
    let runs = wait_for(async { Ok(client.bytes("/health").await) })?;
    if !matches!(runs, Err(ClientError::NoNode { .. })) {
        return Err(anyhow!(
            "the node runs with an older configuration than the one in its folder: start it again, and it \
             makes its card anew (roastery stop, roastery node, roastery card)"
        ));
    }
    let passphrase = passphrase::of_node(folder, config)?;
    let store = Store::open(folder.store(), &passphrase)?;
    let keys = store.keys()?.context("the store has no keys: it was not made by roastery init")?;
    let identities: Vec<_> =
        keys.identities.into_iter().map(|key| Arc::new(IdentityKey::new(key))).collect();
    let transport = TransportKey::from_secret(&mut keys.transport.expose_bytes());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let known = own_card::known_members(&store, &transport.peer())?;
    let own = OwnKeys { identities: &identities, transport: &transport, known };
    let card = own_card::renew(folder, config, &own, now)?;
    if let OwnCard::Rebuilt { reason, .. } = &card {
        complain!("The card could not be read: {reason}");
    }
    if !matches!(card, OwnCard::Unchanged(_)) {
        complain!("The card is made anew, also in {}.", folder.card().display());
        complain!("The other members take up its addresses with: roastery peers add CARD");
    }
    Ok(card.card().clone())
}
