//! What a transaction pays, for a person.

use bitcoin::{Amount, Network};
use roastery_bitcoin::spend::{Payee, Signing, Spend};

/// What a transaction pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentDetails {
    /// The transaction id.
    pub txid: String,
    /// The outputs, in their order.
    pub outputs: Vec<PaidOutput>,
    /// The number of inputs that the group signs for.
    pub coins: usize,
    /// The sum of these inputs.
    pub spent: Amount,
    /// The amount that leaves the group, fee included.
    pub leaves: Amount,
    /// The fee, if all amounts are known.
    pub fee: Option<Amount>,
    /// The fee rate in satoshi per virtual byte, if the fee is known.
    pub fee_rate: Option<u64>,
    /// The size of the signed transaction, in virtual bytes.
    pub virtual_size: u64,
}

/// An output of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidOutput {
    /// The amount.
    pub amount: Amount,
    /// The address, or the script where it has none.
    pub to: String,
    /// The path of its key, if it pays the wallet of the group.
    pub own_path: Option<String>,
}

impl PaymentDetails {
    /// What this transaction pays; `None` if it is a proof of funds, which pays nothing.
    pub(in crate::service) fn of(spend: &Spend, network: Network) -> Option<Self> {
        if spend.proof().is_some() {
            return None;
        }
        let outputs = spend.outputs().iter().map(|output| PaidOutput {
            amount: output.amount,
            to: output.address(network).map_or_else(
                || format!("script {}", output.script.to_hex_string()),
                |address| address.to_string(),
            ),
            own_path: match &output.payee {
                Payee::Wallet(derivation) => {
                    let steps = derivation.path.iter().map(ToString::to_string);
                    Some(steps.collect::<Vec<_>>().join("/"))
                }
                Payee::Key(_) | Payee::Other => None,
            },
        });
        let ours = spend.inputs().iter().filter(|input| input.signing != Signing::NotOurs);
        Some(Self {
            txid: spend.transaction().compute_txid().to_string(),
            outputs: outputs.collect(),
            coins: ours.count(),
            spent: spend.spent_by_the_group(),
            leaves: spend.leaves_the_group(),
            fee: spend.fee(),
            fee_rate: spend.fee_rate(),
            virtual_size: spend.virtual_size(),
        })
    }
}
