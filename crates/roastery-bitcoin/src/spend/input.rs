use std::collections::BTreeMap;

use bitcoin::{
    OutPoint, Psbt, Script, TapLeafHash, TapNodeHash, TapSighashType, TxOut, XOnlyPublicKey,
    hashes::{Hash as _, hash160},
    script::Instruction,
    taproot::{ControlBlock, LeafVersion},
};
use roastery_protocol::request::{Derivation, Taproot};

use super::{Warning, signed::Signatures};
use crate::wallet::{Hints, Located, Origins, OwnKey, SECP, Standing, Wallet, Work};

/// How many roots of an input's script tree are tried. All leaves of a tree lead to one.
const MOST_ROOTS: usize = 4;

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
    /// It has no signature that is valid (or it is not the group's).
    Unsigned,
    /// It has one that is valid for this transaction.
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

/// The outputs that the inputs spend, each with whether its whole transaction is there; `None`
/// where the PSBT does not have it, or what it has cannot be right.
pub(super) fn previous_outputs(
    psbt: &Psbt,
    warnings: &mut Vec<Warning>,
) -> Vec<Option<(TxOut, bool)>> {
    let spends = psbt.unsigned_tx.input.iter().map(|input| input.previous_output);
    let found = spends.enumerate().map(|(index, outpoint)| previous(psbt, index, outpoint));
    found.map(|found| found.map_err(|warning| warnings.push(warning)).ok()).collect()
}

/// Evaluates an input; the index is within bounds.
pub(super) fn evaluate(
    psbt: &Psbt,
    index: usize,
    previous: Option<(TxOut, bool)>,
    signatures: &mut Signatures<'_>,
    (wallet, work): (&Wallet, &mut Work),
    warnings: &mut Vec<Warning>,
) -> Input {
    let outpoint = psbt.unsigned_tx.input[index].previous_output;
    let (previous, proven) = match previous {
        Some((previous, proven)) => (Some(previous), proven),
        None => (None, false),
    };
    let fields = &psbt.inputs[index];
    let origins = Origins { taproot: &fields.tap_key_origins, others: &fields.bip32_derivation };
    let located = wallet.locate(origins, work);
    let hints = Hints { located: &located, roots: &roots(psbt, index, &located) };
    let standing = previous
        .as_ref()
        .map_or(Standing::Foreign, |out| wallet.standing(&out.script_pubkey, hints));
    let mut unsigned = None;
    let signing = match &standing {
        Standing::Covered(key) | Standing::OtherPath(key) | Standing::OtherScripts(key) => {
            Signing::KeyPath(key.clone())
        }
        Standing::RawKey => {
            unsigned = Some(Warning::RawKey { input: index });
            Signing::NotOurs
        }
        Standing::FalseClaim | Standing::Foreign => {
            let found = previous.as_ref().map(|out| leaves(psbt, index, out, &located, work));
            let LeavesFound { leaves, key_hash } = found.unwrap_or_default();
            if key_hash {
                unsigned = Some(Warning::KeyHash { input: index });
            }
            if leaves.is_empty() { Signing::NotOurs } else { Signing::Leaves(leaves) }
        }
    };
    let state = state(psbt, index, previous.as_ref(), &signing, signatures);
    let claimed = standing == Standing::FalseClaim;
    match (&signing, state) {
        // Named below.
        (Signing::NotOurs, _) if unsigned.is_some() => {}
        (Signing::NotOurs, _) if claimed => {
            warnings.push(Warning::InputClaim { input: index });
        }
        (Signing::NotOurs, _) if previous.as_ref().is_some_and(is_taproot) => {
            warnings.push(Warning::UnrecognisedInput { input: index });
        }
        (Signing::NotOurs, _) => warnings.push(Warning::UnknownInput { input: index }),
        (_, State::Signed) => warnings.push(Warning::AlreadySigned { input: index }),
        (_, State::OtherSighash(kind)) => warnings.push(Warning::Sighash { input: index, kind }),
        (_, State::Unsigned) if signatures.are_known() && has_signature(psbt, index, &signing) => {
            warnings.push(Warning::StaleSignature { input: index });
        }
        (_, State::Unsigned) => {}
    }
    warnings.extend(unsigned);
    Input { outpoint, previous, proven, signing, state }
}

/// The roots that the script tree of an input may have: the one that is stated, and those of its
/// leaves, where the internal key is the group's.
fn roots(psbt: &Psbt, index: usize, located: &Located) -> Vec<TapNodeHash> {
    let fields = &psbt.inputs[index];
    let mut roots: Vec<TapNodeHash> = fields.tap_merkle_root.into_iter().collect();
    for (control, (script, version)) in &fields.tap_scripts {
        if roots.len() == MOST_ROOTS {
            break;
        }
        if located.keys.iter().any(|own| own.key == control.internal_key) {
            let root = root(control, script, *version);
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
    }
    roots
}

/// The root to which a leaf leads by its control block (BIP-341).
fn root(control: &ControlBlock, script: &Script, version: LeafVersion) -> TapNodeHash {
    let leaf = TapNodeHash::from_script(script, version);
    control
        .merkle_branch
        .iter()
        .fold(leaf, |node, sibling| TapNodeHash::from_node_hashes(node, *sibling))
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

fn state(
    psbt: &Psbt,
    index: usize,
    previous: Option<&TxOut>,
    signing: &Signing,
    signatures: &mut Signatures<'_>,
) -> State {
    let output_key = previous.and_then(output_key);
    let signed = match (signing, output_key) {
        (Signing::NotOurs, _) | (_, None) => false,
        (Signing::KeyPath(_), Some(key)) => {
            signatures.has_key_signature(index, &key) || signatures.is_final(index, &key)
        }
        (Signing::Leaves(leaves), Some(key)) => {
            leaves
                .iter()
                .all(|leaf| signatures.has_leaf_signature(index, (leaf.key, leaf.leaf_hash)))
                || signatures.is_final(index, &key)
        }
    };
    if signed {
        return State::Signed;
    }
    match sighash_type(psbt, index) {
        Ok(_) => State::Unsigned,
        Err(kind) => State::OtherSighash(kind),
    }
}

/// Whether an input of the group's has anything that looks like a signature for it.
fn has_signature(psbt: &Psbt, index: usize, signing: &Signing) -> bool {
    let fields = &psbt.inputs[index];
    let finalised = fields.final_script_witness.as_ref().is_some_and(|witness| !witness.is_empty());
    finalised
        || match signing {
            Signing::KeyPath(_) => fields.tap_key_sig.is_some(),
            Signing::Leaves(leaves) => leaves
                .iter()
                .any(|leaf| fields.tap_script_sigs.contains_key(&(leaf.key, leaf.leaf_hash))),
            Signing::NotOurs => false,
        }
}

/// The key of a Taproot output.
pub(super) fn output_key(out: &TxOut) -> Option<XOnlyPublicKey> {
    let key = out.script_pubkey.as_bytes().get(2..).filter(|_| is_taproot(out))?;
    XOnlyPublicKey::from_slice(key).ok()
}

/// The signature hash type of an input, if it is one that this group signs for.
pub(super) fn sighash_type(psbt: &Psbt, index: usize) -> Result<TapSighashType, u32> {
    let Some(kind) = psbt.inputs[index].sighash_type else { return Ok(TapSighashType::Default) };
    match kind.taproot_hash_ty() {
        Ok(kind @ (TapSighashType::Default | TapSighashType::All)) => Ok(kind),
        _ => Err(kind.to_u32()),
    }
}

/// What an input's leaves have of this group.
#[derive(Default)]
struct LeavesFound {
    leaves: Vec<Leaf>,
    /// A leaf has only the hash of a key.
    key_hash: bool,
}

/// The leaves that are in the output's tree and have a key of this group in their script.
fn leaves(
    psbt: &Psbt,
    index: usize,
    previous: &TxOut,
    located: &Located,
    work: &mut Work,
) -> LeavesFound {
    let Some(output_key) = output_key(previous) else { return LeavesFound::default() };
    let mut named: BTreeMap<TapLeafHash, Vec<_>> = BTreeMap::new();
    for own in &located.keys {
        for leaf in &own.leaves {
            named.entry(*leaf).or_default().push(own);
        }
    }
    let mut found = LeavesFound::default();
    let mut looked: BTreeMap<TapLeafHash, Named<'_>> = BTreeMap::new();
    for (control_block, (script, version)) in &psbt.inputs[index].tap_scripts {
        if *version != LeafVersion::TapScript || control_block.leaf_version != *version {
            continue;
        }
        let leaf_hash = script.tapscript_leaf_hash();
        let Some(keys) = named.get(&leaf_hash) else { continue };
        // One script under many control blocks is looked into once.
        let leaf = looked.entry(leaf_hash).or_insert_with(|| Named::of(script, keys));
        if leaf.is_found
            || (leaf.ours.is_empty() && !leaf.hashed)
            || !work.control_block()
            || !control_block.verify_taproot_commitment(&SECP, output_key, script)
        {
            continue;
        }
        leaf.is_found = true;
        found.key_hash |= leaf.hashed;
        found.leaves.extend(leaf.ours.iter().map(|own| Leaf {
            leaf_hash,
            key: own.key,
            derivation: Derivation { path: own.path.clone(), taproot: Taproot::Untweaked },
        }));
    }
    found.leaves.sort_by_key(|leaf| (leaf.leaf_hash, leaf.key));
    found.leaves.dedup();
    found
}

/// What a leaf's script has of the keys that name it.
struct Named<'a> {
    ours: Vec<&'a OwnKey>,
    /// It has only the hash of one.
    hashed: bool,
    /// It is in the output's tree.
    is_found: bool,
}

impl<'a> Named<'a> {
    fn of(script: &Script, keys: &[&'a OwnKey]) -> Self {
        let pushes = Pushes::of(script);
        let ours = keys.iter().copied().filter(|own| pushes.key(&own.key)).collect();
        let hashed = keys.iter().any(|own| pushes.hash_of(&own.key));
        Self { ours, hashed, is_found: false }
    }
}

/// What a script pushes that may be a key or the hash of one, sorted.
struct Pushes<'a> {
    keys: Vec<&'a [u8]>,
    hashes: Vec<&'a [u8]>,
}

impl<'a> Pushes<'a> {
    fn of(script: &'a Script) -> Self {
        let mut pushes = Self { keys: Vec::new(), hashes: Vec::new() };
        for instruction in script.instructions().map_while(Result::ok) {
            let Instruction::PushBytes(bytes) = instruction else { continue };
            match bytes.len() {
                32 => pushes.keys.push(bytes.as_bytes()),
                20 => pushes.hashes.push(bytes.as_bytes()),
                _ => {}
            }
        }
        pushes.keys.sort_unstable();
        pushes.hashes.sort_unstable();
        pushes
    }

    fn key(&self, key: &XOnlyPublicKey) -> bool {
        self.keys.binary_search(&&key.serialize()[..]).is_ok()
    }

    fn hash_of(&self, key: &XOnlyPublicKey) -> bool {
        let hash = hash160::Hash::hash(&key.serialize());
        self.hashes.binary_search(&&hash.as_byte_array()[..]).is_ok()
    }
}
