//! How new the shares in a store are.

use std::collections::BTreeSet;

use roastery_protocol::{KeyId, change::LineageFile};
use roastery_store::{KnownGroup, Store, StoreError};

use super::{RecoveringError, number, own_peer};

/// A key of which a store has no share of the greatest known epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The name of the group here, or the key id.
    pub name: String,
    /// The newest epoch of which the store has a share; none if it has none.
    pub newest: Option<u32>,
    /// The greatest epoch that is known, of the recovery file or of the store.
    pub current: u32,
    /// Whether this node has a seat in it.
    pub has_seat: bool,
}

/// What each key of a store is called, and the newest epoch of which it has a share.
///
/// # Errors
///
/// An error of the store.
pub fn newest_epochs(store: &Store) -> Result<Vec<(String, u32)>, RecoveringError> {
    let known = store.known_groups()?;
    let keys: BTreeSet<KeyId> = known.iter().map(|one| one.group.key_id()).collect();
    let mut newest = Vec::new();
    for key in keys {
        let of_key = known.iter().filter(|one| one.group.key_id() == key && !one.erased);
        if let Some(number) = of_key.map(number).max() {
            newest.push((name_of(store, key, &known)?, number));
        }
    }
    Ok(newest)
}

/// The keys of which a store has no share of the greatest epoch that is known, of this recovery
/// file or of the store itself.
///
/// # Errors
///
/// An error of the store.
pub fn behind(store: &Store, file: Option<&LineageFile>) -> Result<Vec<Behind>, RecoveringError> {
    let peer = own_peer(store)?;
    let known = store.known_groups()?;
    let plans = store.plans()?;
    let mut keys: BTreeSet<KeyId> = known.iter().map(|one| one.group.key_id()).collect();
    keys.extend(file.map(|file| file.lineage().key()));
    let mut behind = Vec::new();
    for key in keys {
        let of_key = known.iter().filter(|one| one.group.key_id() == key && !one.erased);
        let newest = of_key.map(number).max();
        // The members of each known epoch, by its number.
        let files = store.epochs(key)?.files;
        let stored = files.iter().map(|one| (one.plan().epoch(), one.plan().members().to_vec()));
        let certified =
            plans.iter().filter(|kept| kept.plan.parent().key == key && kept.certificate.is_some());
        let of_plans = certified.map(|kept| (kept.plan.epoch(), kept.plan.members().to_vec()));
        let of_file = file.filter(|file| file.lineage().key() == key).map(|file| {
            let group = file.current_group();
            (group.epoch().number(), group.members().to_vec())
        });
        let last = stored.chain(of_plans).chain(of_file).max_by_key(|(number, _)| *number);
        let Some((current, members)) = last else { continue };
        if newest.is_none_or(|newest| newest < current) {
            let has_seat = members.iter().any(|member| member.peer == peer);
            let name = name_of(store, key, &known)?;
            behind.push(Behind { name, newest, current, has_seat });
        }
    }
    Ok(behind)
}

fn name_of(store: &Store, key: KeyId, known: &[KnownGroup]) -> Result<String, StoreError> {
    let mut of_key: Vec<_> = known.iter().filter(|one| one.group.key_id() == key).collect();
    of_key.sort_by_key(|one| std::cmp::Reverse(number(one)));
    for one in of_key {
        if let Some(name) = store.name_of(one.group.id())? {
            return Ok(name);
        }
    }
    Ok(key.to_string())
}
