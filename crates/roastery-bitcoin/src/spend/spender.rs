//! Who can spend an output, as far as its script alone tells.

use bitcoin::{
    Script, WitnessVersion, XOnlyPublicKey,
    opcodes::all::{OP_CHECKSIG, OP_PUSHNUM_1, OP_PUSHNUM_16},
    script::Instruction,
    secp256k1::PublicKey,
};

/// The longest script that can be executed (a consensus rule).
const MAX_SCRIPT: usize = 10_000;

/// Who can spend an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spender {
    /// No one: the script fails, or asks for a key that cannot exist.
    None,
    /// Anyone, who need not know anything.
    Anyone,
    /// The one that its script asks for, as far as can be told.
    Payee,
}

/// Who can spend an output with this script.
pub(super) fn spender(script: &Script) -> Spender {
    if script.is_op_return() || script.len() > MAX_SCRIPT {
        return Spender::None;
    }
    if let Some(version) = script.witness_version() {
        return witness_program(version, &script.as_bytes()[2..]);
    }
    let instructions: Vec<_> = script.instructions().take(3).collect();
    match instructions[..] {
        // The spender pushes what is true.
        [] => Spender::Anyone,
        [Ok(Instruction::Op(op))]
            if (OP_PUSHNUM_1.to_u8()..=OP_PUSHNUM_16.to_u8()).contains(&op.to_u8()) =>
        {
            Spender::Anyone
        }
        // A key off the curve has no signature.
        [Ok(Instruction::PushBytes(key)), Ok(Instruction::Op(OP_CHECKSIG))]
            if PublicKey::from_slice(key.as_bytes()).is_err() =>
        {
            Spender::None
        }
        _ => Spender::Payee,
    }
}

/// BIP-141 for version 0, BIP-341 for version 1. A version or length that neither of them gives a
/// meaning to asks for nothing.
fn witness_program(version: WitnessVersion, program: &[u8]) -> Spender {
    match (version, program.len()) {
        (WitnessVersion::V0, 20 | 32) => Spender::Payee,
        (WitnessVersion::V0, _) => Spender::None,
        (WitnessVersion::V1, 32) if XOnlyPublicKey::from_slice(program).is_err() => Spender::None,
        (WitnessVersion::V1, 32) => Spender::Payee,
        _ => Spender::Anyone,
    }
}
