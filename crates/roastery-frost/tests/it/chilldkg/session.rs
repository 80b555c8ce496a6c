//! Host keys, parameters and recovery.

use roastery_frost::chilldkg::{self, RecoveryData, SessionParams};
use roastery_frost::{GroupKeys, SecretShare};

use crate::chilldkg::failure::Failure;
use crate::chilldkg::format::{Case, Group, Hex, Output};

pub(crate) fn hostpubkey_gen(_: &Group, case: &Case) -> Result<(), Failure> {
    let key = case.hostseckey.as_ref().unwrap().host_key()?;
    assert_eq!(key.hostpubkey_gen().to_vec(), case.expected_hostpubkey.as_ref().unwrap().0);
    Ok(())
}

pub(crate) fn params_hash(_: &Group, case: &Case) -> Result<(), Failure> {
    let params = case.params.as_ref().unwrap().read()?;
    assert_eq!(params.params_hash().to_vec(), case.expected_params_hash.as_ref().unwrap().0);
    Ok(())
}

pub(crate) fn recover(_: &Group, case: &Case) -> Result<(), Failure> {
    let hostseckey = case.hostseckey.as_ref().map(Hex::host_key).transpose()?;
    let bytes = &case.recovery_data.as_ref().unwrap().0;
    let recovery_data = RecoveryData::parse(bytes)?;
    assert_eq!(&recovery_data.to_bytes(), bytes);
    let (secshare, group, params) = match hostseckey {
        Some(key) => {
            let (output, params) = chilldkg::recover(&key, &recovery_data)?;
            let (secshare, group) = output.into_parts();
            (Some(secshare), group, params)
        }
        None => (None, recovery_data.group().clone(), recovery_data.params().clone()),
    };
    let expected = case.expected_output.as_ref().unwrap();
    assert_output(secshare.as_ref(), &group, &params, expected);
    assert_eq!(params, expected.params.as_ref().unwrap().read()?);
    Ok(())
}

/// Asserts the keys, and that they are a group as signing has it.
pub(crate) fn assert_output(
    secshare: Option<&SecretShare>,
    group: &GroupKeys,
    params: &SessionParams,
    expected: &Output,
) {
    let expected = &expected.dkg_output;
    let secshare = secshare.map(|share| Hex(share.expose_bytes().to_vec()));
    assert_eq!(secshare, expected.secshare);
    assert_eq!(group.threshold_public_key().serialize().to_vec(), expected.thresh_pk.0);
    let pubshares = group.public_shares().iter().map(|share| Hex(share.serialize().to_vec()));
    assert_eq!(pubshares.collect::<Vec<_>>(), expected.pubshares);
    let checked =
        GroupKeys::new(params.t(), group.threshold_public_key(), group.public_shares().to_vec());
    assert_eq!(checked.as_ref(), Ok(group));
}
