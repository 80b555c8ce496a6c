//! The report about a spend, for people and as JSON.

use std::fmt;

use bitcoin::{Amount, Network, Script, hex::DisplayHex as _};
use roastery_protocol::request::{Derivation, MAX_MESSAGES, MessageToSign, Taproot};
use serde::Serialize;

use super::{Input, Output, Payee, Proof, Signing, Spend, State};
use crate::network::network_name;

/// The report about a spend before it is signed: `Display` is text for people, in lines;
/// `Serialize` is for programs, with amounts in satoshi.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    network: &'static str,
    txid: String,
    lock_time: u32,
    inputs: Vec<Spent>,
    outputs: Vec<Paid>,
    fee: Option<u64>,
    fee_rate: Option<u64>,
    virtual_size: u64,
    leaves_the_group: u64,
    /// What it proves, if it is a proof of funds and no payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<Proves>,
    to_sign: Vec<ToSign>,
    /// The reason why nothing is signed, if nothing is.
    cannot_sign: Option<String>,
    warnings: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Proves {
    /// The address as which the text is signed.
    address: String,
    text: String,
    /// The outputs that it shows the group can spend, and their amount.
    coins: usize,
    amount: u64,
}

#[derive(Clone, Debug, Serialize)]
struct Spent {
    outpoint: String,
    amount: Option<u64>,
    destination: Option<String>,
    proven: bool,
    signed_by: Option<String>,
    state: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Paid {
    amount: u64,
    destination: String,
    payee: String,
}

#[derive(Clone, Debug, Serialize)]
struct ToSign {
    message: String,
    key: String,
}

impl Report {
    /// The report about a spend, with addresses of this network.
    pub fn of(spend: &Spend, network: Network) -> Self {
        let messages = spend.messages();
        Self {
            network: network_name(network),
            txid: spend.transaction().compute_txid().to_string(),
            lock_time: spend.transaction().lock_time.to_consensus_u32(),
            inputs: spend.inputs().iter().map(|input| spent(input, network)).collect(),
            outputs: spend.outputs().iter().map(|output| paid(output, network)).collect(),
            fee: spend.fee().map(Amount::to_sat),
            fee_rate: spend.fee_rate(),
            virtual_size: spend.virtual_size(),
            leaves_the_group: spend.leaves_the_group().to_sat(),
            proof: spend.proof().map(|proof| proves(spend, proof, network)),
            cannot_sign: messages.as_ref().err().map(ToString::to_string),
            to_sign: messages.unwrap_or_default().iter().map(to_sign).collect(),
            warnings: spend.warnings().iter().map(ToString::to_string).collect(),
        }
    }
}

fn proves(spend: &Spend, proof: &Proof, network: Network) -> Proves {
    let (coins, amount) = spend.proves();
    let address = destination(&proof.script, network);
    Proves { address, text: proof.text.clone(), coins, amount: amount.to_sat() }
}

fn spent(input: &Input, network: Network) -> Spent {
    let previous = input.previous.as_ref();
    Spent {
        outpoint: input.outpoint.to_string(),
        amount: previous.map(|output| output.value.to_sat()),
        destination: previous.map(|output| destination(&output.script_pubkey, network)),
        proven: input.proven,
        signed_by: match &input.signing {
            Signing::KeyPath(derivation) => Some(format!("the group's key {}", path(derivation))),
            Signing::Leaves(leaves) => {
                let paths: Vec<String> = leaves.iter().map(|leaf| path(&leaf.derivation)).collect();
                Some(format!("a leaf, with the group's key {}", paths.join(" and ")))
            }
            Signing::NotOurs => None,
        },
        state: match (&input.signing, input.state) {
            (Signing::NotOurs, _) => "not this group's",
            (_, State::Unsigned) => "to sign",
            (_, State::Signed) => "signed already",
            (_, State::OtherSighash(_)) => "not signed: signature hash type",
        },
    }
}

fn paid(output: &Output, network: Network) -> Paid {
    Paid {
        amount: output.amount.to_sat(),
        destination: destination(&output.script, network),
        payee: match &output.payee {
            Payee::Wallet(derivation) => format!("this wallet, {}", path(derivation)),
            Payee::Key(derivation) => {
                format!("the group's key {}, not its wallet", path(derivation))
            }
            Payee::Other => "another".to_owned(),
        },
    }
}

fn to_sign(message: &MessageToSign) -> ToSign {
    let Derivation { taproot, .. } = &message.derivation;
    let tweak = match taproot {
        Taproot::Untweaked => "untweaked, for a leaf".to_owned(),
        Taproot::KeyPathOnly => "no scripts".to_owned(),
        Taproot::ScriptRoot(root) => format!("scripts {}", root.to_lower_hex_string()),
    };
    ToSign {
        message: message.message.to_lower_hex_string(),
        key: format!("{}, {tweak}", path(&message.derivation)),
    }
}

fn path(derivation: &Derivation) -> String {
    if derivation.path.is_empty() {
        return "itself".to_owned();
    }
    let steps: Vec<String> = derivation.path.iter().map(u32::to_string).collect();
    format!("at {}", steps.join("/"))
}

/// The address, or the script where it has none.
fn destination(script: &Script, network: Network) -> String {
    bitcoin::Address::from_script(script, network).map_or_else(
        |_| format!("script {}", script.to_hex_string()),
        |address| address.to_string(),
    )
}

impl Report {
    fn write_inputs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, input) in self.inputs.iter().enumerate() {
            let amount = input.amount.map_or_else(|| "an unknown amount".to_owned(), btc);
            writeln!(f, "Input {number:<7} {amount} of {}", input.outpoint)?;
            if let Some(destination) = &input.destination {
                writeln!(f, "              at {destination}")?;
            }
            match &input.signed_by {
                Some(by) => writeln!(f, "              {}, by {by}", input.state)?,
                None => writeln!(f, "              {}", input.state)?,
            }
        }
        Ok(())
    }

    fn write_payment(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { txid, network, lock_time, virtual_size, .. } = self;
        writeln!(f, "Transaction   {txid} (without signatures) on {network}")?;
        if *lock_time != 0 {
            writeln!(f, "Lock time     {lock_time}")?;
        }
        self.write_inputs(f)?;
        for (number, output) in self.outputs.iter().enumerate() {
            writeln!(f, "Output {number:<6} {} to {}", btc(output.amount), output.destination)?;
            writeln!(f, "              {}", output.payee)?;
        }
        match (self.fee, self.fee_rate) {
            (Some(fee), Some(rate)) => {
                writeln!(f, "Fee           {}, {rate} sat/vB at {virtual_size} vB", btc(fee))?;
            }
            _ => writeln!(f, "Fee           unknown")?,
        }
        let leaves = btc(self.leaves_the_group);
        writeln!(f, "Leaves        {leaves} leave the group, fee included")
    }

    fn write_proof(&self, proof: &Proves, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, lock_time, .. } = self;
        let Proves { address, text, coins, amount } = proof;
        writeln!(f, "Proof         of funds on {network} (BIP-322): it pays nothing, ever")?;
        writeln!(f, "Signed as     {address}")?;
        // One line, whatever the text is.
        writeln!(f, "Text          {text:?}")?;
        if *lock_time != 0 {
            writeln!(f, "Lock time     {lock_time}")?;
        }
        self.write_inputs(f)?;
        let amount = btc(*amount);
        writeln!(
            f,
            "Proves        that this group can spend {amount} in {coins} outputs, if a chain has them unspent"
        )
    }
}

fn btc(satoshi: u64) -> String {
    Amount::from_sat(satoshi).to_string()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.proof {
            Some(proof) => self.write_proof(proof, f)?,
            None => self.write_payment(f)?,
        }
        match (&self.cannot_sign, self.to_sign.len()) {
            (Some(reason), _) => writeln!(f, "To sign       nothing: {reason}")?,
            (None, 1) => writeln!(f, "To sign       1 signature")?,
            (None, count @ ..=MAX_MESSAGES) => {
                writeln!(f, "To sign       {count} signatures in one session")?;
            }
            (None, count) => {
                let sessions = count.div_ceil(MAX_MESSAGES);
                writeln!(f, "To sign       {count} signatures in {sessions} sessions")?;
            }
        }
        for ToSign { message, key } in &self.to_sign {
            writeln!(f, "              {message} (key {key})")?;
        }
        for warning in &self.warnings {
            writeln!(f, "Warning       {warning}")?;
        }
        Ok(())
    }
}
