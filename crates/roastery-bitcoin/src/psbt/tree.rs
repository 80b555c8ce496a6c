//! `PSBT_OUT_TAP_TREE` (BIP-371): the leaves of an output's script tree.

use bitcoin::{
    TapNodeHash,
    consensus::Encodable as _,
    hashes::{Hash as _, HashEngine as _},
    taproot::TapLeafHash,
};

use super::{Place, raw::Reader};

/// The deepest leaf (BIP-341).
const MAX_DEPTH: u8 = 128;

/// The root of the tree in a field's value; `None` if it is no complete tree. Any leaf version may
/// be in it, also one without a meaning yet.
pub(super) fn root(value: &[u8]) -> Option<TapNodeHash> {
    let mut reader = Reader::new(value);
    // A sibling of its own at most at each depth: the leaves come depth first.
    let mut waiting: Vec<(u8, TapNodeHash)> = Vec::new();
    while !reader.rest().is_empty() {
        // The place is for errors, which are not shown.
        let (depth, version) = match reader.take(2, Place::Global).ok()? {
            &[depth, version] if depth <= MAX_DEPTH && version & 1 == 0 => (depth, version),
            _ => return None,
        };
        let length = reader.size(Place::Global).ok()?;
        let mut node = leaf(version, reader.take(length, Place::Global).ok()?);
        let mut depth = depth;
        while let Some((_, sibling)) = waiting.pop_if(|(at, _)| *at == depth) {
            node = TapNodeHash::from_node_hashes(sibling, node);
            // Two leaves of depth 0 are no tree.
            depth = depth.checked_sub(1)?;
        }
        if waiting.last().is_some_and(|(at, _)| *at > depth) {
            return None;
        }
        waiting.push((depth, node));
    }
    match waiting[..] {
        [(0, root)] => Some(root),
        _ => None,
    }
}

/// The hash of a leaf of any version (BIP-341).
fn leaf(version: u8, script: &[u8]) -> TapNodeHash {
    let mut engine = TapLeafHash::engine();
    engine.input(&[version]);
    script.to_vec().consensus_encode(&mut engine).expect("an engine takes whatever is written");
    TapLeafHash::from_engine(engine).into()
}
