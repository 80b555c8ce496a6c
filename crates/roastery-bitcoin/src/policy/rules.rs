use std::collections::BTreeSet;

use bitcoin::{Address, Network, ScriptBuf, address::NetworkUnchecked};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most destinations on an allow list.
pub const MAX_DESTINATIONS: usize = 10_000;

/// The highest fee rate where no rule says another, in satoshi per virtual byte. Blocks have seldom
/// asked for more.
pub const USUAL_FEE_RATE: u64 = 1_000;

/// The largest part of what the group spends that may be lost as fee where no rule says another, in
/// percent.
pub const USUAL_FEE_PERCENT: u8 = 20;

/// A node's rules for transactions, as its operator configures them. Amounts are in satoshi. A
/// rule that is absent is not applied, except those with a usual value; an unknown name is an
/// error, so that a typing error never removes a rule.
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
    /// The highest fee of one transaction, in satoshi.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_fee: Option<u64>,
    /// The highest fee rate, in satoshi per virtual byte; [`USUAL_FEE_RATE`] if it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_fee_rate: Option<u64>,
    /// The largest part of what the group spends that may be lost as fee or burnt, in percent;
    /// [`USUAL_FEE_PERCENT`] if it is absent, and 100 for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_fee_percent: Option<u8>,
    /// Whether an output that looks like change must be an address of the wallet. If it is absent
    /// that is so where the rules alone decide ([`Review::RulesAlone`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_must_be_ours: Option<bool>,
    /// Whether the whole previous transaction of each input must be there, so that every amount is
    /// proven.
    pub previous_transactions_required: bool,
    /// Whether a payment is refused if the same amount was paid to the same address before, as far
    /// as a chain source shows it or a request that is approved or signed pays it.
    pub pay_once: bool,
}

/// Who decides about a spend that the rules allow.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// A person is shown what it does, warnings included, and decides.
    Shown,
    /// A program is shown the same, and decides.
    ShownToCommand,
    /// It is signed: no person reads the warnings.
    RulesAlone,
}

/// Rules that were checked for one network. A spend is checked against them.
#[derive(Clone, Debug)]
pub struct SpendPolicy {
    pub(super) rules: Rules,
    pub(super) review: Review,
    pub(super) network: Network,
    pub(super) destinations: Option<BTreeSet<ScriptBuf>>,
}

/// Why rules are invalid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleError {
    /// More destinations than the rules may name.
    #[error("{count} destinations; at most {MAX_DESTINATIONS} are allowed")]
    TooManyDestinations {
        /// The number of destinations in the rules.
        count: usize,
    },
    /// A percentage over 100.
    #[error("most_fee_percent is {percent}; 0 to 100 are allowed")]
    Percent {
        /// The percentage in the rules.
        percent: u8,
    },
    /// A destination is not a Bitcoin address.
    #[error("destination {address:?} is no address: {source}")]
    NoAddress {
        /// The destination in the rules.
        address: String,
        /// The error of the address parser.
        source: bitcoin::address::ParseError,
    },
    /// A destination is an address of another network.
    #[error("destination {address} is not an address of the network {network}")]
    OtherNetwork {
        /// The address.
        address: String,
        /// The network of the wallet.
        network: Network,
    },
}

impl Rules {
    /// Checks the rules for a network, and for what becomes of what they allow.
    ///
    /// # Errors
    ///
    /// [`RuleError`] names the destination that is no address of this network, or the number that
    /// is out of range.
    pub fn check(self, network: Network, review: Review) -> Result<SpendPolicy, RuleError> {
        if let Some(percent) = self.most_fee_percent.filter(|percent| *percent > 100) {
            return Err(RuleError::Percent { percent });
        }
        let destinations = match &self.destinations {
            None => None,
            Some(all) if all.len() > MAX_DESTINATIONS => {
                return Err(RuleError::TooManyDestinations { count: all.len() });
            }
            Some(all) => {
                Some(all.iter().map(|text| script(text, network)).collect::<Result<_, _>>()?)
            }
        };
        Ok(SpendPolicy { rules: self, review, network, destinations })
    }
}

fn script(text: &str, network: Network) -> Result<ScriptBuf, RuleError> {
    let address: Address<NetworkUnchecked> = text.parse().map_err(|source| {
        RuleError::NoAddress { address: text.chars().take(100).collect(), source }
    })?;
    let address = address
        .require_network(network)
        .map_err(|_| RuleError::OtherNetwork { address: text.to_owned(), network })?;
    Ok(address.script_pubkey())
}
