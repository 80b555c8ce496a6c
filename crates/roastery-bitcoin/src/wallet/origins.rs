//! The keys of this group among the derivation fields of an input or output.
//!
//! What a field says of a key is a hint only: the key is derived and compared. Wallets that hold
//! the group's extended key name it by a fingerprint of their own, or by none, and put the path of
//! an account before the two steps of the address; so where the whole path does not lead to the
//! key, its last two steps are tried, whatever the fingerprint is.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{
    TapLeafHash, XOnlyPublicKey,
    bip32::{ChildNumber, DerivationPath, Fingerprint, KeySource},
    secp256k1,
};
use roastery_protocol::request::{Derivation, MAX_PATH_LENGTH, Taproot};

use super::{Branch, SECP, Wallet, Work};

/// How many fields of one input or output are tried by their whole path, each of which costs a
/// multiplication for each step. By their last two steps all are tried.
const MOST_WHOLE_PATHS: usize = 16;

/// The derivation fields of an input or output of a PSBT.
#[derive(Clone, Copy)]
pub(crate) struct Origins<'a> {
    pub(crate) taproot: &'a BTreeMap<XOnlyPublicKey, (Vec<TapLeafHash>, KeySource)>,
    pub(crate) others: &'a BTreeMap<secp256k1::PublicKey, KeySource>,
}

/// The keys of this group in an input or output, and what is said of others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Located {
    pub(crate) keys: Vec<OwnKey>,
    /// A field names this group's fingerprint, and its key is not this group's.
    pub(crate) false_claim: bool,
}

/// A key of this group.
#[derive(Clone, Debug)]
pub(crate) struct OwnKey {
    pub(crate) key: XOnlyPublicKey,
    /// The path that leads to it from the group's key.
    pub(crate) path: Vec<u32>,
    /// The leaves that the PSBT names for it.
    pub(crate) leaves: BTreeSet<TapLeafHash>,
}

impl Wallet {
    /// The keys of this group among these fields, as far as the work of the PSBT goes.
    pub(crate) fn locate(&self, origins: Origins<'_>, work: &mut Work) -> Located {
        let own = self.fingerprint();
        let mut fields: Vec<_> = origins.taproot.iter().collect();
        // The fields that name this group first, then those that name none; and keys that are in no
        // leaf first, which only an output's own key is.
        fields.sort_by_key(|(_, (leaves, (fingerprint, _)))| {
            (rank(*fingerprint, own), !leaves.is_empty())
        });
        let false_claim = origins.others.values().any(|(fingerprint, _)| *fingerprint == own);
        let mut located = Located { keys: Vec::new(), false_claim };
        let mut whole = MOST_WHOLE_PATHS;
        for (key, (leaves, (fingerprint, path))) in fields {
            match self.path_of(key, (*fingerprint, path), &mut whole, work) {
                Some(path) => located.keys.push(OwnKey {
                    key: *key,
                    path,
                    leaves: leaves.iter().copied().collect(),
                }),
                None => located.false_claim |= *fingerprint == own,
            }
        }
        located
    }

    /// The path that leads to a key from the group's, if this field says where to look.
    fn path_of(
        &self,
        key: &XOnlyPublicKey,
        (fingerprint, path): (Fingerprint, &DerivationPath),
        whole: &mut usize,
        work: &mut Work,
    ) -> Option<Vec<u32>> {
        if self.group_key() == *key {
            return Some(Vec::new());
        }
        let steps: Vec<ChildNumber> = path.into_iter().copied().collect();
        let last = steps.last_chunk::<2>();
        let is_last = last.is_some() && steps.len() == 2;
        if rank(fingerprint, self.fingerprint()) < FOREIGN
            && !is_last
            && steps.len() <= MAX_PATH_LENGTH
            && *whole > 0
            && let Some(steps) = unhardened(&steps)
            && work.key()
        {
            *whole -= 1;
            let derivation = Derivation { path: steps, taproot: Taproot::Untweaked };
            if self.key(&derivation) == Some(key.serialize()) {
                return Some(derivation.path);
            }
        }
        let last = last?;
        let steps = unhardened(last).filter(|_| work.key())?;
        let derivation = Derivation { path: steps, taproot: Taproot::Untweaked };
        // The key that signs decides.
        let leads = self.leads_to(last, key) && self.key(&derivation) == Some(key.serialize());
        leads.then_some(derivation.path)
    }

    /// Whether two steps lead from the group's key to this one.
    fn leads_to(&self, steps: &[ChildNumber; 2], key: &XOnlyPublicKey) -> bool {
        let branch = Branch::ALL.into_iter().position(|branch| steps[0] == branch.step().into());
        let derived = match branch {
            Some(branch) => self.parents[branch].derive_pub(&*SECP, &[steps[1]]),
            None => self.xpub(bitcoin::NetworkKind::Main).derive_pub(&*SECP, steps),
        };
        derived.is_ok_and(|derived| derived.to_x_only_pub() == *key)
    }

    /// The group's key itself.
    pub(super) fn group_key(&self) -> XOnlyPublicKey {
        self.xpub(bitcoin::NetworkKind::Main).to_x_only_pub()
    }
}

/// The rank of a fingerprint that names neither this group nor nothing.
const FOREIGN: u8 = 2;

fn rank(fingerprint: Fingerprint, own: Fingerprint) -> u8 {
    match fingerprint {
        own_or_none if own_or_none == own => 0,
        none if none == Fingerprint::default() => 1,
        _ => FOREIGN,
    }
}

/// The indices of steps of which none is hardened.
fn unhardened(steps: &[ChildNumber]) -> Option<Vec<u32>> {
    steps
        .iter()
        .map(|step| match step {
            ChildNumber::Normal { index } => Some(*index),
            ChildNumber::Hardened { .. } => None,
        })
        .collect()
}
