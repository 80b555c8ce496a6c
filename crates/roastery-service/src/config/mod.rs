//! What an operator sets: one TOML file, and the environment on top of it.

mod addresses;
mod default_file;
mod error;
mod groups;
mod policy;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use bitcoin::Network;
use roastery_bitcoin::network::network_named;
use roastery_node::bus::{
    PeerId,
    p2p::{DialAddress, ListenAddress},
};
use roastery_protocol::group::Name;
use serde::Deserialize;

pub use self::{
    default_file::default_file,
    error::ConfigError,
    groups::GroupSettings,
    policy::{Approval, PolicyConfig, SubjectKind},
};
use crate::files::Folder;

/// Where the host key is, if nothing else is said.
pub(crate) const HOST_KEY: &str = "host-key";

/// The longest configuration, in bytes.
const MAX_CONFIG: usize = 1024 * 1024;

/// A node's configuration. Every field has a default; a name that is none of these is an error.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What the node is called, for people.
    #[serde(deserialize_with = "addresses::text")]
    pub name: Name,
    /// The store's passphrase is in this file, instead of being asked for. Relative to the folder.
    pub passphrase_file: Option<PathBuf>,
    /// The host key: needed to make a key and for recovery, offline otherwise. Relative to the
    /// folder.
    pub host_key: PathBuf,
    /// How it reaches the others.
    pub transport: Transport,
    /// How it is spoken to.
    pub api: Api,
    /// What it tells of itself.
    pub observability: Observability,
    /// What its store keeps.
    pub store: StoreConfig,
    /// Which bitcoin it is about.
    pub bitcoin: Bitcoin,
    /// What it signs.
    pub policy: PolicyConfig,
    /// What is different for groups of these names.
    pub group: BTreeMap<String, GroupConfig>,
}

/// How a node reaches the others.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transport {
    /// Where it listens.
    #[serde(deserialize_with = "addresses::listen")]
    pub listen: Vec<ListenAddress>,
    /// The addresses on its card: where the others call it.
    #[serde(deserialize_with = "addresses::announce")]
    pub announce: Vec<DialAddress>,
    /// Other addresses of peers than those that they have said themselves: the peer's name in
    /// hexadecimal digits, and its addresses.
    #[serde(deserialize_with = "addresses::of_peers")]
    pub peers: BTreeMap<PeerId, Vec<DialAddress>>,
}

/// How a node is spoken to.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// The Unix socket. Whoever may write to it is the operator. Relative to the folder.
    pub socket: PathBuf,
    /// The address for HTTP over TCP; none if there is none.
    pub listen: Option<SocketAddr>,
    /// The token that requests over TCP must bring, in this file. Relative to the folder.
    pub token_file: PathBuf,
    /// The token of requests over TCP that may only read, in this file. Relative to the folder.
    pub read_token_file: PathBuf,
}

/// What a node tells of itself.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Observability {
    /// The address for health and metrics, without a token; they are at the API's socket in any
    /// case.
    pub listen: Option<SocketAddr>,
    /// The names under which it is called there, beside addresses and `localhost`.
    pub hosts: Vec<String>,
    /// What is logged: `tracing`'s filter.
    pub log: String,
    /// How.
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What a node's store keeps.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// How many days a request is kept after its last change, once it has expired; 0 keeps it for
    /// ever.
    pub keep_ended_days: u32,
}

impl StoreConfig {
    /// How long a request that has ended is kept; for ever if nothing is said.
    pub fn keep_ended(&self) -> Option<Duration> {
        let day = 24 * 60 * 60;
        (self.keep_ended_days > 0)
            .then(|| Duration::from_secs(u64::from(self.keep_ended_days) * day))
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { keep_ended_days: 90 }
    }
}

/// Which bitcoin a node is about.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bitcoin {
    /// The network whose addresses are shown and allowed: main, testnet3, testnet4, signet or
    /// regtest.
    pub network: String,
}

/// What is different for a group.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupConfig {
    /// What the node signs for this group, instead of what it signs otherwise.
    pub policy: Option<PolicyConfig>,
    /// The scripts that may spend from the group's wallet as well, in the language of descriptors.
    pub scripts: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "node".parse().expect("letters are a name"),
            passphrase_file: None,
            host_key: HOST_KEY.into(),
            transport: Transport::default(),
            api: Api::default(),
            observability: Observability::default(),
            store: StoreConfig::default(),
            bitcoin: Bitcoin::default(),
            policy: PolicyConfig::default(),
            group: BTreeMap::new(),
        }
    }
}

impl Default for Transport {
    fn default() -> Self {
        let address = |text: &str| text.parse().expect("a multiaddress");
        Self {
            listen: vec![
                address("/ip4/0.0.0.0/tcp/7400"),
                address("/ip4/0.0.0.0/udp/7400/quic-v1"),
            ],
            announce: Vec::new(),
            peers: BTreeMap::new(),
        }
    }
}

impl Default for Api {
    fn default() -> Self {
        Self {
            socket: "api.sock".into(),
            listen: None,
            token_file: "api-token".into(),
            read_token_file: "api-read-token".into(),
        }
    }
}

impl Default for Observability {
    fn default() -> Self {
        Self {
            listen: None,
            hosts: Vec::new(),
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

impl Default for Bitcoin {
    fn default() -> Self {
        Self { network: "main".to_owned() }
    }
}

/// The options that a variable of the environment can set: its name is `ROASTERY_` and the option's
/// in capitals, with `_` for each dot.
pub const ENVIRONMENT: [&str; 18] = [
    "name",
    "passphrase_file",
    "host_key",
    "transport.listen",
    "transport.announce",
    "api.socket",
    "api.listen",
    "api.token_file",
    "api.read_token_file",
    "observability.listen",
    "observability.hosts",
    "observability.log",
    "observability.log_format",
    "store.keep_ended_days",
    "bitcoin.network",
    "policy.approval",
    "policy.kinds",
    "policy.most_per_hour",
];

/// The variable that sets an option.
pub fn variable(option: &str) -> String {
    format!("ROASTERY_{}", option.to_uppercase().replace('.', "_"))
}

impl Config {
    /// Reads a folder's configuration, and the environment on top of it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the file, the option or the variable.
    pub fn load(
        folder: &Folder,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let path = folder.config();
        let text = Folder::read_text(&path, MAX_CONFIG)?;
        let read = Self::parse(&text, &environment).map_err(|error| match error {
            ConfigError::Form { reason, .. } => ConfigError::Form { path, reason },
            other => other,
        });
        read?.with_paths_of(environment)
    }

    /// Reads a configuration from a text, and the environment on top of it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the option or the variable.
    pub fn parse(
        text: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let form = |error: toml::de::Error| {
            let line = error
                .span()
                .map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let reason = format!("line {line}: {}", error.message().replace('\n', " "));
            ConfigError::Form { path: PathBuf::new(), reason }
        };
        // The file is judged for itself first, so that its mistakes have their lines.
        let _: Self = toml::from_str(text).map_err(form)?;
        let mut table: toml::Table = toml::from_str(text).map_err(form)?;
        let mut last = String::new();
        for option in ENVIRONMENT {
            let variable = variable(option);
            let Some(value) = environment(&variable) else { continue };
            let (section, key) = option.split_once('.').unwrap_or(("", option));
            let target = match section {
                "" => &mut table,
                section => table
                    .entry(section)
                    .or_insert_with(|| toml::Table::new().into())
                    .as_table_mut()
                    .expect("the file was read, and there this is a table"),
            };
            target.insert(key.to_owned(), read_value(value));
            last = variable;
            let _: Self = table.clone().try_into().map_err(|error: toml::de::Error| {
                let reason = error.message().replace('\n', " ");
                ConfigError::Variable { variable: last.clone(), reason }
            })?;
        }
        let config: Self = table.try_into().map_err(|error: toml::de::Error| {
            let reason = error.message().replace('\n', " ");
            ConfigError::Variable { variable: last, reason }
        })?;
        config.check()?;
        Ok(config)
    }

    /// Paths in variables are relative to the current folder, like those in arguments; paths in the
    /// file are relative to the file's folder.
    fn with_paths_of(
        mut self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let from_variable = |option: &str, path: &mut PathBuf| -> Result<(), ConfigError> {
            let variable = variable(option);
            if environment(&variable).is_none() {
                return Ok(());
            }
            *path = std::path::absolute(&*path).map_err(|error| ConfigError::Variable {
                variable,
                reason: format!("the path has no current folder: {error}"),
            })?;
            Ok(())
        };
        from_variable("host_key", &mut self.host_key)?;
        from_variable("api.socket", &mut self.api.socket)?;
        from_variable("api.token_file", &mut self.api.token_file)?;
        from_variable("api.read_token_file", &mut self.api.read_token_file)?;
        if let Some(path) = &mut self.passphrase_file {
            from_variable("passphrase_file", path)?;
        }
        Ok(self)
    }

    /// The network.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] if it is none.
    pub fn network(&self) -> Result<Network, ConfigError> {
        network_named(&self.bitcoin.network)
            .map_err(|reason| ConfigError::Value { option: "bitcoin.network", reason })
    }

    fn check(&self) -> Result<(), ConfigError> {
        let network = self.network()?;
        let own = self.group.values().filter_map(|group| group.policy.as_ref());
        for policy in own.chain([&self.policy]) {
            policy.check(network)?;
        }
        Ok(())
    }
}

/// A value as it is written in TOML, or else a text.
fn read_value(value: String) -> toml::Value {
    let parsed: Option<toml::Table> = toml::from_str(&format!("value = {value}")).ok();
    let parsed =
        parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    parsed.unwrap_or(toml::Value::String(value))
}
