//! The configuration in force.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The configuration that the node has read at its start. It has no secrets: those are in files
/// that it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Configuration {
    /// The node's folder.
    pub folder: String,
    /// The options that file or environment set, by name; all others have their defaults.
    pub options: Vec<SetOption>,
    /// Whether the file of the host key is on this machine; absent if its medium does not answer.
    pub host_key: Option<bool>,
}

/// An option that file or environment set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetOption {
    /// Its name, with its sections.
    pub option: String,
    /// Its value, as TOML; of a command the program only, of the URL of a hook the host.
    pub value: String,
    /// The environment variable that sets it; absent for the file.
    pub variable: Option<String>,
}
