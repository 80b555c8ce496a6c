use crate::{SettingsInForce, config::ChosenOption, view};

impl From<SettingsInForce> for view::Configuration {
    fn from(settings: SettingsInForce) -> Self {
        let SettingsInForce { folder, chosen, host_key } = settings;
        let option =
            |ChosenOption { option, value, variable }| view::SetOption { option, value, variable };
        Self { folder, options: chosen.into_iter().map(option).collect(), host_key }
    }
}
