//! The ownership of outputs. A PSBT's statement about it is a hint only: the key is derived and
//! compared.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bitcoin::{
    Script, TapLeafHash, TapNodeHash, XOnlyPublicKey,
    bip32::{ChildNumber, DerivationPath, KeySource},
    hashes::Hash as _,
    key::TapTweak as _,
    secp256k1,
};
use roastery_protocol::request::{Derivation, MAX_PATH_LENGTH, Taproot};

use super::{Branch, SEARCH_DEPTH, SECP, Wallet};

/// The most derivation fields of one input or output that are checked. More than one of this
/// group's keys in one output are rare; each costs as many multiplications as its path has steps.
const MOST_HINTS: usize = 4;

/// The derivation fields of an input or output of a PSBT.
#[derive(Clone, Copy)]
pub(crate) struct Hints<'a> {
    pub(crate) taproot: &'a BTreeMap<XOnlyPublicKey, (Vec<TapLeafHash>, KeySource)>,
    pub(crate) others: &'a BTreeMap<secp256k1::PublicKey, KeySource>,
    pub(crate) root: Option<TapNodeHash>,
}

/// What the group can do with an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// One of the wallet's addresses.
    Covered(Derivation),
    /// The group's key can spend it, and the wallet's descriptors do not lead to it.
    OtherPath(Derivation),
    /// The group's key can spend it, and so may other keys, in scripts that are not the wallet's.
    OtherScripts(Derivation),
    /// The PSBT states that a key of this group is in it, which is not true.
    FalseClaim,
    /// Another party's, as far as the PSBT shows.
    Foreign,
}

impl Wallet {
    /// What the group can do with an output, by the PSBT's hints or by search.
    pub(crate) fn standing(&self, script: &Script, hints: Hints<'_>) -> Standing {
        let mut claimed =
            hints.others.values().take(MOST_HINTS).any(|source| self.is_named(source));
        let mut best = Standing::Foreign;
        if let Some(output_key) = output_key(script) {
            for (key, (leaves, source)) in self.named(hints) {
                if !self.is_ours(key, source) {
                    claimed |= self.is_named(source);
                    continue;
                }
                match self.by_internal_key(output_key, key, path(&source.1), hints.root) {
                    Some(covered @ Standing::Covered(_)) => return covered,
                    Some(other) => best = other,
                    // The key of a leaf is no claim to the output.
                    None => claimed |= leaves.is_empty(),
                }
            }
            if let Some(derivation) = self.known().get(&output_key) {
                return Standing::Covered(derivation.clone());
            }
        } else {
            claimed |= self.named(hints).any(|(_, (_, source))| self.is_named(source));
        }
        match best {
            Standing::Foreign if claimed => Standing::FalseClaim,
            other => other,
        }
    }

    /// The keys of the leaves that are this group's: each with its path and the leaves that the
    /// PSBT names for it.
    pub(crate) fn leaf_keys(
        &self,
        hints: Hints<'_>,
    ) -> Vec<(XOnlyPublicKey, Derivation, BTreeSet<TapLeafHash>)> {
        self.named(hints)
            .filter(|(key, (leaves, source))| !leaves.is_empty() && self.is_ours(key, source))
            .filter_map(|(key, (leaves, source))| {
                let path = path(&source.1)?;
                let derivation = Derivation { path, taproot: Taproot::Untweaked };
                Some((*key, derivation, leaves.iter().copied().collect()))
            })
            .collect()
    }

    /// The taproot derivation fields that name this group, or no fingerprint at all.
    fn named<'a>(
        &self,
        hints: Hints<'a>,
    ) -> impl Iterator<Item = (&'a XOnlyPublicKey, &'a (Vec<TapLeafHash>, KeySource))> {
        let fingerprint = self.fingerprint();
        let named =
            move |source: &KeySource| source.0 == fingerprint || source.0.as_bytes() == &[0; 4];
        hints.taproot.iter().filter(move |(_, (_, source))| named(source)).take(MOST_HINTS)
    }

    fn is_named(&self, source: &KeySource) -> bool {
        source.0 == self.fingerprint()
    }

    /// Whether the path leads to the key.
    fn is_ours(&self, key: &XOnlyPublicKey, source: &KeySource) -> bool {
        let derived = path(&source.1)
            .and_then(|path| self.key(&Derivation { path, taproot: Taproot::Untweaked }));
        derived == Some(key.serialize())
    }

    fn key(&self, derivation: &Derivation) -> Option<[u8; 32]> {
        let tweaks = derivation.tweaks(self.group()).ok()?;
        Some(tweaks.x_only_public_key().to_bytes())
    }

    /// The standing of an output whose internal key is this one, the group's at this path; `None`
    /// if its internal key is another.
    fn by_internal_key(
        &self,
        output_key: [u8; 32],
        internal_key: &XOnlyPublicKey,
        path: Option<Vec<u32>>,
        stated_root: Option<TapNodeHash>,
    ) -> Option<Standing> {
        let path = path?;
        let own = self.own_root(&path);
        let stated = stated_root.map(|root| Taproot::ScriptRoot(root.to_byte_array()));
        let mut candidates = own.clone().into_iter().chain([Taproot::KeyPathOnly]).chain(stated);
        let leads_there = |taproot: &Taproot| {
            let root = match taproot {
                Taproot::ScriptRoot(root) => Some(TapNodeHash::from_byte_array(*root)),
                Taproot::KeyPathOnly | Taproot::Untweaked => None,
            };
            internal_key.tap_tweak(&*SECP, root).0.serialize() == output_key
        };
        let taproot = candidates.find(leads_there)?;
        let derivation = Derivation { path, taproot };
        // The key that signs decides.
        if self.key(&derivation) != Some(output_key) {
            return None;
        }
        Some(if own.as_ref() == Some(&derivation.taproot) {
            Standing::Covered(derivation)
        } else if derivation.taproot == Taproot::KeyPathOnly {
            // Also where the wallet's address of this path has scripts: its descriptors do not lead
            // here.
            Standing::OtherPath(derivation)
        } else {
            Standing::OtherScripts(derivation)
        })
    }

    /// What the wallet's address of this path commits to, if it has one there.
    fn own_root(&self, path: &[u32]) -> Option<Taproot> {
        match *path {
            [] => self.tree.is_none().then_some(Taproot::KeyPathOnly),
            [step, index] => self.root_in(None, step, index),
            [account, step, index] => self.root_in(Some(account), step, index),
            _ => None,
        }
    }

    fn root_in(&self, account: Option<u32>, step: u32, index: u32) -> Option<Taproot> {
        let branch = Branch::ALL.into_iter().find(|branch| branch.step() == step)?;
        let account = self.account(account).ok()?;
        account.derivation(branch, index).ok().map(|derivation| derivation.taproot)
    }

    /// The output keys up to the search depth.
    fn known(&self) -> &HashMap<[u8; 32], Derivation> {
        self.known.get_or_init(|| {
            let addresses = Branch::ALL
                .into_iter()
                .flat_map(|branch| (0..SEARCH_DEPTH).map(move |index| (branch, index)))
                .filter_map(|(branch, index)| {
                    let script = self.script(branch, index).ok()?;
                    Some((output_key(&script)?, self.derivation(branch, index).ok()?))
                });
            let own = self.tree.is_none().then(Derivation::key_path_only);
            let own = own.and_then(|own| Some((self.key(&own)?, own)));
            addresses.chain(own).collect()
        })
    }
}

/// The output key of a Taproot output.
fn output_key(script: &Script) -> Option<[u8; 32]> {
    if script.is_p2tr() { script.as_bytes()[2..].try_into().ok() } else { None }
}

/// An unhardened path of a length that the protocol allows.
fn path(path: &DerivationPath) -> Option<Vec<u32>> {
    if path.len() > MAX_PATH_LENGTH {
        return None;
    }
    path.into_iter()
        .map(|step| match step {
            ChildNumber::Normal { index } => Some(*index),
            ChildNumber::Hardened { .. } => None,
        })
        .collect()
}
