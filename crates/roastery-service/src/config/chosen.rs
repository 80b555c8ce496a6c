//! What a configuration says beside its defaults, for people.

/// An option that the file or the environment sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenOption {
    /// Its name, with its sections: `policy.most_per_hour`.
    pub option: String,
    /// Its value, as TOML. No option has a secret: those are in files that it names. Of a command
    /// it has the program only, for arguments may be secret.
    pub value: String,
    /// The environment variable that sets it; `None` for the file.
    pub variable: Option<String>,
}

/// The name of the options whose arguments are not shown.
const COMMAND: &str = "command";

/// The section of the hooks, and the option of theirs whose path is not shown: servers often have a
/// secret in it.
const URL: &str = "url";

/// All options of a table, in the order of their names.
pub(super) fn chosen(
    table: &toml::Table,
    variable: impl Fn(&str) -> Option<String>,
) -> Vec<ChosenOption> {
    let mut all = Vec::new();
    collect("", table, &variable, &mut all);
    all
}

fn collect(
    section: &str,
    table: &toml::Table,
    variable: &impl Fn(&str) -> Option<String>,
    all: &mut Vec<ChosenOption>,
) {
    for (key, value) in table {
        let is_bare = key.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-');
        let key_shown =
            if is_bare { key.clone() } else { toml::Value::from(key.as_str()).to_string() };
        let option = if section.is_empty() { key_shown } else { format!("{section}.{key_shown}") };
        match value {
            toml::Value::Table(table) => collect(&option, table, variable, all),
            toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
                for (number, table) in items.iter().filter_map(toml::Value::as_table).enumerate() {
                    let name = table.get("name").and_then(toml::Value::as_str);
                    let name = name.map_or_else(|| number.to_string(), str::to_owned);
                    collect(&format!("{option}.{name}"), table, variable, all);
                }
            }
            value => {
                let value = match key.as_str() {
                    COMMAND => program(value),
                    URL => server(value),
                    _ => value.to_string(),
                };
                all.push(ChosenOption { variable: variable(&option), option, value });
            }
        }
    }
}

/// A command without its arguments.
fn program(command: &toml::Value) -> String {
    match command.as_array().map(Vec::as_slice) {
        Some([program, arguments @ ..]) if !arguments.is_empty() => {
            format!("{program} and {} arguments", arguments.len())
        }
        Some([program]) => program.to_string(),
        _ => String::new(),
    }
}

/// A URL without its path and its query, in which some servers have their keys.
fn server(url: &toml::Value) -> String {
    let url = url.as_str().unwrap_or("");
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    let (server, path) = url.split_at(end);
    let more = if path.trim_matches('/').is_empty() { "" } else { " and a path" };
    format!("{}{more}", toml::Value::from(server))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn shown(text: &str, environment: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let config = Config::parse(text, environment).unwrap();
        let line = |one: &ChosenOption| {
            let from = one.variable.as_deref().unwrap_or("the file");
            format!("{} = {} ({from})", one.option, one.value)
        };
        config.chosen.iter().map(line).collect()
    }

    #[test]
    fn a_configuration_says_what_file_and_environment_set_and_nothing_of_its_defaults() {
        let text = "name = \"anna\"\n[policy]\nmost_per_hour = 7\n[group.\"a b\".policy]\n\
            approval = \"automatic\"\n[group.\"a b\".policy.transactions]\nmost_per_day = 5\n";
        let from = |name: &str| (name == "ROASTERY_POLICY_MOST_PER_HOUR").then(|| "9".to_owned());
        let expected = [
            "group.\"a b\".policy.approval = \"automatic\" (the file)",
            "group.\"a b\".policy.transactions.most_per_day = 5 (the file)",
            "name = \"anna\" (the file)",
            "policy.most_per_hour = 9 (ROASTERY_POLICY_MOST_PER_HOUR)",
        ];
        let mut found = shown(text, from);
        found.sort();
        assert_eq!(found, expected);
        assert_eq!(shown("", |_| None), Vec::<String>::new());
        assert_eq!(Config::default().chosen, []);
    }

    #[test]
    fn of_a_command_its_program_is_shown_and_no_argument() {
        let text =
            "[policy]\napproval = \"command\"\ncommand = [\"ask\", \"--token\", \"s3cret\"]\n";
        let shown = shown(text, |_| None);
        assert!(shown.contains(&"policy.command = \"ask\" and 2 arguments (the file)".to_owned()));
        assert!(!shown.concat().contains("s3cret"), "{shown:?}");
    }

    #[test]
    fn of_a_hook_no_arguments_and_of_a_server_neither_path_nor_query_are_shown() {
        let text = "[[hooks]]\nname = \"phone\"\non = [\"signed\"]\n\
            command = [\"tell\", \"ntfys://s3cret@ntfy.example\"]\n\
            [[hooks]]\nname = \"ops\"\non = [\"signed\"]\n\
            url = \"https://ops.example/s3cret\"\nsecret_file = \"ops.secret\"\n\
            [[hooks]]\nname = \"bare\"\non = [\"signed\"]\n\
            url = \"https://ops.example?key=s3cret/b\"\nsecret_file = \"ops.secret\"\n\
            [wallet]\nsource = \"esplora\"\nurl = \"https://esplora.example/s3cret/api\"\n";
        let shown = shown(text, |_| None);
        for line in [
            "hooks.phone.command = \"tell\" and 1 arguments (the file)",
            "hooks.ops.url = \"https://ops.example\" and a path (the file)",
            "hooks.bare.url = \"https://ops.example\" and a path (the file)",
            "wallet.url = \"https://esplora.example\" and a path (the file)",
            "hooks.ops.secret_file = \"ops.secret\" (the file)",
        ] {
            assert!(shown.contains(&line.to_owned()), "{line}: {shown:?}");
        }
        assert!(!shown.concat().contains("s3cret"), "{shown:?}");
    }
}
