//! The files that members exchange, and those that a node keeps beside its store. The former are
//! text, so that people can read them before they trust them.

mod card;
mod folder;
mod invitation;
mod modes;
mod peers;
mod staging;
mod write;

pub(crate) use self::staging::{Staging, finish};
pub use self::{
    card::{CardError, CardKey, MAX_CARD, NodeCard},
    folder::{Folder, FolderError, read_secret, write_secret},
    invitation::{InvitationFile, InvitationFileError, MAX_INVITATION_FILE},
    modes::{OpenToOthers, open_to_others},
    peers::PeerFiles,
    write::{Access, NewFile},
};
