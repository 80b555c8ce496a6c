//! The names of networks.

use bitcoin::Network;

const ALL: [Network; 5] =
    [Network::Bitcoin, Network::Testnet, Network::Testnet4, Network::Signet, Network::Regtest];

/// The name of a network: main, testnet3, testnet4, signet or regtest.
pub fn network_name(network: Network) -> &'static str {
    match network {
        Network::Bitcoin => "main",
        Network::Testnet => "testnet3",
        Network::Testnet4 => "testnet4",
        Network::Signet => "signet",
        _ => "regtest",
    }
}

/// The network of this name.
///
/// # Errors
///
/// One line that lists the names.
pub fn network_named(name: &str) -> Result<Network, String> {
    ALL.into_iter()
        .find(|network| network_name(*network) == name)
        .ok_or_else(|| "allowed are main, testnet3, testnet4, signet and regtest".to_owned())
}
