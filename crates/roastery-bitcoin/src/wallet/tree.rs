//! The scripts of a wallet beside its key, as a descriptor writes them, with `sortedmulti_a`
//! (BIP-387), which `miniscript` does not read.

use bitcoin::PublicKey;
use miniscript::{
    Descriptor, DescriptorPublicKey, Miniscript, Tap, Terminal,
    descriptor::{TapTree, Tr, checksum},
};

use super::{MAX_SCRIPT_TREE, WalletError};

const MULTI_A: &str = "multi_a(";
const SORTED: &str = "sorted";

/// A tree of scripts, read as far as its text goes.
///
/// `sortedmulti_a` differs from `multi_a` in the order of its keys only, and this order depends on
/// the index of the address. So the tree is parsed as if it had `multi_a` everywhere, and the
/// places that are sorted are kept beside it.
#[derive(Debug)]
pub(super) struct Tree {
    /// As it was given.
    given: String,
    text: String,
    /// For each `multi_a` of the text, in its order, whether its keys are sorted.
    sorted: Vec<bool>,
}

impl Tree {
    /// Reads a tree: `/**` stands for `/<0;1>/*`.
    pub(super) fn read(text: &str) -> Result<Self, WalletError> {
        if text.len() > MAX_SCRIPT_TREE {
            return Err(WalletError::TreeTooLong { length: text.len() });
        }
        let given = text.to_owned();
        let text = text.replace("/**", "/<0;1>/*");
        let sorted = text.match_indices(MULTI_A).map(|(at, _)| text[..at].ends_with(SORTED));
        let sorted: Vec<bool> = sorted.collect();
        let text = text.replace(&[SORTED, MULTI_A].concat(), MULTI_A);
        Ok(Self { given, text, sorted })
    }

    /// The text as it was given.
    pub(super) fn given(&self) -> &str {
        &self.given
    }

    /// The text, with this key in place of `@0`.
    pub(super) fn with_key(&self, key: &str) -> String {
        self.text.replace("@0", key)
    }

    /// Checks that what is sorted is a leaf of its own, as BIP-387 demands.
    pub(super) fn check(
        &self,
        descriptor: &Descriptor<DescriptorPublicKey>,
    ) -> Result<(), WalletError> {
        let mut rest = self.sorted.as_slice();
        for leaf in descriptor.tap_tree_iter() {
            let count = leaf.miniscript().to_string().matches(MULTI_A).count();
            let (here, further) = rest.split_at_checked(count).ok_or(WalletError::Sorted)?;
            let whole = matches!(leaf.miniscript().as_inner(), Terminal::MultiA(_));
            if !whole && here.contains(&true) {
                return Err(WalletError::Sorted);
            }
            rest = further;
        }
        if rest.is_empty() { Ok(()) } else { Err(WalletError::Sorted) }
    }

    /// The text of a descriptor or template of this tree, with `sortedmulti_a` where it belongs.
    pub(super) fn restore(&self, text: &str) -> String {
        let mut sorted = self.sorted.iter();
        let mut parts = text.split(MULTI_A);
        let mut restored = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            if sorted.next() == Some(&true) {
                restored.push_str(SORTED);
            }
            restored.push_str(MULTI_A);
            restored.push_str(part);
        }
        restored
    }

    /// The text of a descriptor with its checksum.
    pub(super) fn describe(
        &self,
        descriptor: &Descriptor<DescriptorPublicKey>,
    ) -> Result<String, WalletError> {
        let text = self.restore(&format!("{descriptor:#}"));
        let mut engine = checksum::Engine::new();
        engine.input(&text).map_err(WalletError::Checksum)?;
        Ok(format!("{text}#{}", engine.checksum()))
    }

    /// The output of one address, with the keys in the order of the script.
    pub(super) fn arrange(&self, tr: Tr<PublicKey>) -> Result<Tr<PublicKey>, WalletError> {
        if !self.sorted.contains(&true) {
            return Ok(tr);
        }
        let mut sorted = self.sorted.iter();
        // Leaves come from left to right; two of one depth are a branch.
        let mut open: Vec<(u8, TapTree<PublicKey>)> = Vec::new();
        for leaf in tr.leaves() {
            let mut depth = leaf.depth();
            let count = leaf.miniscript().to_string().matches(MULTI_A).count();
            let is_sorted = sorted.by_ref().take(count).any(|sorted| *sorted);
            let mut tree = match leaf.miniscript().as_inner() {
                Terminal::MultiA(keys) if is_sorted => {
                    let mut keys = keys.clone();
                    keys.data_mut().sort_by_key(|key| key.inner.x_only_public_key().0.serialize());
                    let script: Miniscript<PublicKey, Tap> =
                        Miniscript::from_ast(Terminal::MultiA(keys)).map_err(WalletError::Tree)?;
                    TapTree::leaf(script)
                }
                _ => TapTree::leaf(leaf.miniscript().clone()),
            };
            while let Some((_, left)) = open.pop_if(|(other, _)| *other == depth) {
                tree = TapTree::combine(left, tree).map_err(|_| WalletError::Sorted)?;
                depth -= 1;
            }
            open.push((depth, tree));
        }
        let tree = open.pop().map(|(_, tree)| tree);
        Tr::new(*tr.internal_key(), tree).map_err(WalletError::Tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::SECP;

    #[test]
    fn bip_387s_sorted_keys_make_its_outputs() {
        let tree = Tree::read(&format!("sortedmulti_a(2,{FIRST}/*,{SECOND}/0/0/*)")).unwrap();
        let internal = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
        let text = format!("tr({internal},{})", tree.with_key(""));
        let descriptor: Descriptor<DescriptorPublicKey> = text.parse().unwrap();
        tree.check(&descriptor).unwrap();
        assert!(tree.describe(&descriptor).unwrap().contains(",sortedmulti_a("));
        for (index, output) in (0..).zip(OUTPUTS) {
            let definite = descriptor.at_derivation_index(index).unwrap();
            let Descriptor::Tr(tr) = definite.derived_descriptor(&*SECP) else { panic!() };
            let arranged = tree.arrange(tr).unwrap();
            assert_eq!(arranged.script_pubkey().to_hex_string(), output);
        }
    }

    const FIRST: &str = "xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL";
    const SECOND: &str = "xpub68NZiKmJWnxxS6aaHmn81bvJeTESw724CRDs6HbuccFQN9Ku14VQrADWgqbhhTHBaohPX4CjNLf9fq9MYo6oDaPPLPxSb7gwQN3ih19Zm4Y";
    const OUTPUTS: [&str; 3] = [
        "5120abd47468515223f58a1a18edfde709a7a2aab2b696d59ecf8c34f0ba274ef772",
        "5120fe62e7ed20705bd1d3678e072bc999acb014f07795fa02cb8f25a7aa787e8cbd",
        "51201311093750f459039adaa2a5ed23b0f7a8ae2c2ffb07c5390ea37e2fb1050b41",
    ];
}
