//! Host keys of epochs that are kept offline, and the store of a node that is not running: host
//! keys leave it, and bring the share of an epoch back into it.
//!
//! A host key goes over no API, so that the memory of a running node has no copy of it that no
//! erasing reaches.

use std::{collections::BTreeSet, sync::Arc};

use roastery_frost::{Point, Seat, SigningKey};
use roastery_libp2p::TransportKey;
use roastery_protocol::{
    KeyId,
    change::{EpochFile, EpochOrder, LineageFile},
    group::{Group, Member, PeerId},
};
use roastery_store::{
    ContentError, Entry, HostKeyFiles, KnownGroup, Passphrase, PassphraseCost, Store, StoreError,
};
use thiserror::Error;

use crate::files::{HostKeyFile, HostKeyFileError};

/// Why a host key does not leave a store, or brings no share into it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecoveringError {
    /// An error of the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be sealed.
    #[error(transparent)]
    File(#[from] HostKeyFileError),
    /// The store has no keys of a node.
    #[error("the store has no keys of a node: restore a backup of this node first")]
    NoKeys,
    /// There is no such group.
    #[error("this node has no group {0}: roastery status shows its groups")]
    NoGroup(String),
    /// The store has no host key of the epoch.
    #[error(
        "the host key of epoch {epoch} is not in this store: that of epoch 0 is in the file host-key that the \
         configuration names, and one that is erased is gone"
    )]
    NoHostKey {
        /// The number of the epoch.
        epoch: u32,
    },
    /// The recovery file has no epoch after the first group.
    #[error(
        "the recovery file has no epoch after the first group of the key: take the recovery file of the key from a \
         member whose group was changed (roastery group export NAME --recovery-file FILE)"
    )]
    NoEpochs,
    /// The recovery file begins after all that the store knows of the key.
    #[error(
        "the recovery file begins with epoch {first}, which this store does not know: take the recovery file of a \
         member that was there from the start"
    )]
    BeginsLater {
        /// The first epoch of the file.
        first: u32,
    },
    /// The host key is of no seat of the last epoch.
    #[error(
        "the host key is not that of a seat of epoch {epoch}, the last one of the recovery file. {why}"
    )]
    OtherHostKey {
        /// The last epoch.
        epoch: u32,
        /// What it is of instead, and what to do.
        why: String,
    },
    /// The seat is another node's.
    #[error(
        "seat {seat} of epoch {epoch} belongs to another node than the one whose keys are in this store: restore a \
         backup of that node first, or write the share into a file (roastery recover)"
    )]
    OtherNode {
        /// The seat.
        seat: Seat,
        /// The number of the epoch.
        epoch: u32,
    },
    /// This node holds further seats, whose host keys are missing.
    #[error("the host keys of these seats of this node are missing too: {}", list(.0))]
    FurtherSeats(Vec<Seat>),
    /// The share is there.
    #[error("this node's share of epoch {epoch} is in this store: nothing is to be restored")]
    AlreadyThere {
        /// The number of the epoch.
        epoch: u32,
    },
    /// The share was erased here, or the store knows a later epoch.
    #[error(
        "epoch {epoch} is superseded: this store knows epoch {current}. Its share is not brought back; take the \
         recovery file from a member now, and the host key of its last epoch"
    )]
    Superseded {
        /// The epoch of the recovery file.
        epoch: u32,
        /// The greatest epoch that the store knows.
        current: u32,
    },
    /// The host key was erased here.
    #[error("the host key was erased at this node, since another epoch superseded its own")]
    Erased,
}

fn list(seats: &[Seat]) -> String {
    seats.iter().map(Seat::to_string).collect::<Vec<_>>().join(", ")
}

/// What was brought back into a store.
#[derive(Clone, Debug)]
pub struct RecoveredInto {
    /// The group of the epoch.
    pub group: Arc<Group>,
    /// The seats of this node.
    pub seats: Vec<Seat>,
}

/// Seals the host keys of this node's seats in an epoch, each in a file of its own. Without an
/// epoch it is the newest of which the store has a share. That the files are made is in the store
/// when this returns.
///
/// # Errors
///
/// [`RecoveringError`].
pub fn seal_host_keys(
    store: &Store,
    group: &str,
    epoch: Option<u32>,
    passphrase: &Passphrase,
    cost: PassphraseCost,
    now_ms: u64,
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
        let file = HostKeyFile::seal((key, number, plan, seat), &host, passphrase, cost)?;
        let (host, seat) = (member.host_key.serialize(), seat.to_u16());
        let made = HostKeyFiles { host, key, epoch: number, plan, seat, count: 0, last_ms: now_ms };
        store.keep_host_key_file(&made)?;
        files.push(file);
    }
    if files.is_empty() { Err(RecoveringError::NoHostKey { epoch: number }) } else { Ok(files) }
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

#[cfg(test)]
mod tests;
