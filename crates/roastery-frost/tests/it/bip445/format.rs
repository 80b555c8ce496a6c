//! The form of the files.

use serde::{Deserialize, Deserializer};

/// Bytes of any length, written in hexadecimal.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl Hex {
    pub(crate) fn array<const N: usize>(&self) -> Option<[u8; N]> {
        self.0.as_slice().try_into().ok()
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hex, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        let bytes: Option<Vec<u8>> = digits.collect();
        bytes.map(Hex).ok_or_else(|| serde::de::Error::custom("not hexadecimal"))
    }
}

#[derive(Deserialize)]
pub(crate) struct NonceGenFile {
    pub(crate) valid_tests: Vec<NonceGenCase>,
}

#[derive(Deserialize)]
pub(crate) struct NonceGenCase {
    pub(crate) tc_id: u64,
    pub(crate) rand: Hex,
    pub(crate) secshare: Option<Hex>,
    pub(crate) signer_id: Option<u32>,
    pub(crate) pubshare: Option<Hex>,
    pub(crate) thresh_pk_xonly: Option<Hex>,
    pub(crate) msg: Option<Hex>,
    pub(crate) extra_in: Option<Hex>,
    pub(crate) expected: [Hex; 2],
}

#[derive(Deserialize)]
pub(crate) struct NonceAggFile {
    pub(crate) pubnonces: Vec<Hex>,
    pub(crate) valid_tests: Vec<NonceAggCase>,
    pub(crate) error_tests: Vec<NonceAggCase>,
}

#[derive(Deserialize)]
pub(crate) struct NonceAggCase {
    pub(crate) tc_id: u64,
    pub(crate) pubnonce_indices: Vec<usize>,
    pub(crate) expected: Option<Hex>,
    pub(crate) error: Option<Error>,
}

#[derive(Deserialize)]
pub(crate) struct GroupFile {
    pub(crate) test_groups: Vec<Group>,
}

/// A group of any of the three files that have groups.
#[derive(Deserialize)]
pub(crate) struct Group {
    pub(crate) tg_id: String,
    pub(crate) t: usize,
    pub(crate) n: usize,
    pub(crate) thresh_pk: Hex,
    pub(crate) pubshares: Vec<Hex>,
    #[serde(default)]
    pub(crate) pubnonces: Vec<Hex>,
    #[serde(default)]
    pub(crate) secshares: Vec<Hex>,
    #[serde(default)]
    pub(crate) secnonces: Vec<Hex>,
    #[serde(default)]
    pub(crate) tweaks: Vec<Hex>,
    #[serde(default)]
    pub(crate) valid_tests: Vec<Case>,
    #[serde(default)]
    pub(crate) error_tests: Vec<Case>,
    #[serde(default)]
    pub(crate) sign_error_tests: Vec<Case>,
    #[serde(default)]
    pub(crate) verify_fail_tests: Vec<Case>,
    #[serde(default)]
    pub(crate) verify_error_tests: Vec<Case>,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) tc_id: u64,
    pub(crate) ids: Vec<i64>,
    pub(crate) pubshare_indices: Vec<usize>,
    pub(crate) msg: Hex,
    #[serde(default)]
    pub(crate) my_id: i64,
    #[serde(default)]
    pub(crate) signer_index: usize,
    #[serde(default)]
    pub(crate) pubnonce_indices: Vec<usize>,
    #[serde(default)]
    pub(crate) secshare_index: usize,
    #[serde(default)]
    pub(crate) secnonce_index: usize,
    #[serde(default)]
    pub(crate) tweak_indices: Vec<usize>,
    #[serde(default)]
    pub(crate) is_xonly: Vec<bool>,
    pub(crate) aggnonce: Option<Hex>,
    pub(crate) psig: Option<Hex>,
    #[serde(default)]
    pub(crate) psigs: Vec<Hex>,
    pub(crate) expected: Option<Hex>,
    pub(crate) error: Option<Error>,
}

#[derive(Deserialize, Debug)]
#[serde(tag = "type")]
pub(crate) enum Error {
    InvalidContributionError { signer_index: Option<usize>, contrib: Option<String> },
    ValueError { message: String },
}
