//! The form of the files. A field that is not known is an error, so that nothing is overlooked.

use std::path::Path;

use roastery_frost::chilldkg::{HostSecretKey, SessionParams};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::chilldkg::failure::Failure;

/// Bytes of any length, written in hexadecimal.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl Hex {
    /// The bytes as an array; another length is one that the crate's types cannot hold.
    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N], Failure> {
        self.0.as_slice().try_into().map_err(|_| Failure::Length)
    }

    pub(crate) fn host_key(&self) -> Result<HostSecretKey, Failure> {
        Ok(HostSecretKey::from_bytes(Zeroizing::new(self.array()?))?)
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

/// A file holds groups, or is one group itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct File {
    #[serde(rename = "description")]
    _description: Vec<String>,
    pub(crate) total_tests: Option<usize>,
    #[serde(default)]
    test_groups: Vec<Group>,
    #[serde(default)]
    valid_test_cases: Vec<Case>,
    #[serde(default)]
    error_test_cases: Vec<Case>,
}

impl File {
    pub(crate) fn into_groups(self) -> Vec<Group> {
        let File { mut test_groups, valid_test_cases, error_test_cases, .. } = self;
        test_groups.push(Group { valid_test_cases, error_test_cases, ..Group::default() });
        test_groups
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Group {
    pub(crate) params: Option<Params>,
    pub(crate) hostseckey: Option<Hex>,
    pub(crate) random: Option<Hex>,
    pub(crate) aux_rand: Option<Hex>,
    pub(crate) pmsg1: Option<Hex>,
    pub(crate) cmsg1: Option<Hex>,
    pub(crate) pmsg2: Option<Hex>,
    pub(crate) pmsgs1: Vec<Hex>,
    #[serde(rename = "pmsg1Pool")]
    pub(crate) pmsg1_pool: Vec<Hex>,
    #[serde(rename = "pmsg2Pool")]
    pub(crate) pmsg2_pool: Vec<Hex>,
    #[serde(rename = "cmsg1Pool")]
    pub(crate) cmsg1_pool: Vec<Hex>,
    pub(crate) valid_test_cases: Vec<Case>,
    pub(crate) error_test_cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Case {
    tc_id: u64,
    comment: String,
    pub(crate) params: Option<Params>,
    pub(crate) hostseckey: Option<Hex>,
    pub(crate) random: Option<Hex>,
    pub(crate) aux_rand: Option<Hex>,
    pub(crate) cmsg1: Option<Hex>,
    pub(crate) cmsg2: Option<Hex>,
    pub(crate) cmsg1_index: Option<usize>,
    pub(crate) cinv_msg: Option<Hex>,
    pub(crate) recovery_data: Option<Hex>,
    #[serde(default, rename = "pmsg1Indices")]
    pub(crate) pmsg1_indices: Vec<usize>,
    #[serde(default, rename = "pmsg2Indices")]
    pub(crate) pmsg2_indices: Vec<usize>,
    pub(crate) expected_hostpubkey: Option<Hex>,
    pub(crate) expected_params_hash: Option<Hex>,
    #[serde(rename = "expectedPmsg1")]
    pub(crate) expected_pmsg1: Option<Hex>,
    #[serde(rename = "expectedPmsg2")]
    pub(crate) expected_pmsg2: Option<Hex>,
    #[serde(rename = "expectedCmsg1")]
    pub(crate) expected_cmsg1: Option<Hex>,
    pub(crate) expected_cinv_msgs: Option<Vec<Hex>>,
    pub(crate) expected_output: Option<Output>,
    pub(crate) expected_error: Option<Error>,
}

impl Case {
    pub(crate) fn name(&self, path: &Path) -> String {
        format!("{}, case {} ({})", path.display(), self.tc_id, self.comment)
    }
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    pub(crate) hostpubkeys: Vec<Hex>,
    pub(crate) t: usize,
}

impl Params {
    pub(crate) fn read(&self) -> Result<SessionParams, Failure> {
        let keys = self.hostpubkeys.iter().map(Hex::array).collect::<Result<_, _>>()?;
        Ok(SessionParams::new(keys, self.t)?)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Output {
    pub(crate) cmsg2: Option<Hex>,
    pub(crate) dkg_output: DkgOutput,
    pub(crate) recovery_data: Option<Hex>,
    pub(crate) params: Option<Params>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DkgOutput {
    pub(crate) secshare: Option<Hex>,
    pub(crate) thresh_pk: Hex,
    pub(crate) pubshares: Vec<Hex>,
}

#[derive(Deserialize, PartialEq, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Error {
    pub(crate) r#type: String,
    pub(crate) message: Option<String>,
    pub(crate) participant_id: Option<usize>,
    pub(crate) participant_id1: Option<usize>,
    pub(crate) participant_id2: Option<usize>,
}
