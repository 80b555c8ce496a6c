//! Which users of this machine may do what at the API's socket.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::Config;

/// What a user may do.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserRole {
    /// All operations that only read.
    Reader,
    /// Also to ask for signatures, which then wait for a decision of this node.
    Proposer,
    /// Also to approve and to reject.
    Approver,
    /// All operations.
    Operator,
}

/// The users of the section `[operators]`, with the numbers that this machine has for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownUsers {
    /// The name and the role of each, by its number.
    pub known: BTreeMap<u32, (String, UserRole)>,
    /// What is wrong with the section: each in a line, with the line of the file.
    pub problems: Vec<String>,
}

impl Config {
    /// The users of the section `[operators]`, by what the machine says: the number of a user, and
    /// whether this process sees users of that number. `None` without the section: then all who can
    /// open the socket are operators.
    pub fn users(
        &self,
        number_of: impl Fn(&str) -> Option<u32>,
        is_seen: impl Fn(u32) -> bool,
    ) -> Option<KnownUsers> {
        let operators = self.operators.as_ref()?;
        let mut users = KnownUsers::default();
        for (name, role) in operators {
            let at = match self.operator_lines.get(name) {
                Some(line) => format!("[operators], line {line}: {name}"),
                None => format!("[operators]: {name}"),
            };
            let Some(number) = number_of(name) else {
                users.problems.push(format!(
                    "{at} is no user of this machine, and may do nothing: correct the name, or \
                     take the line out"
                ));
                continue;
            };
            if !is_seen(number) {
                users.problems.push(format!(
                    "{at} is user {number}, which this process does not see: set PrivateUsers=no in \
                     the unit (systemctl edit), and start the node anew"
                ));
                // All that it does not see look alike to it.
                continue;
            }
            // Of two names of one user the lesser role counts.
            let entry = users.known.entry(number).or_insert_with(|| (name.clone(), *role));
            if entry.0 != *name {
                users.problems.push(format!(
                    "{at} is user {number}, as {} is: the lesser role counts; take one line out",
                    entry.0
                ));
                entry.1 = entry.1.min(*role);
            }
        }
        Some(users)
    }
}

/// In which line of the file each user stands.
pub(super) fn lines(text: &str) -> BTreeMap<String, usize> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct File {
        operators: BTreeMap<String, Spanned<toml::Value>>,
    }
    let file: File = toml::from_str(text).unwrap_or_default();
    let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    file.operators.into_iter().map(|(name, role)| (name, line(role.span().start))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(text: &str) -> Option<KnownUsers> {
        let number = |name: &str| match name {
            "anna" | "also-anna" => Some(1000),
            "bert" => Some(1001),
            "far" => Some(70_000),
            _ => None,
        };
        Config::parse(text, |_| None).unwrap().users(number, |number| number < 65_536)
    }

    #[test]
    fn each_user_has_the_role_that_stands_beside_it_and_without_the_section_there_are_none() {
        let text = "[operators]\nanna = \"operator\"\nbert = \"reader\"\n";
        let found = users(text).unwrap();
        let expected = [
            (1000, ("anna".to_owned(), UserRole::Operator)),
            (1001, ("bert".to_owned(), UserRole::Reader)),
        ];
        assert_eq!(found.known, expected.into());
        assert_eq!(found.problems, Vec::<String>::new());
        assert_eq!(users("").as_ref(), None);
        assert_eq!(users("[operators]\n"), Some(KnownUsers::default()));
    }

    #[test]
    fn a_name_that_is_no_user_is_named_with_its_line_and_has_no_role() {
        let found = users("name = \"x\"\n\n[operators]\nana = \"operator\"\n").unwrap();
        assert_eq!(found.known, BTreeMap::new());
        let said = "[operators], line 4: ana is no user of this machine";
        assert!(found.problems[0].starts_with(said), "{found:?}");
    }

    #[test]
    fn two_names_of_one_user_have_the_lesser_role_and_are_a_problem() {
        for (also, own) in [("operator", "reader"), ("reader", "operator")] {
            let text = format!("[operators]\nalso-anna = \"{also}\"\nanna = \"{own}\"\n");
            let found = users(&text).unwrap();
            assert_eq!(found.known[&1000].1, UserRole::Reader);
            assert!(found.problems[0].contains("line 3: anna is user 1000, as also-anna is"));
        }
    }

    #[test]
    fn a_user_that_this_process_does_not_see_is_a_problem() {
        let found = users("[operators]\nfar = \"approver\"\n").unwrap();
        assert!(found.problems[0].contains("PrivateUsers=no"), "{found:?}");
    }

    #[test]
    fn another_role_is_an_error_that_names_those_that_there_are() {
        let error = Config::parse("[operators]\nanna = \"admin\"\n", |_| None).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("line 2") && said.contains("`approver`"), "{said}");
    }
}
