//! The operator's configuration: one TOML file; environment variables override it.

mod addresses;
mod chosen;
mod default_file;
mod error;
mod groups;
mod hooks;
pub(crate) mod names;
mod operators;
mod policy;
mod remote;
mod wallet;
mod words;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use bitcoin::Network;
use roastery_bitcoin::network::network_named;
use roastery_libp2p::{DialAddress, ListenAddress};
use roastery_protocol::group::{Name, PeerId};
use serde::Deserialize;

pub use self::{
    chosen::ChosenOption,
    default_file::default_file,
    error::ConfigError,
    groups::GroupSettings,
    hooks::{HookConfig, HookDetail, HookEvent, HookTarget, MAX_HOOKS},
    operators::{KnownUsers, UserRole},
    policy::{
        ApprovalMode, ChangeAcceptance, ChangeApproval, ChangeRules, PolicyConfig, ProofApproval,
        SubjectKind,
    },
    remote::Remote,
    wallet::{ChainSource, WalletConfig},
};
use crate::{files::Folder, text::LogFormat};

/// The default file of the host key.
pub(crate) const HOST_KEY: &str = "host-key";

/// The longest configuration, in bytes.
const MAX_CONFIG: usize = 1024 * 1024;

/// A node's configuration. Every field has a default; an unknown name is an error.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The node's name, for people.
    #[serde(deserialize_with = "addresses::text")]
    pub name: Name,
    /// The file with the store's passphrase, instead of a prompt. Relative to the folder.
    pub passphrase_file: Option<PathBuf>,
    /// The file of the host key: needed for key generation and recovery, offline otherwise.
    /// Relative to the folder.
    pub host_key: PathBuf,
    /// Where the node listens, and the addresses of its peers.
    pub transport: Transport,
    /// The listeners and tokens of the API.
    pub api: Api,
    /// What users of this machine may do at the API's socket, by their names. `None`: all who can
    /// open it are operators.
    pub operators: Option<BTreeMap<String, UserRole>>,
    /// In which line of the file each of them stands. Setting it here has no effect.
    #[serde(skip)]
    pub operator_lines: BTreeMap<String, usize>,
    /// Decisions from elsewhere, with passkeys.
    pub remote: Remote,
    /// Logs, health and metrics.
    pub observability: Observability,
    /// How long the store keeps requests.
    pub store: StoreConfig,
    /// The Bitcoin network.
    pub bitcoin: Bitcoin,
    /// The chain source.
    pub wallet: WalletConfig,
    /// The policy of groups that have none of their own.
    pub policy: PolicyConfig,
    /// The settings of single groups, by name or id.
    pub group: BTreeMap<String, GroupConfig>,
    /// The options that file or environment set, for people. Setting them here has no effect.
    #[serde(skip)]
    pub chosen: Vec<ChosenOption>,
    /// Whom the node tells what happens.
    #[serde(deserialize_with = "hooks::all")]
    pub hooks: Vec<HookConfig>,
}

/// How a node connects to its peers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transport {
    /// The addresses at which it listens.
    #[serde(deserialize_with = "addresses::listen")]
    pub listen: Vec<ListenAddress>,
    /// The addresses on its card, at which the others dial it.
    #[serde(deserialize_with = "addresses::announce")]
    pub announce: Vec<DialAddress>,
    /// Addresses of peers that replace those that they have signed themselves: the peer's name in
    /// hexadecimal digits, and its addresses.
    #[serde(deserialize_with = "addresses::of_peers")]
    pub peers: BTreeMap<PeerId, Vec<DialAddress>>,
    /// Whether it relays between members that cannot dial each other, and reaches others through
    /// members that do. Off unless the members are trusted not to stop each other: see
    /// `docs/transport.md`.
    pub relay: bool,
}

/// The listeners of the API.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// The Unix socket. Without `operators` a process that can write to it is the operator.
    /// Relative to the folder.
    pub socket: PathBuf,
    /// The address for HTTP over TCP; `None` for no such listener.
    pub listen: Option<SocketAddr>,
    /// The file of the token that TCP clients must send. Relative to the folder.
    pub token_file: PathBuf,
    /// The file of the token of TCP clients that may only read. Relative to the folder.
    pub read_token_file: PathBuf,
}

/// Logs, health and metrics of a node.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Observability {
    /// The address for health and metrics, without a token; they are at the API's socket in any
    /// case.
    pub listen: Option<SocketAddr>,
    /// Host names that are accepted there, beside IP addresses and `localhost`.
    pub hosts: Vec<String>,
    /// The log filter, in the syntax of `tracing`.
    pub log: String,
    /// The format of the log.
    pub log_format: LogFormat,
}

/// How long a node's store keeps requests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// How many days a request is kept after its last change, once it has expired; 0 keeps it for
    /// ever.
    pub keep_ended_days: u32,
}

impl StoreConfig {
    /// How long a request that has ended is kept; `None` for ever.
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

/// The Bitcoin network of a node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bitcoin {
    /// The network whose addresses are shown and allowed: main, testnet3, testnet4, signet or
    /// regtest.
    pub network: String,
}

/// The settings of one group.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupConfig {
    /// The policy for this group, instead of the general one.
    pub policy: Option<PolicyConfig>,
    /// Further scripts that may spend from the group's wallet, as a descriptor's Taproot tree.
    pub scripts: Option<String>,
    /// How many addresses of each branch are searched for an output of which a PSBT does not say
    /// where it is: 1 to 100000, 1000 if absent.
    pub search_depth: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "node".parse().expect("letters are a name"),
            passphrase_file: None,
            host_key: HOST_KEY.into(),
            transport: Transport::default(),
            api: Api::default(),
            operators: None,
            operator_lines: BTreeMap::new(),
            remote: Remote::default(),
            observability: Observability::default(),
            store: StoreConfig::default(),
            bitcoin: Bitcoin::default(),
            wallet: WalletConfig::default(),
            policy: PolicyConfig::default(),
            group: BTreeMap::new(),
            chosen: Vec::new(),
            hooks: Vec::new(),
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
            relay: false,
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

/// The options that an environment variable can set: its name is `ROASTERY_` and the option's name
/// in capitals, with `_` for each dot.
pub const ENVIRONMENT: [&str; 24] = [
    "name",
    "passphrase_file",
    "host_key",
    "transport.listen",
    "transport.announce",
    "transport.relay",
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
    "wallet.source",
    "wallet.url",
    "wallet.cookie_file",
    "wallet.password_file",
    "wallet.start_height",
    "policy.approval",
    "policy.kinds",
    "policy.most_per_hour",
];

/// The environment variable that sets an option.
pub fn variable(option: &str) -> String {
    format!("ROASTERY_{}", option.to_uppercase().replace('.', "_"))
}

impl Config {
    /// Reads a folder's configuration; the environment overrides it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the file, the option or the variable.
    pub fn load(
        folder: &Folder,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let path = folder.config();
        let text = Folder::read_own_text(&path, MAX_CONFIG)?;
        let read = Self::parse(&text, &environment).map_err(|error| match error {
            ConfigError::Form { reason, .. } => ConfigError::Form { path, reason },
            other => other,
        });
        read?.with_paths_of(environment)
    }

    /// Reads a configuration from a text; the environment overrides it.
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
        // The file is checked alone first, so that its errors have line numbers.
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
        let by_variable = |option: &str| {
            let variable = ENVIRONMENT.contains(&option).then(|| variable(option));
            variable.filter(|variable| environment(variable).is_some())
        };
        let chosen = chosen::chosen(&table, by_variable);
        let config: Self = table.try_into().map_err(|error: toml::de::Error| {
            let reason = error.message().replace('\n', " ");
            ConfigError::Variable { variable: last, reason }
        })?;
        config.check()?;
        Ok(Self { chosen, operator_lines: operators::lines(text), ..config })
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
        if let Some(path) = &mut self.wallet.cookie_file {
            from_variable("wallet.cookie_file", path)?;
        }
        if let Some(path) = &mut self.wallet.password_file {
            from_variable("wallet.password_file", path)?;
        }
        Ok(self)
    }

    /// The Bitcoin network.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] if the name is unknown.
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
        self.wallet.check()
    }
}

/// A value in TOML syntax, or else a plain text.
fn read_value(value: String) -> toml::Value {
    let parsed: Option<toml::Table> = toml::from_str(&format!("value = {value}")).ok();
    let parsed =
        parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    parsed.unwrap_or(toml::Value::String(value))
}
