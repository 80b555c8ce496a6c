//! The files that members exchange, and those that a node keeps beside its store. The former are
//! text, so that people can read them before they trust them.

mod card;
mod error;
mod folder;
mod host_key;
mod invitation;
mod modes;
mod peers;
mod plan;
mod staging;
mod write;

pub use self::{
    card::{CardError, CardKey, MAX_CARD, MAX_CARD_SEATS, NodeCard},
    error::FolderError,
    folder::{Folder, parse_secrets, read_secret_text, read_secrets, write_secrets},
    host_key::{HOST_KEY_FILE_BEGINS, HostKeyFile, HostKeyFileError, MAX_HOST_KEY_FILE},
    invitation::{InvitationFile, InvitationFileError, MAX_INVITATION_FILE},
    modes::{OpenToOthers, open_to_others},
    peers::PeerFiles,
    plan::{MAX_PLAN_FILE, PlanFile, PlanFileError, PlanTerms},
    write::{Access, NewFile},
};
pub(crate) use self::{
    folder::signing_keys,
    staging::{Staging, finish},
};
