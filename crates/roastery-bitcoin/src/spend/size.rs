use bitcoin::{Psbt, VarInt, Weight};

use super::{Signing, Spend};

/// The smallest witnesses of common outputs, in bytes with their counts and lengths.
const P2TR_KEY_PATH: u64 = 1 + 1 + 64;
const P2WPKH: u64 = 1 + 1 + 71 + 1 + 33;
/// The smallest script with signature of a P2PKH output.
const P2PKH: u64 = 1 + 71 + 1 + 33;
const SIGNATURE: u64 = 1 + 64;

/// The least size of the signed transaction in virtual bytes.
pub(super) fn virtual_size(spend: &Spend) -> u64 {
    let mut weight = spend.transaction().weight();
    // Marker and flag, and an empty witness for each input that has none; counted even where no
    // input has a witness, which is less than one virtual byte per input.
    weight += Weight::from_wu(2 + spend.inputs().len() as u64);
    for (index, input) in spend.inputs().iter().enumerate() {
        let fields = &spend.document().decoded().inputs[index];
        let script = input.previous.as_ref().map(|previous| &previous.script_pubkey);
        // A signature that is not valid is replaced.
        let (base, witness) = if !input.to_sign()
            && (fields.final_script_sig.is_some() || fields.final_script_witness.is_some())
        {
            let base = fields.final_script_sig.as_ref().map_or(0, |script| script.len());
            let witness = fields.final_script_witness.as_ref().map_or(1, bitcoin::Witness::size);
            (base as u64, witness as u64)
        } else {
            match &input.signing {
                Signing::KeyPath(_) => (0, P2TR_KEY_PATH),
                Signing::Leaves(_) => (0, leaf(spend.document().decoded(), index)),
                Signing::NotOurs => match script {
                    Some(script) if script.is_p2tr() => (0, P2TR_KEY_PATH),
                    Some(script) if script.is_p2wpkh() => (0, P2WPKH),
                    Some(script) if script.is_p2pkh() => (P2PKH, 1),
                    _ => (0, 1),
                },
            }
        };
        weight += Weight::from_wu(4 * base + witness.saturating_sub(1));
    }
    weight.to_vbytes_ceil()
}

/// The smallest witness that one of the leaves can have.
fn leaf(psbt: &Psbt, index: usize) -> u64 {
    let element = |length: usize| (VarInt::from(length).size() + length) as u64;
    let sizes = psbt.inputs[index].tap_scripts.iter().map(|(control, (script, _))| {
        1 + SIGNATURE + element(script.len()) + element(control.size())
    });
    sizes.min().unwrap_or(1)
}
