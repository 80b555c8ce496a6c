//! Examples in the help of every command.

use clap::Command;

/// The examples of each command, by its words.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("", &["roastery demo", "roastery local --signers 5 --threshold 3", "roastery help sign"]),
    ("review", &["roastery review", "roastery review 57515554"]),
    ("watch", &["roastery watch", "roastery watch --lines"]),
    ("fetch", &["roastery fetch 57515554 --out signed.psbt"]),
    (
        "demo",
        &[
            "roastery demo",
            "roastery demo --signers 100 --threshold 67 --offline 33",
            "roastery demo --console",
        ],
    ),
    ("recover", &["roastery recover treasury.recovery --host-key host-key --share share-of-anna"]),
    ("evidence", &["roastery evidence list --out proofs"]),
    ("evidence show", &["roastery evidence show proofs/PROOF"]),
    ("evidence list", &["roastery evidence list", "roastery evidence list --out proofs"]),
    ("evidence verify", &["roastery evidence verify --group treasury.group proofs/*"]),
    (
        "setup",
        &[
            "roastery setup",
            "roastery setup --yes --name anna --address anna.example --passphrase-file words",
        ],
    ),
    (
        "invite",
        &[
            "roastery invite",
            "roastery invite --group treasury bert cleo",
            "roastery invite --again bert",
            "roastery invite --return cleo",
        ],
    ),
    ("join", &["roastery join", "roastery join --cancel"]),
    (
        "init",
        &["roastery init --name anna --announce /ip4/203.0.113.7/tcp/7400 --passphrase-file words"],
    ),
    ("card", &["roastery card", "roastery card --out anna.toml"]),
    ("peers", &["roastery peers add bert.toml"]),
    ("peers add", &["roastery peers add bert.toml"]),
    ("group", &["roastery group join treasury.toml"]),
    (
        "group new",
        &[
            "roastery group new --name treasury --threshold 2 --out treasury.toml anna.toml bert.toml cleo.toml",
        ],
    ),
    (
        "group join",
        &[
            "roastery group join treasury.toml",
            "roastery group join treasury.toml --name new-treasury",
        ],
    ),
    (
        "group export",
        &[
            "roastery group export treasury --group-file treasury.group --recovery-file treasury.recovery",
        ],
    ),
    ("group rename", &["roastery group rename treasury old-treasury"]),
    (
        "group acknowledge",
        &["roastery group acknowledge 3 4a55 6b25 8865 7c28 76ed c154 47db 396c --group treasury"],
    ),
    ("group bar", &["roastery group bar carol --group treasury"]),
    ("group recover", &["roastery group recover treasury.recovery"]),
    (
        "keygen",
        &["roastery keygen treasury --fingerprint \"4a55 6b25 8865 7c28 76ed c154 47db 396c\""],
    ),
    ("change", &["roastery change card --out anna.card", "roastery change status"]),
    (
        "change card",
        &["roastery change card --out anna.card", "roastery change card --seats 2 --out anna.card"],
    ),
    (
        "change seats",
        &["roastery change seats --group treasury --out plan.toml anna.card bert.card"],
    ),
    (
        "change refresh",
        &["roastery change refresh --group treasury --out plan.toml anna.card bert.card cleo.card"],
    ),
    (
        "change add",
        &[
            "roastery change add --group treasury --threshold 3 --out plan.toml anna.card bert.card cleo.card dora.card",
        ],
    ),
    (
        "change remove",
        &[
            "roastery change remove --member cleo --group treasury --out plan.toml anna.card bert.card",
        ],
    ),
    (
        "change threshold",
        &[
            "roastery change threshold --threshold 3 --group treasury --out plan.toml anna.card bert.card cleo.card",
        ],
    ),
    ("change propose", &["roastery change propose plan.toml"]),
    ("change show", &["roastery change show", "roastery change show 8d2f6a1b"]),
    (
        "change approve",
        &["roastery change approve --fingerprint \"4a55 6b25 8865 7c28 76ed c154 47db 396c\""],
    ),
    (
        "change accept",
        &["roastery change accept --fingerprint \"4a55 6b25 8865 7c28 76ed c154 47db 396c\""],
    ),
    ("change withdraw", &["roastery change withdraw 8d2f6a1b"]),
    ("change status", &["roastery change status", "roastery change status --json"]),
    ("change epochs", &["roastery change epochs", "roastery change epochs --json"]),
    (
        "change erase",
        &[
            "roastery change erase --group treasury --backup treasury.backup",
            "roastery change erase --group treasury --single-copy --without cleo",
            "roastery change erase --group treasury --cancel",
        ],
    ),
    ("change log", &["roastery change log", "roastery change log --from 100 --json"]),
    ("kit", &["roastery kit", "roastery kit words treasury"]),
    ("kit words", &["roastery kit words treasury"]),
    (
        "kit export",
        &[
            "roastery kit export treasury /media/anna/kit",
            "roastery kit export treasury kit-of-cleo --of cleo",
        ],
    ),
    ("kit restore", &["roastery kit restore kit-of-cleo treasury.recovery"]),
    ("hostkey", &["roastery hostkey check host.key"]),
    ("hostkey export", &["roastery hostkey export --group treasury --into /media/anna"]),
    ("hostkey check", &["roastery hostkey check host.key"]),
    ("config", &["roastery config check"]),
    ("config check", &["roastery config check", "roastery config check --folder anna/node"]),
    ("doctor", &["roastery doctor", "roastery doctor --folder anna/node --json"]),
    ("node", &["roastery node", "roastery node --folder anna/node"]),
    ("stop", &["roastery stop"]),
    (
        "sign",
        &[
            "roastery sign --group treasury --text \"We, the treasury\"",
            "roastery sign --group treasury --text \"We, the treasury\" --wait 0",
        ],
    ),
    (
        "requests",
        &["roastery requests", "roastery requests --state proposed", "roastery requests 4f3a9c01"],
    ),
    #[cfg(feature = "remote")]
    (
        "console",
        &[
            "roastery console",
            "roastery console --port 7403",
            "roastery console --remote --port 7403 --socket /run/roastery/relay.sock",
        ],
    ),
    #[cfg(not(feature = "remote"))]
    ("console", &["roastery console", "roastery console --port 7403"]),
    ("approve", &["roastery approve 4f3a9c01", "roastery approve 4f3a9c01 --yes --wait 0"]),
    ("reject", &["roastery reject 4f3a9c01 --note \"not agreed\""]),
    (
        "verify",
        &[
            "roastery verify --group treasury.group --text \"We, the treasury\" --signature smpAUBZ...",
            "roastery verify --address bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l --text \"\" --signature smpAkcwRA...",
        ],
    ),
    ("status", &["roastery status", "roastery status --json"]),
    ("health", &["roastery health"]),
    ("audit", &["roastery audit", "roastery audit --from 100 --json", "roastery audit --check"]),
    ("token", &["roastery token add payout --role operator --expires 90d"]),
    (
        "token add",
        &[
            "roastery token add payout --role operator --expires 90d",
            "roastery token add monitor --role reader --expires never",
        ],
    ),
    #[cfg(feature = "remote")]
    ("passkey", &["roastery passkey add anna --role operator"]),
    #[cfg(feature = "remote")]
    ("passkey add", &["roastery passkey add anna --role operator"]),
    #[cfg(feature = "remote")]
    ("passkey list", &["roastery passkey list"]),
    #[cfg(feature = "remote")]
    ("passkey remove", &["roastery passkey remove anna"]),
    ("token list", &["roastery token list"]),
    ("token revoke", &["roastery token revoke payout"]),
    ("hooks", &["roastery hooks", "roastery hooks test phone"]),
    ("hooks test", &["roastery hooks test phone"]),
    (
        "log",
        &[
            "roastery log",
            "roastery log --from 100 --json",
            "roastery log --export log-2026.jsonl --cut-before 2026-01-01",
            "roastery log --check log-2026.jsonl",
        ],
    ),
    ("backup", &["roastery backup anna.backup"]),
    ("restore", &["roastery restore anna.backup --folder anna/new"]),
    ("passphrase", &["roastery passphrase --new-passphrase-file new-words"]),
    (
        "local",
        &[
            "roastery local --signers 5 --threshold 3",
            "roastery local --seats 3,1,1 --threshold 3",
            "roastery local --only 1",
            "roastery local --stop",
        ],
    ),
    (
        "wallet",
        &[
            "roastery wallet --group treasury.group --network signet",
            "roastery wallet --group treasury.group --network main --account 1 --export core",
            "roastery wallet balance",
        ],
    ),
    ("wallet balance", &["roastery wallet balance --coins"]),
    ("wallet address", &["roastery wallet address --new"]),
    ("wallet history", &["roastery wallet history --group treasury --limit 20"]),
    (
        "wallet send",
        &["roastery wallet send bc1q... 0.12", "roastery wallet send bc1q... 0.12 --fee-rate 8.5"],
    ),
    ("wallet sweep", &["roastery wallet sweep bc1q... --fee-rate 2"]),
    ("wallet bump", &["roastery wallet bump a0a1... --fee-rate 20"]),
    ("wallet fetch", &["roastery wallet fetch 57515554 --wait 600"]),
    ("wallet labels", &["roastery wallet labels export --out labels.jsonl"]),
    ("wallet labels export", &["roastery wallet labels export --out labels.jsonl"]),
    ("wallet labels import", &["roastery wallet labels import labels.jsonl"]),
    ("psbt", &["roastery psbt show payment.psbt --group treasury.group --network signet"]),
    ("psbt show", &["roastery psbt show payment.psbt --group treasury.group --network signet"]),
    (
        "psbt sign",
        &[
            "roastery psbt sign payment.psbt",
            "roastery psbt sign payment.psbt --group treasury --out signed.psbt",
            "roastery psbt sign payment.psbt --group treasury --yes --wait 0",
        ],
    ),
    ("psbt fetch", &["roastery psbt fetch 4f3a9c01 --out signed.psbt"]),
    ("psbt check", &["roastery psbt check signed.psbt"]),
    (
        "hwi",
        &["roastery hwi enumerate", "roastery hwi --stdin --fingerprint 6738736c --chain main"],
    ),
    ("hwi enumerate", &["roastery hwi enumerate"]),
    (
        "hwi getdescriptors",
        &["roastery hwi --fingerprint 6738736c --chain main getdescriptors --account 0"],
    ),
    (
        "hwi displayaddress",
        &[
            "roastery hwi --fingerprint 6738736c --chain main displayaddress --desc \"tr([6738736c/0/0]KEY)\"",
        ],
    ),
    (
        "hwi signtx",
        &["roastery hwi --fingerprint 6738736c --chain main signtx cHNidP8BAF4CAAAAA..."],
    ),
    ("completions", &["roastery completions bash > roastery.bash"]),
    ("man", &["roastery man manual-pages"]),
];

/// Adds its examples to each command.
pub(crate) fn add(command: Command) -> Command {
    with_examples(command, "")
}

fn with_examples(command: Command, words: &str) -> Command {
    let known = EXAMPLES.iter().find(|(of, _)| *of == words);
    let command = match known {
        Some((_, lines)) => {
            let lines: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
            command.after_help(format!("Examples:\n{}", lines.join("\n")))
        }
        None => command,
    };
    // A negative number is an invalid value, not an option.
    let command = command.mut_args(|argument| match argument.get_action().takes_values() {
        true => argument.allow_negative_numbers(true),
        false => argument,
    });
    let names: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let words = if words.is_empty() { name.clone() } else { format!("{words} {name}") };
        command.mut_subcommand(name, |sub| with_examples(sub, &words))
    })
}

/// The first example of a command.
pub(crate) fn first(words: &str) -> Option<&'static str> {
    let (_, lines) = EXAMPLES.iter().find(|(of, _)| *of == words)?;
    lines.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(command: &Command, words: &str, seen: &mut Vec<String>) {
        let help = command.clone().render_help().to_string();
        assert!(help.contains("\nExamples:\n  roastery "), "roastery {words} --help has none");
        seen.push(words.to_owned());
        for sub in command.get_subcommands() {
            let words = format!("{words} {}", sub.get_name()).trim().to_owned();
            walk(sub, &words, seen);
        }
    }

    #[test]
    fn every_command_has_examples_in_its_help_and_every_example_belongs_to_a_command() {
        let mut seen = Vec::new();
        walk(&crate::command(), "", &mut seen);
        for (words, lines) in EXAMPLES {
            assert!(seen.iter().any(|seen| seen == words), "there is no command {words:?}");
            // Options may stand between the words, as Bitcoin Core writes them for `hwi`.
            let is_of = |line: &&str| {
                let mut parts = line.split(' ');
                words.split(' ').all(|word| parts.any(|part| part == word))
            };
            assert!(words.is_empty() || lines.iter().any(is_of), "{words}: {lines:?}");
        }
    }

    #[test]
    fn every_example_is_a_command_that_is_understood() {
        for line in EXAMPLES.iter().flat_map(|(_, lines)| *lines) {
            let line = line.split(" > ").next().unwrap_or(line);
            let line = line.replace("59be...", &"59".repeat(64));
            let line = line.replace("a0a1...", &"a0".repeat(32));
            let mut words = Vec::new();
            for (number, part) in line.split('"').enumerate() {
                match number % 2 {
                    0 => words.extend(part.split_whitespace().map(str::to_owned)),
                    _ => words.push(part.to_owned()),
                }
            }
            let understood = crate::command().try_get_matches_from(&words);
            let shown = |error: &clap::Error| error.kind() == clap::error::ErrorKind::DisplayHelp;
            assert!(understood.as_ref().map_or_else(shown, |_| true), "{line}: {understood:?}");
        }
    }
}
