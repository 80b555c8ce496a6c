use std::fmt;

use bitcoin::{Amount, Txid};

/// A fee above this is high, whatever the transaction: 0.01 BTC.
pub const HIGH_FEE: Amount = Amount::from_sat(1_000_000);

/// A fee rate above this is high, in satoshi per virtual byte.
pub const HIGH_FEE_RATE: u64 = 250;

/// A larger part of what the group spends is much to lose, in percent.
pub const HIGH_FEE_PERCENT: u8 = 10;

/// What an operator should look at. Inputs and outputs are counted from 0. The `Display` is one
/// line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// An input is not this group's.
    UnknownInput {
        /// The input's index, from 0.
        input: usize,
    },
    /// A Taproot input was not found to be this group's: it may be all the same, where its
    /// derivation field is missing or wrong.
    UnrecognisedInput {
        /// The input's index, from 0.
        input: usize,
    },
    /// An input's derivation field names this group, and no key of it spends the input.
    InputClaim {
        /// The input's index, from 0.
        input: usize,
    },
    /// An input's output key is a key of the group without a Taproot tweak (`rawtr`). It is
    /// another's: scripts that the PSBT does not show may be able to spend it.
    RawKey {
        /// The input's index, from 0.
        input: usize,
    },
    /// A leaf of an input has the hash of a key of the group (`pk_h`), and not the key. The group
    /// does not sign for it.
    KeyHash {
        /// The input's index, from 0.
        input: usize,
    },
    /// The PSBT has no valid output that the input spends, so its amount is not known.
    MissingAmount {
        /// The input's index, from 0.
        input: usize,
    },
    /// The previous transaction is another one than the input spends from.
    OtherTransaction {
        /// The input's index, from 0.
        input: usize,
        /// The transaction in the PSBT.
        there: Txid,
        /// The transaction that the input spends from.
        spent: Txid,
    },
    /// The previous transaction has no such output.
    NoSuchOutput {
        /// The input's index, from 0.
        input: usize,
        /// The index of the output that it spends.
        index: u32,
        /// The number of outputs of the previous transaction.
        outputs: usize,
    },
    /// The amount is not the previous transaction's.
    AmountDiffers {
        /// The input's index, from 0.
        input: usize,
        /// The amount that the PSBT states for the output.
        stated: Amount,
        /// The amount in the previous transaction.
        proven: Amount,
    },
    /// The script is not the previous transaction's.
    ScriptDiffers {
        /// The input's index, from 0.
        input: usize,
    },
    /// An input of the group's has a signature already.
    AlreadySigned {
        /// The input's index, from 0.
        input: usize,
    },
    /// An input of the group's has a signature that is not valid for this transaction. It counts as
    /// none, and is replaced.
    StaleSignature {
        /// The input's index, from 0.
        input: usize,
    },
    /// An input of the group's asks for a signature hash type that this group does not sign for.
    Sighash {
        /// The input's index, from 0.
        input: usize,
        /// The signature hash type.
        kind: u32,
    },
    /// An output's derivation field names this group, and no key of it can spend the output.
    OutputClaim {
        /// The output's index, from 0.
        output: usize,
    },
    /// An output's key is a key of the group without a Taproot tweak (`rawtr`), which its wallet
    /// does not look for.
    RawKeyOutput {
        /// The output's index, from 0.
        output: usize,
    },
    /// An output is marked as change, and is not this group's.
    ForeignChange {
        /// The output's index, from 0.
        output: usize,
    },
    /// An output is the group's at a path that its wallet does not scan.
    ChangePath {
        /// The output's index, from 0.
        output: usize,
        /// The path, from the group's key.
        path: Vec<u32>,
    },
    /// An output has the group's key and scripts that are not the wallet's.
    ChangeScripts {
        /// The output's index, from 0.
        output: usize,
    },
    /// The group spends, and no output is its wallet's. It is so where everything is meant to be
    /// paid out, and where the change was taken off or given another address.
    NothingReturns {
        /// The number of outputs that pay others.
        outputs: usize,
        /// The amount that leaves the group, fees included.
        amount: Amount,
    },
    /// An output that can never be spent has an amount.
    Burnt {
        /// The output's index, from 0.
        output: usize,
        /// The output's amount.
        amount: Amount,
    },
    /// An output that anyone can spend has an amount.
    AnyoneCanSpend {
        /// The output's index, from 0.
        output: usize,
        /// The output's amount.
        amount: Amount,
    },
    /// An output's amount is below the dust limit, under which nodes do not relay it.
    Dust {
        /// The output's index, from 0.
        output: usize,
        /// The output's amount.
        amount: Amount,
    },
    /// The outputs are worth more than the inputs, or than all bitcoin.
    Overspent,
    /// The fee is high.
    HighFee {
        /// The fee.
        fee: Amount,
    },
    /// The fee rate is high.
    HighFeeRate {
        /// The fee rate, in satoshi per virtual byte.
        rate: u64,
    },
    /// The fee, with what is burnt, is a large part of what the group spends.
    HighFeeShare {
        /// What no payee receives of the group's money.
        lost: Amount,
        /// The sum of the group's inputs.
        spent: Amount,
    },
    /// This node's chain source was not read to its end yet, so nothing was compared with it; or
    /// not for long, so that there may be more by now.
    ChainNotRead,
    /// The chain source has this transaction.
    SentAlready {
        /// Whether it is in a block.
        confirmed: bool,
    },
    /// An input of the group's is a coin that the chain source does not have.
    CoinUnknown {
        /// The input's index, from 0.
        input: usize,
    },
    /// An input is a coin that another transaction spends.
    CoinSpent {
        /// The input's index, from 0.
        input: usize,
        /// The other transaction.
        by: Txid,
        /// Whether that is in a block.
        confirmed: bool,
    },
    /// An input has another amount or script than the chain source has.
    CoinDiffers {
        /// The input's index, from 0.
        input: usize,
        /// The amount in the PSBT.
        stated: Amount,
        /// The amount by the chain source.
        known: Amount,
    },
    /// The wallet has paid the same amount to the same script, by a transaction that this one does
    /// not replace.
    PaidBefore {
        /// The output's index, from 0.
        output: usize,
        /// The amount.
        amount: Amount,
        /// The transaction that has paid.
        by: Txid,
    },
}

/// How much attention a warning needs.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is shown.
    Look,
    /// Money may go elsewhere than it seems to: a person confirms the amount that leaves.
    Stop,
}

impl Warning {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Warning::UnknownInput { .. } => "unknown_input",
            Warning::UnrecognisedInput { .. } => "unrecognised_input",
            Warning::InputClaim { .. } => "input_claim",
            Warning::RawKey { .. } => "raw_key",
            Warning::KeyHash { .. } => "key_hash",
            Warning::MissingAmount { .. } => "missing_amount",
            Warning::OtherTransaction { .. } => "other_transaction",
            Warning::NoSuchOutput { .. } => "no_such_output",
            Warning::AmountDiffers { .. } => "amount_differs",
            Warning::ScriptDiffers { .. } => "script_differs",
            Warning::AlreadySigned { .. } => "already_signed",
            Warning::StaleSignature { .. } => "stale_signature",
            Warning::Sighash { .. } => "sighash",
            Warning::OutputClaim { .. } => "output_claim",
            Warning::RawKeyOutput { .. } => "raw_key_output",
            Warning::ForeignChange { .. } => "foreign_change",
            Warning::ChangePath { .. } => "change_path",
            Warning::ChangeScripts { .. } => "change_scripts",
            Warning::NothingReturns { .. } => "nothing_returns",
            Warning::Burnt { .. } => "burnt",
            Warning::AnyoneCanSpend { .. } => "anyone_can_spend",
            Warning::Dust { .. } => "dust",
            Warning::Overspent => "overspent",
            Warning::HighFee { .. } => "high_fee",
            Warning::HighFeeRate { .. } => "high_fee_rate",
            Warning::HighFeeShare { .. } => "high_fee_share",
            Warning::ChainNotRead => "chain_not_read",
            Warning::SentAlready { .. } => "sent_already",
            Warning::CoinUnknown { .. } => "coin_unknown",
            Warning::CoinSpent { .. } => "coin_spent",
            Warning::CoinDiffers { .. } => "coin_differs",
            Warning::PaidBefore { .. } => "paid_before",
        }
    }

    /// How much attention it needs: more where money may go elsewhere than it seems to.
    pub fn level(&self) -> Level {
        match self {
            Warning::UnrecognisedInput { .. }
            | Warning::InputClaim { .. }
            | Warning::OtherTransaction { .. }
            | Warning::AmountDiffers { .. }
            | Warning::ScriptDiffers { .. }
            | Warning::Burnt { .. }
            | Warning::AnyoneCanSpend { .. }
            | Warning::Overspent
            | Warning::HighFee { .. }
            | Warning::HighFeeRate { .. }
            | Warning::HighFeeShare { .. }
            | Warning::SentAlready { .. }
            | Warning::CoinUnknown { .. }
            | Warning::CoinSpent { confirmed: true, .. }
            | Warning::CoinDiffers { .. }
            | Warning::PaidBefore { .. } => Level::Stop,
            warning if warning.is_about_change() => Level::Stop,
            _ => Level::Look,
        }
    }

    /// Whether an output goes elsewhere than to the wallet while it seems to be its change. Where
    /// nothing returns one of several payees may stand where the change was; a single one is paid
    /// everything, as the amounts show.
    pub fn is_about_change(&self) -> bool {
        match self {
            Warning::OutputClaim { .. }
            | Warning::RawKeyOutput { .. }
            | Warning::ForeignChange { .. }
            | Warning::ChangePath { .. }
            | Warning::ChangeScripts { .. } => true,
            Warning::NothingReturns { outputs, .. } => *outputs > 1,
            _ => false,
        }
    }

    /// Whether it is about what a chain source knows otherwise.
    pub fn is_about_chain(&self) -> bool {
        matches!(
            self,
            Warning::ChainNotRead
                | Warning::SentAlready { .. }
                | Warning::CoinUnknown { .. }
                | Warning::CoinSpent { .. }
                | Warning::CoinDiffers { .. }
                | Warning::PaidBefore { .. }
        )
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::UnknownInput { input } => write!(f, "input {input} is not this group's"),
            Warning::UnrecognisedInput { input } => write!(
                f,
                "input {input} is not recognised as this group's: if it is, more leaves than is shown"
            ),
            Warning::InputClaim { input } => {
                write!(f, "input {input} is said to be this group's, and is not")
            }
            Warning::RawKey { input } => write!(
                f,
                "input {input} is a key of this group without a Taproot tweak (rawtr), whose scripts cannot be known: not signed"
            ),
            Warning::KeyHash { input } => write!(
                f,
                "input {input} has a leaf with the hash of a key of this group (pk_h) in place of the key: not signed for it"
            ),
            Warning::MissingAmount { input } => {
                write!(
                    f,
                    "input {input}: what it spends is not in the PSBT, so nothing can be signed"
                )
            }
            Warning::OtherTransaction { input, there, spent } => {
                write!(
                    f,
                    "input {input} spends from {spent}; the PSBT has transaction {there} for it"
                )
            }
            Warning::NoSuchOutput { input, index, outputs } => {
                write!(
                    f,
                    "input {input} spends output {index} of a transaction that has {outputs} outputs"
                )
            }
            Warning::AmountDiffers { input, stated, proven } => {
                write!(
                    f,
                    "input {input} is stated as {stated}; its previous transaction has {proven}"
                )
            }
            Warning::ScriptDiffers { input } => {
                write!(
                    f,
                    "input {input}: the stated script is not that of its previous transaction"
                )
            }
            Warning::AlreadySigned { input } => write!(f, "input {input} is signed already"),
            Warning::StaleSignature { input } => write!(
                f,
                "input {input} has a signature that is not valid for this transaction; it counts as none"
            ),
            Warning::Sighash { input, kind } => write!(
                f,
                "input {input} asks for signature hash type {kind:#04x}; this group signs all inputs and outputs or not at all"
            ),
            Warning::OutputClaim { output } => {
                write!(f, "output {output} is said to be this group's, and is not")
            }
            Warning::RawKeyOutput { output } => write!(
                f,
                "output {output} is a key of this group without a Taproot tweak (rawtr), which its wallet never looks for"
            ),
            Warning::ForeignChange { output } => {
                write!(f, "output {output} is marked as change, and is not this group's")
            }
            Warning::ChangePath { output, path } => {
                let path: Vec<String> = path.iter().map(u32::to_string).collect();
                let path = path.join("/");
                write!(
                    f,
                    "output {output} is the group's at path {path:?}, where its wallet never looks"
                )
            }
            Warning::ChangeScripts { output } => {
                write!(
                    f,
                    "output {output} has the group's key, and scripts that are not its wallet's"
                )
            }
            Warning::NothingReturns { outputs, amount } => write!(
                f,
                "no output returns to this group: {amount} leave it, to {outputs} outputs of others"
            ),
            Warning::Burnt { output, amount } => {
                write!(f, "output {output} burns {amount}: it cannot be spent")
            }
            Warning::AnyoneCanSpend { output, amount } => {
                write!(f, "output {output} of {amount} can be spent by anyone")
            }
            Warning::Dust { output, amount } => {
                write!(f, "output {output} of {amount} is too small to be relayed")
            }
            Warning::Overspent => f.write_str("more goes out than comes in"),
            Warning::HighFee { fee } => write!(f, "the fee of {fee} is above {HIGH_FEE}"),
            Warning::HighFeeRate { rate } => {
                write!(f, "the fee rate of {rate} sat/vB is above {HIGH_FEE_RATE} sat/vB")
            }
            Warning::HighFeeShare { lost, spent } => write!(
                f,
                "{lost} of {spent} that the group spends are fee or burnt: more than {HIGH_FEE_PERCENT} %"
            ),
            Warning::ChainNotRead => f.write_str(
                "the chain source was not read to its end yet, or not in the last hour: it may show more by now",
            ),
            Warning::SentAlready { confirmed } => {
                write!(f, "this transaction is already {}", place(*confirmed))
            }
            Warning::CoinUnknown { input } => write!(
                f,
                "input {input} is a coin that the chain source of this node does not have"
            ),
            Warning::CoinSpent { input, by, confirmed: true } => write!(
                f,
                "input {input} is spent: transaction {by} is in a block, and this one can never be"
            ),
            Warning::CoinSpent { input, by, confirmed: false } => write!(
                f,
                "input {input} is spent by transaction {by}, which is in no block yet: this one replaces it"
            ),
            Warning::CoinDiffers { input, stated, known } if stated == known => write!(
                f,
                "input {input} has another script than the chain source of this node has for it"
            ),
            Warning::CoinDiffers { input, stated, known } => write!(
                f,
                "input {input} is stated as {stated}; the chain source of this node has {known}"
            ),
            Warning::PaidBefore { output, amount, by } => write!(
                f,
                "output {output} pays {amount} as transaction {by} has done, to the same address: is it paid twice?"
            ),
        }
    }
}

fn place(confirmed: bool) -> &'static str {
    if confirmed { "in a block" } else { "sent, and in no block yet" }
}

/// Whether a part is more than this many percent of a whole.
pub(crate) fn is_more_than(part: Amount, percent: u8, whole: Amount) -> bool {
    u128::from(part.to_sat()) * 100 > u128::from(whole.to_sat()) * u128::from(percent)
}
