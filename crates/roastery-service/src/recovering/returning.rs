//! A seat returns to a new node: by its kit, which another member has kept, and the ten words.

use roastery_frost::Seat;
use roastery_libp2p::TransportKey;
use roastery_protocol::{
    group::Name,
    keygen::{RecoveryFile, recover_group},
    keys::HostKey,
    kit::{Kit, KitWords},
};
use roastery_store::{ContentError, Entry, KitSecrets, Store, StoreError, open_kit};

use super::{RecoveredInto, RecoveringError};

/// Puts the seat of a kit into the store of a node that was just made and does not run: the keys of
/// the node that is lost, and its share. `name` is what the group is called here, if not as when
/// its key was made.
///
/// # Errors
///
/// [`RecoveringError`]. Then nothing of it is in the store, unless the disk has failed.
pub fn return_by_kit(
    store: &Store,
    kit: &Kit,
    words: &KitWords,
    recovery: &[u8],
    name: Option<Name>,
) -> Result<RecoveredInto, RecoveringError> {
    let file = RecoveryFile::decode(recovery).map_err(|_| RecoveringError::OtherKit)?;
    let secrets = match open_kit(kit, words) {
        Err(StoreError::WrongPassphrase) => return Err(RecoveringError::KitNotOpened),
        opened => opened?,
    };
    return_seat(store, (kit, &secrets), &file, name, None)
}

/// Puts the seat of a kit that was opened into a store that was used for nothing. `through` is the
/// seat whose line brought it back, and when, in milliseconds since 1970.
pub(crate) fn return_seat(
    store: &Store,
    (kit, secrets): (&Kit, &KitSecrets),
    file: &RecoveryFile,
    name: Option<Name>,
    through: Option<(Seat, u64)>,
) -> Result<RecoveredInto, RecoveringError> {
    let group = file.group();
    let member = group.member(kit.seat()).ok_or(RecoveringError::OtherKit)?;
    let transport = TransportKey::from_secret(&mut secrets.transport.expose_bytes());
    let is_its = file.invitation().id() == secrets.keygen
        && member.host_key == kit.host()
        && member.identity_key == secrets.identity.public_key()
        && member.peer == transport.peer();
    if !is_its {
        return Err(RecoveringError::OtherKit);
    }
    let host = roastery_frost::SigningKey::from_bytes(secrets.host.expose_bytes());
    let host = HostKey::new(host.map_err(|_| RecoveringError::OtherKit)?);
    let recovered =
        recover_group(host, &file.encode(), None).map_err(|_| RecoveringError::OtherKit)?;
    let name = match name {
        Some(name) => name,
        None => file.invitation().name().parse().map_err(|_| RecoveringError::OtherKit)?,
    };
    let seat = recovered.seat;
    match store.return_seat(kit, secrets, (seat, recovered.share), file, &name, through) {
        Ok(()) => Ok(RecoveredInto { group: group.clone(), seats: vec![seat] }),
        Err(StoreError::Content(ContentError::AlreadyThere(Entry::Group))) => {
            Err(RecoveringError::Used)
        }
        Err(error) => Err(error.into()),
    }
}
