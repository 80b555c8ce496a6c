//! Amounts, fee rates and addresses as people write them. All is exact: there is no floating-point
//! number on the way.

use std::str::FromStr as _;

use bitcoin::{Address, Amount, Denomination, FeeRate, Network, ScriptBuf, address};
use roastery_bitcoin::network::network_name;
use thiserror::Error;

/// The highest fee rate that a transaction is made with, in satoshi per virtual byte.
pub const MOST_FEE_RATE: u64 = 1000;

/// Why a text is no amount, fee rate or address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AmountError {
    /// It is no amount.
    #[error(
        "{0:?} is no amount: allowed is a number of BTC with at most eight digits after the point, like 0.12"
    )]
    Amount(String),
    /// It is more than all bitcoin, or nothing.
    #[error("{0:?} is not between 0.00000001 and 21000000 BTC")]
    Range(String),
    /// It is no fee rate.
    #[error(
        "{0:?} is no fee rate: allowed are 1 to {MOST_FEE_RATE} sat/vB, with at most two digits after the point"
    )]
    FeeRate(String),
    /// It is no address.
    #[error("{text:?} is no address: {reason}")]
    Address {
        /// What was given.
        text: String,
        /// Why it is none.
        reason: String,
    },
    /// It is an address of another network.
    #[error("{text} is no address of {}, the network of this node", network_name(*.network))]
    Network {
        /// The address.
        text: String,
        /// The network of the node.
        network: Network,
    },
}

/// An amount in BTC with eight digits.
pub fn btc(amount: Amount) -> String {
    let sat = amount.to_sat();
    format!("{}.{:08}", sat / 100_000_000, sat % 100_000_000)
}

/// An amount of BTC, written in decimal digits.
///
/// # Errors
///
/// [`AmountError`] if it is no such number, more than all bitcoin, or nothing.
pub fn parse_btc(text: &str) -> Result<Amount, AmountError> {
    let wrong = || AmountError::Amount(shortened(text));
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !plain || text.len() > 20 || text.starts_with('.') || text.ends_with('.') {
        return Err(wrong());
    }
    let amount = Amount::from_str_in(text, Denomination::Bitcoin).map_err(|_| wrong())?;
    if amount == Amount::ZERO || amount > Amount::MAX_MONEY {
        return Err(AmountError::Range(shortened(text)));
    }
    Ok(amount)
}

/// A fee rate in sat/vB, written in decimal digits; rounded up to what a transaction's weight can
/// express.
///
/// # Errors
///
/// [`AmountError::FeeRate`].
pub fn fee_rate(text: &str) -> Result<FeeRate, AmountError> {
    let wrong = || AmountError::FeeRate(shortened(text));
    let (whole, digits) = text.split_once('.').unwrap_or((text, "0"));
    let numeric = |part: &str, most: usize| {
        (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !numeric(whole, 4) || !numeric(digits, 2) {
        return Err(wrong());
    }
    let hundredths: u64 = format!("{whole}{digits:0<2}").parse().map_err(|_| wrong())?;
    if !(100..=MOST_FEE_RATE * 100).contains(&hundredths) {
        return Err(wrong());
    }
    // 1 sat/vB is 250 sat for 1000 weight units.
    Ok(FeeRate::from_sat_per_kwu((hundredths * 5).div_ceil(2)))
}

/// The script of an address of this network.
///
/// # Errors
///
/// [`AmountError`] if it is none, or one of another network.
pub fn payee(text: &str, network: Network) -> Result<ScriptBuf, AmountError> {
    let address: Address<address::NetworkUnchecked> = Address::from_str(text).map_err(|error| {
        AmountError::Address { text: shortened(text), reason: error.to_string() }
    })?;
    let address = address
        .require_network(network)
        .map_err(|_| AmountError::Network { text: shortened(text), network })?;
    Ok(address.script_pubkey())
}

/// The first characters of a text that may be long.
fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}
