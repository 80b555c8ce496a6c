use bitcoin::{
    OutPoint, Psbt, ScriptBuf, TapLeafHash, TapSighashType, TxOut, XOnlyPublicKey,
    script::Instruction, taproot::LeafVersion,
};
use roastery_protocol::request::Derivation;

use super::Warning;
use crate::wallet::{Hints, SECP, Standing, Wallet};

/// One input: what it spends, and what this group signs for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Input {
    /// The output that it spends: transaction id and index.
    pub outpoint: OutPoint,
    /// That output. Missing if the PSBT does not have it, or what it has cannot be right.
    pub previous: Option<TxOut>,
    /// Whether the whole previous transaction is there and has that output, so that the amount is
    /// proven before anything is signed. Without, it is so all the same if the signature is valid
    /// at all: BIP-341 signs the amounts of all inputs.
    pub proven: bool,
    /// How this group signs for it.
    pub signing: Signing,
    /// Whether this group has a signature to make.
    pub state: State,
}

/// How the group signs for an input.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// With the output's key, derived from the group's.
    KeyPath(Derivation),
    /// By its key in leaves of the script tree, where the output's key is not the group's.
    Leaves(Vec<Leaf>),
    /// The group cannot sign for it.
    NotOurs,
}

/// A leaf with a key of the group in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The leaf's hash (BIP-341).
    pub leaf_hash: TapLeafHash,
    /// The key in its script.
    pub key: XOnlyPublicKey,
    /// How the key derives from the group's, without a Taproot tweak.
    pub derivation: Derivation,
}

/// Whether there is anything to sign for an input of the group's.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has no signature yet (or it is not the group's).
    Unsigned,
    /// It has one, or it is finalised.
    Signed,
    /// It asks for a signature hash type other than `DEFAULT` and `ALL`, for which this group does
    /// not sign: what it signs commits to all inputs and outputs.
    OtherSighash(u32),
}

impl Input {
    /// Whether it could be the group's all the same: a Taproot output far down in the wallet is
    /// known by its derivation field only, which the PSBT's creator can leave out.
    pub fn may_be_ours(&self) -> bool {
        self.signing == Signing::NotOurs && self.previous.as_ref().is_some_and(is_taproot)
    }

    /// Whether the group is to sign.
    pub fn to_sign(&self) -> bool {
        self.signing != Signing::NotOurs && self.state == State::Unsigned
    }
}

fn is_taproot(out: &TxOut) -> bool {
    out.script_pubkey.is_p2tr()
}

/// Evaluates an input; the index is within bounds.
pub(super) fn evaluate(
    psbt: &Psbt,
    index: usize,
    wallet: &Wallet,
    warnings: &mut Vec<Warning>,
) -> Input {
    let outpoint = psbt.unsigned_tx.input[index].previous_output;
    let (previous, proven) = match previous(psbt, index, outpoint) {
        Ok((previous, proven)) => (Some(previous), proven),
        Err(warning) => {
            warnings.push(warning);
            (None, false)
        }
    };
    let fields = &psbt.inputs[index];
    let hints = Hints {
        taproot: &fields.tap_key_origins,
        others: &fields.bip32_derivation,
        root: fields.tap_merkle_root,
    };
    let standing = previous
        .as_ref()
        .map_or(Standing::Foreign, |out| wallet.standing(&out.script_pubkey, hints));
    let claimed = standing == Standing::FalseClaim;
    let signing = match standing {
        Standing::Covered(key) | Standing::OtherPath(key) | Standing::OtherScripts(key) => {
            Signing::KeyPath(key)
        }
        Standing::FalseClaim | Standing::Foreign => {
            let leaves = previous
                .as_ref()
                .map_or_else(Vec::new, |out| leaves(psbt, index, out, wallet, hints));
            if leaves.is_empty() { Signing::NotOurs } else { Signing::Leaves(leaves) }
        }
    };
    let state = state(psbt, index, &signing);
    match (&signing, state) {
        (Signing::NotOurs, _) if claimed => {
            warnings.push(Warning::InputClaim { input: index });
        }
        (Signing::NotOurs, _) if previous.as_ref().is_some_and(is_taproot) => {
            warnings.push(Warning::UnrecognisedInput { input: index });
        }
        (Signing::NotOurs, _) => warnings.push(Warning::UnknownInput { input: index }),
        (_, State::Signed) => warnings.push(Warning::AlreadySigned { input: index }),
        (_, State::OtherSighash(kind)) => warnings.push(Warning::Sighash { input: index, kind }),
        (_, State::Unsigned) => {}
    }
    Input { outpoint, previous, proven, signing, state }
}

/// The output that is spent, and whether its transaction is there. Two sources must agree.
fn previous(psbt: &Psbt, input: usize, outpoint: OutPoint) -> Result<(TxOut, bool), Warning> {
    let fields = &psbt.inputs[input];
    let stated = fields.witness_utxo.as_ref();
    let Some(transaction) = &fields.non_witness_utxo else {
        let stated = stated.ok_or(Warning::MissingAmount { input })?;
        return Ok((stated.clone(), false));
    };
    let txid = transaction.compute_txid();
    if txid != outpoint.txid {
        let spent = outpoint.txid;
        return Err(Warning::OtherTransaction { input, there: txid, spent });
    }
    let proven = usize::try_from(outpoint.vout).ok().and_then(|at| transaction.output.get(at));
    let Some(proven) = proven else {
        let (index, outputs) = (outpoint.vout, transaction.output.len());
        return Err(Warning::NoSuchOutput { input, index, outputs });
    };
    match stated {
        Some(stated) if stated.value != proven.value => {
            let (stated, proven) = (stated.value, proven.value);
            Err(Warning::AmountDiffers { input, stated, proven })
        }
        Some(stated) if stated.script_pubkey != proven.script_pubkey => {
            Err(Warning::ScriptDiffers { input })
        }
        _ => Ok((proven.clone(), true)),
    }
}

fn state(psbt: &Psbt, index: usize, signing: &Signing) -> State {
    let fields = &psbt.inputs[index];
    let finalised = fields.final_script_witness.is_some() || fields.final_script_sig.is_some();
    let signed = match signing {
        Signing::KeyPath(_) => fields.tap_key_sig.is_some(),
        Signing::Leaves(leaves) => leaves
            .iter()
            .all(|leaf| fields.tap_script_sigs.contains_key(&(leaf.key, leaf.leaf_hash))),
        Signing::NotOurs => false,
    };
    if finalised || signed {
        return State::Signed;
    }
    match sighash_type(psbt, index) {
        Ok(_) => State::Unsigned,
        Err(kind) => State::OtherSighash(kind),
    }
}

/// The signature hash type of an input, if it is one that this group signs for.
pub(super) fn sighash_type(psbt: &Psbt, index: usize) -> Result<TapSighashType, u32> {
    let Some(kind) = psbt.inputs[index].sighash_type else { return Ok(TapSighashType::Default) };
    match kind.taproot_hash_ty() {
        Ok(kind @ (TapSighashType::Default | TapSighashType::All)) => Ok(kind),
        _ => Err(kind.to_u32()),
    }
}

/// The leaves that are in the output's tree and have a key of this group in their script.
fn leaves(
    psbt: &Psbt,
    index: usize,
    previous: &TxOut,
    wallet: &Wallet,
    hints: Hints<'_>,
) -> Vec<Leaf> {
    let output_key =
        previous.script_pubkey.as_bytes().get(2..).filter(|_| previous.script_pubkey.is_p2tr());
    let Some(output_key) = output_key.and_then(|key| XOnlyPublicKey::from_slice(key).ok()) else {
        return Vec::new();
    };
    let keys = wallet.leaf_keys(hints);
    if keys.is_empty() {
        return Vec::new();
    }
    let mut leaves = Vec::new();
    for (control_block, (script, version)) in &psbt.inputs[index].tap_scripts {
        if *version != LeafVersion::TapScript || control_block.leaf_version != *version {
            continue;
        }
        let leaf_hash = script.tapscript_leaf_hash();
        let mut ours = keys
            .iter()
            .filter(|(key, _, stated)| stated.contains(&leaf_hash) && pushes(script, key))
            .peekable();
        if ours.peek().is_some()
            && control_block.verify_taproot_commitment(&SECP, output_key, script)
        {
            leaves.extend(ours.map(|(key, derivation, _)| Leaf {
                leaf_hash,
                key: *key,
                derivation: derivation.clone(),
            }));
        }
    }
    leaves.sort_by_key(|leaf| (leaf.leaf_hash, leaf.key));
    leaves.dedup();
    leaves
}

/// Whether a script has this key in it.
fn pushes(script: &ScriptBuf, key: &XOnlyPublicKey) -> bool {
    let key = key.serialize();
    script.instructions().map_while(Result::ok).any(
        |instruction| matches!(instruction, Instruction::PushBytes(push) if push.as_bytes() == key),
    )
}
