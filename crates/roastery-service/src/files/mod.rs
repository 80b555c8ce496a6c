//! The files that members give to each other, and those that a node keeps beside its store. The former are text: people
//! look at them before they trust them.

mod card;
mod folder;
mod invitation;
mod peers;

pub use self::{
    card::{CardError, CardKey, MAX_CARD, NodeCard},
    folder::{Folder, FolderError, read_secret, write_secret},
    invitation::{InvitationFile, InvitationFileError, MAX_INVITATION_FILE},
    peers::PeerFiles,
};
