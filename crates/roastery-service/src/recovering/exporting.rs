//! Host keys leave the store of a node that is not running.

use roastery_store::{HostKeyFiles, Passphrase, PassphraseCost, Store, StoreError};

use super::{RecoveringError, key_of, number, place_of, places_of};
use crate::files::HostKeyFile;

/// Seals the host keys of this node's seats in an epoch, each in a file of its own. Without an
/// epoch it is the newest of which the store has a share.
///
/// # Errors
///
/// [`RecoveringError`]: no such group or epoch is here, none of its host keys is, or the store
/// fails.
pub fn seal_host_keys(
    store: &Store,
    group: &str,
    epoch: Option<u32>,
    passphrase: &Passphrase,
    cost: PassphraseCost,
) -> Result<Vec<HostKeyFile>, RecoveringError> {
    let key = key_of(store, group)?;
    let known = store.known_groups()?;
    let of_key = known.iter().filter(|one| one.group.key_id() == key && !one.erased);
    let wanted = of_key.filter(|one| epoch.is_none_or(|wanted| number(one) == wanted));
    let places = places_of(store, key)?;
    let Some(newest) = wanted.max_by_key(|one| place_of(&one.group, &places)) else {
        return Err(match epoch {
            Some(epoch) => RecoveringError::NoHostKey { epoch },
            None => RecoveringError::NoGroup(group.to_owned()),
        });
    };
    let (number, plan) = (number(newest), newest.group.epoch().plan());
    let mut files = Vec::new();
    for (seat, member) in newest.group.seats().zip(newest.group.members()) {
        let Some(host) = store.host_key(&member.host_key)? else { continue };
        files.push(HostKeyFile::seal((key, number, plan, seat), &host, passphrase, cost)?);
    }
    if files.is_empty() { Err(RecoveringError::NoHostKey { epoch: number }) } else { Ok(files) }
}

/// Keeps that these files are made, before they are. `now_ms` is the wall clock, in milliseconds
/// since 1970.
///
/// # Errors
///
/// An error of the store.
pub fn keep_host_key_files(
    store: &Store,
    files: &[HostKeyFile],
    now_ms: u64,
) -> Result<(), StoreError> {
    files.iter().try_for_each(|file| {
        store.keep_host_key_file(&HostKeyFiles {
            host: file.host().serialize(),
            key: file.key(),
            epoch: file.epoch(),
            plan: file.plan(),
            seat: file.seat().to_u16(),
            count: 0,
            last_ms: now_ms,
        })
    })
}
