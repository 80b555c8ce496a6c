//! The chain source.

use std::path::PathBuf;

use bitcoin::Network;
use roastery_wallet::{Login, SourceKind, SourceSettings};
use serde::Deserialize;

use super::ConfigError;
use crate::files::Folder;

/// The first block of the main network in which Taproot outputs can be spent.
const TAPROOT_ON_MAIN: u32 = 709_632;

/// The kinds of chain sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChainSource {
    /// None: the node knows of no coins, and all else works.
    #[default]
    None,
    /// Bitcoin Core, by its RPC.
    Bitcoind,
    /// An Electrum server.
    Electrum,
    /// An Esplora server.
    Esplora,
}

/// The chain source of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WalletConfig {
    /// Its kind.
    pub source: ChainSource,
    /// Where it is.
    pub url: Option<String>,
    /// Bitcoin Core's cookie file. Relative to the folder.
    pub cookie_file: Option<PathBuf>,
    /// A file with user and password for Bitcoin Core. Relative to the folder.
    pub password_file: Option<PathBuf>,
    /// The height of the first block that is read of Bitcoin Core.
    pub start_height: Option<u32>,
}

fn wrong(option: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Value { option, reason: reason.into() }
}

impl WalletConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let kind = match self.source {
            ChainSource::None => return Ok(()),
            ChainSource::Bitcoind => SourceKind::Bitcoind,
            ChainSource::Electrum => SourceKind::Electrum,
            ChainSource::Esplora => SourceKind::Esplora,
        };
        let url = self.url.as_deref().ok_or_else(|| {
            wrong("wallet.url", format!("is needed where wallet.source is \"{kind}\""))
        })?;
        SourceSettings::check_url(kind, url)
            .map_err(|error| wrong("wallet.url", error.to_string()))?;
        let files = (self.cookie_file.is_some(), self.password_file.is_some());
        match (kind, files) {
            (SourceKind::Bitcoind, (true, false) | (false, true)) => Ok(()),
            (SourceKind::Bitcoind, _) => Err(wrong(
                "wallet.cookie_file",
                "for \"bitcoind\" either cookie_file or password_file is to be given",
            )),
            (_, (false, false)) => Ok(()),
            _ => Err(wrong("wallet.cookie_file", "is for wallet.source = \"bitcoind\" only")),
        }
    }

    /// What was configured, with paths of this folder; `None` without a source.
    pub(crate) fn settings(&self, folder: &Folder, network: Network) -> Option<SourceSettings> {
        let url = self.url.clone()?;
        match self.source {
            ChainSource::None => None,
            ChainSource::Bitcoind => {
                let file = self.cookie_file.as_ref().or(self.password_file.as_ref())?;
                let usual = if network == Network::Bitcoin { TAPROOT_ON_MAIN } else { 0 };
                let start_height = self.start_height.unwrap_or(usual);
                let login = Login::File(folder.resolve(file));
                Some(SourceSettings::Bitcoind { url, login, start_height })
            }
            ChainSource::Electrum => Some(SourceSettings::Electrum { url }),
            ChainSource::Esplora => Some(SourceSettings::Esplora { url }),
        }
    }
}
