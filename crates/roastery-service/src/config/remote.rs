//! Decisions from elsewhere.

use std::path::PathBuf;

use serde::Deserialize;

use crate::passkey::RelyingParty;

/// Decisions from elsewhere, with passkeys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Remote {
    /// The origin of the pages that use passkeys; `None`: no one decides from elsewhere.
    pub origin: Option<RelyingParty>,
    /// The Unix socket of the process between them and this node. Relative to the folder.
    pub socket: PathBuf,
    /// The number of the user of that process, if it is another one than the node's.
    pub user: Option<u32>,
}

impl Default for Remote {
    fn default() -> Self {
        Self { origin: None, socket: "relay.sock".into(), user: None }
    }
}
