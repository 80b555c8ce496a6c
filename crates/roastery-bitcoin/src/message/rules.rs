//! The rules of BIP-322 that consensus has not.

use bitcoin::{
    Script, ScriptBuf, TxIn,
    opcodes::{Class, ClassifyContext, Opcode, all::OP_CODESEPARATOR},
    script::Instruction,
    secp256k1::ecdsa,
    taproot::LeafVersion,
};

/// The signature hash type that commits to all inputs and outputs.
const ALL: u8 = 0x01;

/// The types that do not, in a Taproot signature of 65 bytes.
const OTHERS: [u8; 5] = [0x02, 0x03, 0x81, 0x82, 0x83];

/// Checks one input. Returns what it uses that is reserved for upgrades.
///
/// # Errors
///
/// The rule that is broken.
pub(super) fn check(spent: &Script, input: &TxIn) -> Result<Option<&'static str>, &'static str> {
    let program = match spent.is_p2sh() {
        true => redeem_script(input).unwrap_or_default(),
        false => spent.to_owned(),
    };
    let stack: Vec<&[u8]> = input.witness.iter().collect();
    if program.is_p2tr() && !spent.is_p2sh() {
        return taproot(&stack);
    }
    let reserved = match program.witness_version().map(|version| version.to_num()) {
        Some(0) | None => None,
        Some(_) => Some("a SegWit output of a version that has no rules yet"),
    };
    let pushes: Vec<Vec<u8>> = pushed(&input.script_sig).collect();
    let elements = stack.iter().copied().chain(pushes.iter().map(Vec::as_slice));
    elements.filter(|element| element.first() == Some(&0x30)).try_for_each(ecdsa_signature)?;
    let mut scripts = vec![program.clone()];
    if program.is_p2wsh() {
        scripts.extend(stack.last().map(|script| ScriptBuf::from_bytes(script.to_vec())));
    }
    let nops = opcodes(&scripts, ClassifyContext::Legacy)?;
    Ok(reserved.or(nops))
}

fn redeem_script(input: &TxIn) -> Option<ScriptBuf> {
    pushed(&input.script_sig).last().map(ScriptBuf::from_bytes)
}

fn pushed(script: &Script) -> impl Iterator<Item = Vec<u8>> {
    script.instructions().map_while(Result::ok).filter_map(|instruction| match instruction {
        Instruction::PushBytes(push) => Some(push.as_bytes().to_vec()),
        Instruction::Op(_) => None,
    })
}

fn ecdsa_signature(element: &[u8]) -> Result<(), &'static str> {
    let Some((hash_type, der)) = element.split_last() else { return Ok(()) };
    // What is no signature is a public key or data.
    let Ok(signature) = ecdsa::Signature::from_der(der) else { return Ok(()) };
    if *hash_type != ALL {
        return Err("a signature of another hash type than ALL");
    }
    let mut low = signature;
    low.normalize_s();
    if low == signature { Ok(()) } else { Err("a signature with a high S value") }
}

fn taproot(stack: &[&[u8]]) -> Result<Option<&'static str>, &'static str> {
    let annex = stack.len() >= 2 && stack.last().is_some_and(|last| last.first() == Some(&0x50));
    let stack = if annex { &stack[..stack.len() - 1] } else { stack };
    let other = "a signature of another hash type than DEFAULT and ALL";
    let is_other = |element: &&[u8]| {
        element.len() == 65 && element.last().is_some_and(|kind| OTHERS.contains(kind))
    };
    let [elements @ .., script, control] = stack else {
        return if stack.iter().any(is_other) { Err(other) } else { Ok(None) };
    };
    if elements.iter().any(is_other) {
        return Err(other);
    }
    let version = control.first().map(|byte| byte & 0xfe);
    if version != Some(LeafVersion::TapScript.to_consensus()) {
        return Ok(Some("a leaf of a version that has no rules yet"));
    }
    opcodes(&[ScriptBuf::from_bytes(script.to_vec())], ClassifyContext::TapScript)
}

/// Looks for code separators, and for opcodes that are reserved for upgrades.
fn opcodes(
    scripts: &[ScriptBuf],
    context: ClassifyContext,
) -> Result<Option<&'static str>, &'static str> {
    let mut reserved = None;
    for instruction in scripts.iter().flat_map(|script| script.instructions()) {
        let Ok(Instruction::Op(opcode)) = instruction else { continue };
        if opcode == OP_CODESEPARATOR {
            return Err("a code separator");
        }
        if is_reserved(opcode, context) {
            reserved = Some("an opcode that is reserved for upgrades");
        }
    }
    Ok(reserved)
}

fn is_reserved(opcode: Opcode, context: ClassifyContext) -> bool {
    // NOP1 and NOP4 to NOP10; 2 and 3 are the lock times.
    let nop = matches!(opcode.to_u8(), 0xb0 | 0xb3..=0xb9);
    nop || context == ClassifyContext::TapScript && opcode.classify(context) == Class::SuccessOp
}
