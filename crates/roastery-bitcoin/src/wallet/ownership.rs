//! The ownership of outputs. A PSBT's statement about it is a hint only: the key is derived and
//! compared.

use std::collections::HashMap;

use bitcoin::{Script, TapNodeHash, XOnlyPublicKey, hashes::Hash as _, key::TapTweak as _};
use roastery_protocol::request::{Derivation, Taproot};

use super::{Branch, Located, SECP, Wallet};

/// How many keys of the group are tried as the internal key of one output. A wallet puts one there.
const MOST_INTERNAL_KEYS: usize = 8;

/// What a PSBT says of an input or output.
#[derive(Clone, Copy)]
pub(crate) struct Hints<'a> {
    /// The keys of this group in it.
    pub(crate) located: &'a Located,
    /// The roots that its script tree may have.
    pub(crate) roots: &'a [TapNodeHash],
}

/// A key that is found by search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The output key of an address.
    Address(Branch, u32),
    /// The output key of the address at no path.
    Itself,
    /// The key of an address without its Taproot tweak.
    Raw,
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
    /// Its key is one of the group's without a Taproot tweak (`rawtr`), so that scripts which no
    /// one else knows of may be able to spend it.
    RawKey,
    /// The PSBT states that a key of this group is in it, which is not true.
    FalseClaim,
    /// Another party's, as far as the PSBT shows.
    Foreign,
}

impl Wallet {
    /// What the group can do with an output, by the PSBT's hints or by search.
    pub(crate) fn standing(&self, script: &Script, hints: Hints<'_>) -> Standing {
        let mut claimed = hints.located.false_claim;
        let mut best = Standing::Foreign;
        if let Some(output_key) = output_key(script) {
            for own in hints.located.keys.iter().take(MOST_INTERNAL_KEYS) {
                if own.key.serialize() == output_key {
                    best = Standing::RawKey;
                    continue;
                }
                match self.by_internal_key(output_key, &own.key, &own.path, hints.roots) {
                    Some(covered @ Standing::Covered(_)) => return covered,
                    Some(other) => best = other,
                    // The key of a leaf is no claim to the output.
                    None => claimed |= own.leaves.is_empty(),
                }
            }
            match self.known().get(&output_key) {
                Some(Known::Raw) => best = Standing::RawKey,
                Some(Known::Itself) => return Standing::Covered(Derivation::key_path_only()),
                Some(Known::Address(branch, index)) => {
                    if let Ok(derivation) = self.derivation(*branch, *index) {
                        return Standing::Covered(derivation);
                    }
                }
                None => {}
            }
        } else {
            claimed |= !hints.located.keys.is_empty();
        }
        match best {
            Standing::Foreign if claimed => Standing::FalseClaim,
            other => other,
        }
    }

    pub(super) fn key(&self, derivation: &Derivation) -> Option<[u8; 32]> {
        let tweaks = derivation.tweaks(self.group()).ok()?;
        Some(tweaks.x_only_public_key().to_bytes())
    }

    /// The standing of an output whose internal key is this one, the group's at this path; `None`
    /// if its internal key is another.
    fn by_internal_key(
        &self,
        output_key: [u8; 32],
        internal_key: &XOnlyPublicKey,
        path: &[u32],
        stated_roots: &[TapNodeHash],
    ) -> Option<Standing> {
        let stated = stated_roots.iter().map(|root| Taproot::ScriptRoot(root.to_byte_array()));
        let mut candidates = [Taproot::KeyPathOnly].into_iter().chain(stated);
        let leads_there = |taproot: &Taproot| {
            let root = match taproot {
                Taproot::ScriptRoot(root) => Some(TapNodeHash::from_byte_array(*root)),
                Taproot::KeyPathOnly | Taproot::Untweaked => None,
            };
            internal_key.tap_tweak(&*SECP, root).0.serialize() == output_key
        };
        // The wallet's own tree is derived once for a path, and only where it is needed.
        let mut own = None;
        let taproot = candidates.find(leads_there).or_else(|| {
            own = self.own_root(path);
            own.clone().filter(leads_there)
        })?;
        let own = own.or_else(|| self.own_root(path));
        let derivation = Derivation { path: path.to_vec(), taproot };
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

    /// The keys up to the search depth.
    fn known(&self) -> &HashMap<[u8; 32], Known> {
        self.known.get_or_init(|| {
            let mut known = HashMap::new();
            let all = Branch::ALL.into_iter();
            for (branch, index) in
                all.flat_map(|branch| (0..self.search_depth).map(move |index| (branch, index)))
            {
                let Ok(output) = self.main.output(branch, index) else { continue };
                let internal = output.internal_key().inner.x_only_public_key().0.serialize();
                known.entry(internal).or_insert(Known::Raw);
                if let Some(output_key) = output_key(&output.script_pubkey()) {
                    known.insert(output_key, Known::Address(branch, index));
                }
            }
            known.entry(self.group_key().serialize()).or_insert(Known::Raw);
            if self.tree.is_none()
                && let Some(own) = self.key(&Derivation::key_path_only())
            {
                known.insert(own, Known::Itself);
            }
            known
        })
    }
}

/// The output key of a Taproot output.
fn output_key(script: &Script) -> Option<[u8; 32]> {
    if script.is_p2tr() { script.as_bytes()[2..].try_into().ok() } else { None }
}
