//! The configuration in force.

use crate::{config::ChosenOption, service::Service};

/// The configuration that the node has read at its start, and where its host key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsInForce {
    /// The folder.
    pub folder: String,
    /// The options that file or environment set; all others have their defaults.
    pub chosen: Vec<ChosenOption>,
    /// Whether the host key's file is there; `None` if its medium does not answer.
    pub host_key: Option<bool>,
}

impl Service {
    /// The configuration in force. It has no secrets.
    pub async fn settings_in_force(&self) -> SettingsInForce {
        let file = self.shared.folder.resolve(&self.config.host_key);
        SettingsInForce {
            folder: self.shared.folder.path().display().to_string(),
            chosen: self.config.chosen.clone(),
            host_key: self.shared.host_key.is_there(file).await,
        }
    }
}
