//! Which section of the configuration applies to which group.

use std::collections::BTreeSet;

use roastery_protocol::GroupId;

use super::{ApprovalMode, Config, ConfigError, PolicyConfig};

/// The configuration of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSettings {
    /// The section of the file that contains its policy.
    pub section: String,
    /// The policy of the group at this node.
    pub policy: PolicyConfig,
    /// Further scripts that may spend from its wallet.
    pub scripts: Option<String>,
    /// How many addresses of each branch are searched, if not as many as usual.
    pub search_depth: Option<u32>,
}

impl Config {
    /// The sections that name none of these groups, each as it is written in the file. A section
    /// may name a group by its name or its id; both are to be given.
    pub fn unknown_groups<'a>(&self, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let known: BTreeSet<&str> = known.into_iter().collect();
        let unknown = self.group.keys().filter(|name| !known.contains(name.as_str()));
        unknown.map(|name| section(name)).collect()
    }

    /// The settings of a group: those of its own section, by its id or its name, or else the
    /// general policy. For a group without a name every request waits for the operator, unless
    /// there is a policy for its id.
    ///
    /// # Errors
    ///
    /// [`ConfigError::TwoSections`] if one section uses its id and another one its name.
    pub fn settings_of(
        &self,
        name: Option<&str>,
        id: GroupId,
    ) -> Result<GroupSettings, ConfigError> {
        let key = id.to_string();
        let by_id = self.group.get_key_value(&key);
        let by_name =
            name.filter(|name| *name != key).and_then(|name| self.group.get_key_value(name));
        let own = match (by_id, by_name) {
            (Some((first, _)), Some((second, _))) => {
                let (first, second) = (section(first), section(second));
                return Err(ConfigError::TwoSections { first, second });
            }
            (own, None) | (None, own) => own,
        };
        let scripts = own.and_then(|(_, group)| group.scripts.clone());
        let search_depth = own.and_then(|(_, group)| group.search_depth);
        if let Some((key, policy)) = own.and_then(|(key, group)| Some((key, group.policy.clone()?)))
        {
            let section = section(key).replace(']', ".policy]");
            return Ok(GroupSettings { section, policy, scripts, search_depth });
        }
        let mut policy = self.policy.clone();
        let mut section = "[policy]".to_owned();
        if name.is_none() {
            policy.approval = ApprovalMode::Manual;
            section.push_str(", manual for a group without a name");
        }
        Ok(GroupSettings { section, policy, scripts, search_depth })
    }
}

/// The heading of a group's section in the file.
fn section(group: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match !group.is_empty() && group.chars().all(bare) {
        true => format!("[group.{group}]"),
        false => format!("[group.{}]", toml::Value::from(group)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: GroupId = GroupId::from_bytes([0xab; 32]);

    fn config(text: &str) -> Config {
        Config::parse(text, |_| None).unwrap()
    }

    fn automatic(section: &str) -> String {
        format!("[{section}]\napproval = \"automatic\"\n")
    }

    #[test]
    fn a_policy_holds_for_the_group_of_its_name_or_of_its_id() {
        let id = ID.to_string();
        for (text, section) in [
            (automatic("group.treasury.policy"), "[group.treasury.policy]".to_owned()),
            (automatic(&format!("group.{id}.policy")), format!("[group.{id}.policy]")),
            (automatic("policy"), "[policy]".to_owned()),
        ] {
            let settings = config(&text).settings_of(Some("treasury"), ID).unwrap();
            assert_eq!(
                (settings.policy.approval, settings.section),
                (ApprovalMode::Automatic, section)
            );
        }
        let text = automatic("group.treasury.policy");
        let other = config(&text).settings_of(Some("savings"), ID).unwrap();
        assert_eq!(other.policy.approval, ApprovalMode::Manual);
    }

    #[test]
    fn a_group_without_a_name_waits_for_the_operator_unless_its_id_has_a_policy() {
        let id = ID.to_string();
        let unnamed = |text: &str| config(text).settings_of(None, ID).unwrap().policy.approval;
        assert_eq!(unnamed(&automatic("policy")), ApprovalMode::Manual);
        assert_eq!(unnamed(&automatic(&format!("group.{id}.policy"))), ApprovalMode::Automatic);
    }

    #[test]
    fn two_sections_for_one_group_are_an_error_and_none_is_chosen() {
        let id = ID.to_string();
        let text = [automatic("group.treasury.policy"), automatic(&format!("group.{id}.policy"))];
        let error = config(&text.concat()).settings_of(Some("treasury"), ID).unwrap_err();
        let said =
            format!("[group.treasury] and [group.{id}] are about one group: write one of them");
        let other =
            format!("[group.{id}] and [group.treasury] are about one group: write one of them");
        assert!([said, other].contains(&error.to_string()), "{error}");
    }

    #[test]
    fn a_section_for_a_group_that_is_not_there_is_named() {
        let id = ID.to_string();
        let text = [
            automatic("group.treasry.policy"),
            automatic("group.savings.policy"),
            automatic("group.\"a b\".policy"),
            automatic(&format!("group.{id}.policy")),
        ];
        let unknown = config(&text.concat()).unknown_groups(["savings", &id]);
        assert_eq!(unknown, ["[group.\"a b\"]", "[group.treasry]"]);
    }
}
