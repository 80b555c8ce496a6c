use bitcoin::{Address, Amount, Network, ScriptBuf};
use roastery_protocol::request::Derivation;

use super::{
    Warning,
    spender::{Spender, spender},
};
use crate::{
    psbt::Document,
    wallet::{Hints, Origins, Standing, Wallet, Work},
};

/// One output: how much it pays, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// The amount that it pays.
    pub amount: Amount,
    /// The script that can spend it.
    pub script: ScriptBuf,
    /// The owner of that script, as far as this wallet can tell.
    pub payee: Payee,
}

/// The recipient of an output.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payee {
    /// An address of this wallet.
    Wallet(Derivation),
    /// A key of the group, yet no address of its wallet: the path is not one that the wallet looks
    /// at, or others may spend by scripts that are not the wallet's. It counts as another's.
    Key(Derivation),
    /// Another party, as far as this wallet can tell.
    Other,
}

impl Output {
    /// Whether it pays an address of this wallet.
    pub fn is_ours(&self) -> bool {
        matches!(self.payee, Payee::Wallet(_))
    }

    /// Whether it can never be spent: its script fails whatever is given to it, or asks for a
    /// signature by a key that no one can have.
    pub fn is_burnt(&self) -> bool {
        spender(&self.script) == Spender::None
    }

    /// Whether anyone can spend it: its script asks for nothing, or its witness version or the
    /// length of its program has no meaning (BIP-141, BIP-341). Pay-to-anchor (P2A) is one of them.
    pub fn anyone_can_spend(&self) -> bool {
        spender(&self.script) == Spender::Anyone
    }

    /// Whether it pays another: an amount that one of them can spend, and not all or none.
    pub fn is_payment(&self) -> bool {
        !self.is_ours()
            && self.amount > Amount::ZERO
            && !self.is_burnt()
            && !self.anyone_can_spend()
    }

    /// The address on a network, if the script has one.
    pub fn address(&self, network: Network) -> Option<Address> {
        Address::from_script(&self.script, network).ok()
    }
}

/// Evaluates an output; the index is within bounds.
pub(super) fn evaluate(
    document: &Document,
    index: usize,
    wallet: &Wallet,
    work: &mut Work,
    warnings: &mut Vec<Warning>,
) -> Output {
    let psbt = document.decoded();
    let paid = &psbt.unsigned_tx.output[index];
    let fields = &psbt.outputs[index];
    let origins = Origins { taproot: &fields.tap_key_origins, others: &fields.bip32_derivation };
    let located = wallet.locate(origins, work);
    let roots: Vec<_> = document.tree(index).into_iter().collect();
    let hints = Hints { located: &located, roots: &roots };
    let payee = match wallet.standing(&paid.script_pubkey, hints) {
        Standing::Covered(derivation) => Payee::Wallet(derivation),
        Standing::OtherPath(derivation) => {
            warnings.push(Warning::ChangePath { output: index, path: derivation.path.clone() });
            Payee::Key(derivation)
        }
        Standing::OtherScripts(derivation) => {
            warnings.push(Warning::ChangeScripts { output: index });
            Payee::Key(derivation)
        }
        Standing::RawKey => {
            warnings.push(Warning::RawKeyOutput { output: index });
            Payee::Other
        }
        Standing::FalseClaim => {
            warnings.push(Warning::OutputClaim { output: index });
            Payee::Other
        }
        Standing::Foreign => {
            // Wallets put derivations on the outputs that they keep, and on no others.
            if !fields.tap_key_origins.is_empty() || !fields.bip32_derivation.is_empty() {
                warnings.push(Warning::ForeignChange { output: index });
            }
            Payee::Other
        }
    };
    let output = Output { amount: paid.value, script: paid.script_pubkey.clone(), payee };
    if output.is_burnt() {
        if output.amount > Amount::ZERO {
            warnings.push(Warning::Burnt { output: index, amount: output.amount });
        }
        return output;
    }
    if output.amount < output.script.minimal_non_dust() {
        warnings.push(Warning::Dust { output: index, amount: output.amount });
    }
    if output.anyone_can_spend() && output.amount > Amount::ZERO {
        warnings.push(Warning::AnyoneCanSpend { output: index, amount: output.amount });
    }
    output
}
