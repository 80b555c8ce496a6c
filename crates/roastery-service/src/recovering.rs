//! Host keys of epochs that are kept offline, and the store of a node that is not running: host
//! keys leave it, and bring the share of an epoch back into it.
//!
//! A host key itself goes over no API, so that the memory of a running node has no copy of it that
//! no erasing reaches. A kit, which has one sealed, and the words of its paper go to a user of this
//! machine at the socket, and to no token.

mod behind;
mod error;
mod exporting;
mod returning;

use std::{collections::BTreeSet, sync::Arc};

use roastery_frost::{Point, Seat, SigningKey};
use roastery_libp2p::TransportKey;
use roastery_protocol::{
    KeyId,
    change::{EpochFile, EpochOrder, LineageFile},
    group::{Group, Member, PeerId},
};
use roastery_store::{ContentError, Entry, HostKeyFiles, KnownGroup, Store, StoreError};

pub(crate) use self::returning::return_seat;
pub use self::{
    behind::{Behind, behind, newest_epochs},
    error::RecoveringError,
    exporting::{keep_host_key_files, seal_host_keys},
    returning::return_by_kit,
};

/// What was brought back into a store.
#[derive(Clone, Debug)]
pub struct RecoveredInto {
    /// The group of the epoch.
    pub group: Arc<Group>,
    /// The seats of this node.
    pub seats: Vec<Seat>,
}

/// The places of the plans of a key that the store knows.
fn places_of(store: &Store, key: KeyId) -> Result<Vec<EpochOrder>, StoreError> {
    let plans = store.plans()?;
    let of_plans = plans.iter().map(|kept| &kept.plan).filter(|plan| plan.parent().key == key);
    let files = store.epochs(key)?.files;
    Ok(of_plans.chain(files.iter().map(EpochFile::plan)).map(EpochOrder::last_of).collect())
}

/// The place of a group among these. Of several epochs with one number it tells which is greater.
fn place_of(group: &Group, places: &[EpochOrder]) -> EpochOrder {
    let plan = group.epoch().plan();
    let own = places.iter().find(|place| place.plan() == plan);
    own.copied().unwrap_or_else(|| EpochOrder::of_root(group))
}

fn number(known: &KnownGroup) -> u32 {
    known.group.epoch().number()
}

/// The key of the group with this name or id, or with this key id.
fn key_of(store: &Store, name: &str) -> Result<KeyId, RecoveringError> {
    let named = match name.parse() {
        Ok(name) => store.group_named(&name)?,
        Err(_) => None,
    };
    let known = store.known_groups()?;
    let meant = known.iter().map(|one| &one.group).find(|group| {
        Some(group.id()) == named
            || group.id().to_string() == name
            || group.key_id().to_string() == name
    });
    meant.map(|group| group.key_id()).ok_or_else(|| RecoveringError::NoGroup(name.to_owned()))
}

/// This node's peer, by the keys in the store.
fn own_peer(store: &Store) -> Result<PeerId, RecoveringError> {
    let keys = store.keys()?.ok_or(RecoveringError::NoKeys)?;
    Ok(TransportKey::from_secret(&mut keys.transport.expose_bytes()).peer())
}

/// Puts the epochs of a recovery file and the host keys of this node's seats of the last one into
/// its store: when the node is started, it adopts the epoch with the share that they give. That
/// there are files of these host keys, which give the share as well, is in the store when this
/// returns.
///
/// # Errors
///
/// [`RecoveringError`]. Then nothing of it is in the store, unless the disk has failed; it may be
/// called again.
pub fn recover_into(
    store: &Store,
    file: &LineageFile,
    hosts: Vec<SigningKey>,
    now_ms: u64,
) -> Result<RecoveredInto, RecoveringError> {
    let (key, group) = (file.lineage().key(), file.current_group().clone());
    let (epoch, plan) = (group.epoch().number(), group.epoch().plan());
    if file.lineage().epochs().next().is_none() {
        return Err(RecoveringError::NoEpochs);
    }
    let peer = own_peer(store)?;
    let known = store.known_groups()?;
    check_current(store, file, &known)?;
    if known.iter().any(|one| one.group.id() == group.id() && !one.erased) {
        return Err(RecoveringError::AlreadyThere { epoch });
    }
    let publics: Vec<Point> = hosts.iter().map(SigningKey::plain_public_key).collect();
    let seats = seats_of(file, &publics, &peer)?;
    for host in &publics {
        if store.has_erased_host_key(host)? {
            return Err(RecoveringError::Erased);
        }
    }
    let made = store.host_key_files()?;
    for (seat, member) in
        group.seats().zip(group.members()).filter(|(seat, _)| seats.contains(seat))
    {
        let (host, seat) = (member.host_key.serialize(), seat.to_u16());
        if made.iter().all(|one| one.host != host) {
            let file = HostKeyFiles { host, key, epoch, plan, seat, count: 0, last_ms: now_ms };
            store.keep_host_key_file(&file)?;
        }
    }
    for host in &hosts {
        match store.keep_host_key(host) {
            Ok(()) | Err(StoreError::Content(ContentError::AlreadyThere(Entry::HostKey))) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let knows_key = known.iter().any(|one| one.group.key_id() == key)
        || store
            .plans()?
            .iter()
            .any(|kept| kept.plan.parent().key == key && kept.certificate.is_some());
    for (at, one) in file.lineage().epochs().enumerate() {
        if at == 0 && !knows_key {
            // The store learns the first group with the plan that changed it.
            let name = format!("group-{:#}", file.lineage().root().id());
            let name = name.parse().expect("letters, a hyphen and digits are a name");
            store.keep_plan(one.plan(), file.lineage().root(), &name)?;
        }
        store.keep_epoch(key, one)?;
    }
    Ok(RecoveredInto { group, seats })
}

/// Whether the last epoch of a file is one that this store can take: it follows from what the store
/// knows, and nothing supersedes it.
fn check_current(
    store: &Store,
    file: &LineageFile,
    known: &[KnownGroup],
) -> Result<(), RecoveringError> {
    let lineage = file.lineage();
    let (key, current) = (lineage.key(), lineage.current());
    let stored: Vec<_> = store.epochs(key)?.files;
    let of_plans = store.plans()?;
    let certified = of_plans.iter().filter(|kept| kept.plan.parent().key == key);
    let places = certified.flat_map(|kept| kept.certified().collect::<Vec<_>>());
    let later = places.filter(|place| *place > current).map(|place| place.epoch()).max();
    let by_file = stored.iter().map(|one| one.plan().epoch()).max();
    let newest = later.into_iter().chain(by_file).max().unwrap_or(0);
    let is_erased = known
        .iter()
        .any(|one| one.group.key_id() == key && one.erased && number(one) >= current.epoch());
    if later.is_some() || newest > current.epoch() || is_erased {
        let newest = newest.max(current.epoch());
        return Err(RecoveringError::Superseded { epoch: current.epoch(), current: newest });
    }
    let of_key: Vec<_> = known.iter().filter(|one| one.group.key_id() == key).collect();
    let first = lineage.root_order().epoch();
    let follows = of_key.iter().any(|one| number(one) >= first)
        || stored.iter().any(|one| one.plan().epoch() >= first);
    if !of_key.is_empty() && !follows {
        return Err(RecoveringError::BeginsLater { first });
    }
    Ok(())
}

/// The seats of this node in the last epoch, if these are the host keys of all of them.
fn seats_of(
    file: &LineageFile,
    hosts: &[Point],
    peer: &PeerId,
) -> Result<Vec<Seat>, RecoveringError> {
    let group = file.current_group();
    let epoch = group.epoch().number();
    let mut seats = BTreeSet::new();
    for host in hosts {
        let has = |member: &Member| member.host_key == *host;
        let found = group.seats().zip(group.members()).find(|(_, member)| has(member));
        let Some((seat, member)) = found else {
            let why = match file.seat_of(*host) {
                Some((of, seat)) => format!(
                    "It is that of seat {seat} of epoch {}, which is superseded: take the host key of epoch {epoch}",
                    of.epoch().number()
                ),
                None => "It is of another group, or of a later epoch: take the recovery file from a member now"
                    .to_owned(),
            };
            return Err(RecoveringError::OtherHostKey { epoch, why });
        };
        if member.peer != *peer {
            return Err(RecoveringError::OtherNode { seat, epoch });
        }
        seats.insert(seat);
    }
    let own = group.seats().zip(group.members()).filter(|(_, member)| member.peer == *peer);
    let further: Vec<Seat> =
        own.map(|(seat, _)| seat).filter(|seat| !seats.contains(seat)).collect();
    if further.is_empty() {
        Ok(seats.into_iter().collect())
    } else {
        Err(RecoveringError::FurtherSeats(further))
    }
}

#[cfg(test)]
mod tests;
