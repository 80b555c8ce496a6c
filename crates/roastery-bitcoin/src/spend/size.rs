use bitcoin::{ScriptBuf, Weight};

use super::Spend;

/// The smallest witnesses of common outputs, in bytes with their counts and lengths.
const P2TR_KEY_PATH: u64 = 1 + 1 + 64;
const P2WPKH: u64 = 1 + 1 + 71 + 1 + 33;
/// The smallest script with signature of a P2PKH output.
const P2PKH: u64 = 1 + 71 + 1 + 33;

/// The least size of the signed transaction in virtual bytes.
///
/// Witnesses that are there already do not count: no signature of the group commits to them, so
/// they can be replaced by smaller ones, and a leaf by the key path.
pub(super) fn virtual_size(spend: &Spend) -> u64 {
    let mut weight = spend.transaction().weight();
    // Marker and flag, and an empty witness for each input that has none; counted even where no
    // input has a witness, which is less than one virtual byte per input.
    weight += Weight::from_wu(2 + spend.inputs().len() as u64);
    for input in spend.inputs() {
        let script = input.previous.as_ref().map(|previous| &previous.script_pubkey);
        let (base, witness) = script.map_or((0, 1), smallest);
        weight += Weight::from_wu(4 * base + witness - 1);
    }
    weight.to_vbytes_ceil()
}

/// The smallest script and witness that can spend an output with this script, as far as the script
/// alone tells.
fn smallest(script: &ScriptBuf) -> (u64, u64) {
    match script {
        script if script.is_p2tr() => (0, P2TR_KEY_PATH),
        script if script.is_p2wpkh() => (0, P2WPKH),
        script if script.is_p2pkh() => (P2PKH, 1),
        _ => (0, 1),
    }
}
