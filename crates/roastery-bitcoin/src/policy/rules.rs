use std::collections::BTreeSet;

use bitcoin::{Address, Network, ScriptBuf, address::NetworkUnchecked};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most destinations on an allow list.
pub const MAX_DESTINATIONS: usize = 10_000;

/// A node's rules for transactions, as its operator writes them down. Amounts are in satoshi. A rule that is absent is not
/// applied; a name that is none of these is an error, so that a slip of the pen never takes a rule away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// The most that leaves the group with one transaction, fee included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_per_transaction: Option<u64>,
    /// The most that leaves the group within 24 hours, fees included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_per_day: Option<u64>,
    /// The addresses that may be paid. The wallet's own are allowed always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destinations: Option<Vec<String>>,
    /// The highest fee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_fee: Option<u64>,
    /// The highest fee rate, in satoshi per virtual byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_fee_rate: Option<u64>,
    /// Whether an output that looks like change must be an address of the wallet.
    pub change_must_be_ours: bool,
    /// Whether the whole previous transaction of each input must be there, so that no amount has to be believed.
    pub previous_transactions_required: bool,
}

/// Rules that were checked for one network: what a spend is judged by.
#[derive(Clone, Debug)]
pub struct SpendPolicy {
    pub(super) rules: Rules,
    pub(super) network: Network,
    pub(super) destinations: Option<BTreeSet<ScriptBuf>>,
}

/// Why rules cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleError {
    /// Too many destinations.
    #[error("{count} destinations; at most {MAX_DESTINATIONS} are allowed")]
    TooManyDestinations {
        /// How many.
        count: usize,
    },
    /// Not an address.
    #[error("destination {address:?} is no address: {reason}")]
    NoAddress {
        /// What was written.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An address of another network.
    #[error("destination {address} is not an address of the network {network}")]
    OtherNetwork {
        /// The address.
        address: String,
        /// The network.
        network: Network,
    },
}

impl Rules {
    /// Checks the rules for a network.
    ///
    /// # Errors
    ///
    /// [`RuleError`] names the destination that is no address of this network.
    pub fn check(self, network: Network) -> Result<SpendPolicy, RuleError> {
        let destinations = match &self.destinations {
            None => None,
            Some(all) if all.len() > MAX_DESTINATIONS => {
                return Err(RuleError::TooManyDestinations { count: all.len() });
            }
            Some(all) => {
                Some(all.iter().map(|text| script(text, network)).collect::<Result<_, _>>()?)
            }
        };
        Ok(SpendPolicy { rules: self, network, destinations })
    }
}

fn script(text: &str, network: Network) -> Result<ScriptBuf, RuleError> {
    let address: Address<NetworkUnchecked> =
        text.parse().map_err(|error| RuleError::NoAddress {
            address: text.chars().take(100).collect(),
            reason: format!("{error}"),
        })?;
    let address = address
        .require_network(network)
        .map_err(|_| RuleError::OtherNetwork { address: text.to_owned(), network })?;
    Ok(address.script_pubkey())
}
