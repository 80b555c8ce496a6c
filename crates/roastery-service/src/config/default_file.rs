use roastery_libp2p::{DialAddress, ListenAddress};
use roastery_protocol::group::Name;

/// The configuration file of a new node: every option with its meaning and its default.
pub fn default_file(name: &Name, listen: &[ListenAddress], announce: &[DialAddress]) -> String {
    TEMPLATE
        .replace("{name}", &quoted(name.as_str()))
        .replace("{listen}", &list(listen))
        .replace("{announce}", &list(announce))
}

fn list(items: &[impl ToString]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(&item.to_string())).collect();
    format!("[{}]", items.join(", "))
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

const TEMPLATE: &str = r#"# The configuration of a Roastery node. Paths are relative to the folder that this file is in; those in variables to the current one. Options that are commented
# out show their defaults. Those that say so can be set by a variable of the environment as well, which counts more.

# What the node is called: it stands on its card and in the invitations made of that. (ROASTERY_NAME)
name = {name}

# A file with the store's passphrase in its first line. Without it the passphrase is asked for, or taken from
# ROASTERY_PASSPHRASE. (ROASTERY_PASSPHRASE_FILE)
# passphrase_file = "passphrase"

# The host key: needed to make a group's key and to recover a share. Keep it offline otherwise. (ROASTERY_HOST_KEY)
# host_key = "host-key"

[transport]
# Where this node listens: /ip4/IP or /ip6/IP, followed by /tcp/PORT or /udp/PORT/quic-v1. (ROASTERY_TRANSPORT_LISTEN)
listen = {listen}
# Where the others call it: the same with an address that they reach, or with /dns/NAME, which they look up at each call.
# These stand on its card, which is made anew at the next start when they change: give it to the others then, who take it up
# with roastery peers add. Without any the others cannot call this node: it calls them. (ROASTERY_TRANSPORT_ANNOUNCE)
announce = {announce}

# With true at each of them, members that cannot call each other are connected through one that both reach. A malicious member
# can stop nodes that have it on, so it is off: docs/transport.md says how. (ROASTERY_TRANSPORT_RELAY)
# relay = false

# Other addresses of peers than those that they have said themselves. A peer's name is the "peer" of its card.
# [transport.peers]
# "0024080112..." = ["/ip4/203.0.113.7/tcp/7400"]

[api]
# The Unix socket of the API. A user who may write to it is the operator, unless there is a section [operators] below.
# (ROASTERY_API_SOCKET)
# socket = "api.sock"
# HTTP over TCP as well, at this address. It is not encrypted: use it on this machine, or behind a proxy. (ROASTERY_API_LISTEN)
# listen = "127.0.0.1:7401"
# The token that requests over TCP bring as "Authorization: Bearer TOKEN"; written when it is missing. (ROASTERY_API_TOKEN_FILE)
# token_file = "api-token"
# The token of those that may only look, and approve nothing; written when it is missing. (ROASTERY_API_READ_TOKEN_FILE)
# read_token_file = "api-read-token"
# Further ones, with a name, a role and an end, are made by roastery token add.

# What users of this machine may do at the API's socket, by their names: "reader" looks, "proposer" also asks for signatures,
# "approver" also approves and rejects, "operator" does everything. The user of this node and root always may, others nothing.
# Without this section all who can open the socket are operators. With it api.socket is where they can reach it, for example
# /run/roastery/api.sock (docs/operators.md).
# [operators]
# anna = "operator"

# Decisions from elsewhere, with passkeys: off until an origin is set (docs/remote.md).
[remote]
# The origin of the pages that use the passkeys: https://NAME or https://NAME:PORT of a proxy with TLS on this machine, or
# http://localhost:PORT to try it out. No address, no path.
# origin = "https://treasury.anna.example"
# The Unix socket of roastery console --remote, which may read there, and hands on what a passkey has signed.
# socket = "relay.sock"
# The number of the user of that process, if it is another one than this node's (id -u roastery-console).
# user = 990

[observability]
# Health, readiness and metrics without a token, at this address. They are at the API's socket in any case. (ROASTERY_OBSERVABILITY_LISTEN)
# listen = "127.0.0.1:7402"
# The names under which it is called there, beside addresses and localhost. (ROASTERY_OBSERVABILITY_HOSTS)
# hosts = []
# What is logged: error, warn, info, debug, or a filter like "info,roastery_service=debug". (ROASTERY_OBSERVABILITY_LOG)
# log = "info"
# "text" for people, "json" for machines. (ROASTERY_OBSERVABILITY_LOG_FORMAT)
# log_format = "text"

[store]
# How many days a request is kept after its last change, once it has expired; 0 keeps it for ever. The audit log stays. (ROASTERY_STORE_KEEP_ENDED_DAYS)
# keep_ended_days = 90

[bitcoin]
# The network whose addresses are shown and allowed: main, testnet3, testnet4, signet or regtest. (ROASTERY_BITCOIN_NETWORK)
# network = "main"

# Where this node learns what is in the chain: balance, payments and fee bumps need it (roastery wallet), signing does not.
[wallet]
# "none"; "bitcoind": Bitcoin Core by its RPC; "electrum", "esplora": a server of this kind, which learns the wallet's addresses.
# (ROASTERY_WALLET_SOURCE)
# source = "none"
# Where it is: http://127.0.0.1:8332 of Bitcoin Core, ssl://HOST:PORT or tcp://HOST:PORT of Electrum, https://HOST/PATH of Esplora.
# (ROASTERY_WALLET_URL)
# url = "http://127.0.0.1:8332"
# For Bitcoin Core, one of these: its cookie file (ROASTERY_WALLET_COOKIE_FILE), or a file with USER:PASSWORD in one line
# (ROASTERY_WALLET_PASSWORD_FILE). It is read each time that it is needed.
# cookie_file = "/home/bitcoin/.bitcoin/.cookie"
# password_file = "bitcoind-password"
# For Bitcoin Core: the height of the first block that is read, which no coin of the group is below. If nothing is said 709632 on
# main, the first block with Taproot, and 0 elsewhere. (ROASTERY_WALLET_START_HEIGHT)
# start_height = 709632

# What this node signs. A rule that does not hold refuses a request; what passes all rules is approved as "approval" says.
[policy]
# "manual": you, with roastery approve. "command": a local command is asked. "automatic": the rules are enough.
# (ROASTERY_POLICY_APPROVAL)
# approval = "manual"
# The command and its arguments. It gets the request as JSON on its standard input and approves it with exit status 0; the
# first line that it prints goes into the log. It is asked again while the request is being signed.
# command = ["./approve"]
# How long it may take, and how long its answer counts, in seconds.
# command_timeout_seconds = 30
# command_validity_seconds = 60
# What may be signed at all: "text", "transaction", and "hash": bare hashes, which cannot be examined.
# (ROASTERY_POLICY_KINDS)
# kinds = ["text", "transaction"]
# Who approves a proof of funds, a text that is signed with coins beside it: "by_hand": you, whatever "approval" says;
# "as_texts": as "approval" says.
# proofs_of_funds = "by_hand"
# The most requests that are approved in an hour; 0 means any number. (ROASTERY_POLICY_MOST_PER_HOUR)
# most_per_hour = 0
# The longest life of a request, in seconds: 1 to 604800.
# longest_life_seconds = 604800

# What may leave with a payment that is approved from elsewhere, with a passkey, and within 24 hours, fees included, in satoshi:
# 0 means that none is. As much as for one payment if nothing is said for 24 hours.
# remote_most = 0
# remote_most_per_day = 0

# What transactions may do. Amounts are in satoshi; a rule that is absent is not applied.
[policy.transactions]
# The most that leaves the group with one transaction, and within 24 hours, fees included.
# most_per_transaction = 10000000
# most_per_day = 50000000
# The addresses that may be paid. The group's own are allowed always.
# destinations = ["bc1p..."]
# The highest fee; the highest fee rate in satoshi per virtual byte, 1000 if nothing is said; and the largest part of what
# the group spends that may be lost as fee or burnt, in percent, 20 if nothing is said.
# most_fee = 100000
# most_fee_rate = 1000
# most_fee_percent = 20
# Whether an output that looks like change must be an address of the group's wallet, and something must return to it where
# several others are paid. If nothing is said: true where approval is "automatic", false otherwise.
# change_must_be_ours = false
# Whether the previous transaction of each input must be there, so that no amount has to be believed.
# previous_transactions_required = false
# Whether what was paid before is refused: the same amount to the same address, by a transaction that the chain source shows
# or by another request.
# pay_once = false

# Which changes of a group this node takes part in. A person decides about each, but where "approval" or "accept"
# says otherwise; the rules bind that person too.
[policy.change]
# Who approves a plan, as a member before it: "manual", or "command" for a local command beside the person, which gets the
# plan as JSON on its standard input and approves with exit status 0; command_timeout_seconds holds for it as well.
# approval = "manual"
# command = ["./approve-plan"]
# Who accepts a plan, as a member after it: "manual", or "automatic" for the node itself, where it is a member before the
# plan as well and as many have approved as must sign. Neither counts as the person's word for erasing old shares.
# accept = "manual"
# The fewest members after it, and how many seats may be away while the group signs, at least. A member may have several seats.
# least_members = 0
# least_margin = 0
# The most members that may leave at once; any number if nothing is said.
# most_leaving = 1
# The fewest whole days since this node has adopted the epoch before.
# least_days_between = 0
# Whether fewer may have to sign after it: a lower threshold, or fewer members that have enough seats together.
# allow_lower_threshold = false
# The fewest members that have approved before this node deals; as many seats as must sign are needed in any case.
# least_approvals = 0

# What is different for one group, meant by its name or its id (64 digits): a policy, which takes the place of the one above
# as a whole, the scripts that may spend from its wallet as well, and how far its addresses are searched.
# [group.treasury]
# scripts = "and_v(v:pk(XPUB/**),older(52560))"
# How many addresses of each branch are searched for an output of which a PSBT does not say where it is; up to 100000. The
# same at all nodes of the group.
# search_depth = 1000
# [group.treasury.policy]
# approval = "automatic"

# Whom this node tells what happens: programs that it runs, servers that it calls. At most 16. roastery hooks shows them.
# [[hooks]]
# name = "phone"
# Of what: request-waiting, signed, cannot-succeed, member-gone:5m (or 90s, 2h), fault-proven, unhealthy, operator-changed.
# on = ["request-waiting", "fault-proven", "unhealthy"]
# How much: "none": what has happened, the group's name and the request's id. "summary": also amounts, names and reasons. "full":
# also the whole request. Other people's servers see it.
# detail = "none"
# A program and its arguments, without a shell. {title} and {body} stand for what is told; all of it is JSON on its standard input.
# command = ["apprise", "-t", "{title}", "-b", "{body}", "ntfys://ntfy.example/treasury"]
# [[hooks]]
# name = "ops"
# on = ["signed"]
# A server that takes Standard Webhooks, and the file of the secret that it shares with this node (mode 0600).
# url = "https://ops.example/roastery"
# secret_file = "ops.secret"
"#;

#[cfg(test)]
mod tests {
    use super::{super::*, default_file};

    /// These options have no default; the file shows an example.
    const NO_DEFAULT: [&str; 19] = [
        "anna",
        "url",
        "cookie_file",
        "password_file",
        "start_height",
        "listen",
        "command",
        "passphrase_file",
        "most_per_transaction",
        "most_per_day",
        "destinations",
        "most_fee",
        "most_fee_rate",
        "most_fee_percent",
        "change_must_be_ours",
        "most_leaving",
        "origin",
        "user",
        "remote_most_per_day",
    ];

    /// The values of a configuration, whatever sets them.
    fn values(text: &str, environment: impl Fn(&str) -> Option<String>) -> Config {
        Config { chosen: Vec::new(), ..Config::parse(text, environment).unwrap() }
    }

    fn file() -> String {
        let default = Config::default();
        default_file(&default.name, &default.transport.listen, &[])
    }

    #[test]
    fn the_file_that_a_new_node_begins_with_says_what_the_defaults_are() {
        let file = file();
        assert_eq!(values(&file, |_| None), Config::default());
        // A line that is commented out shows the default.
        let uncommented: Vec<String> = file
            .lines()
            .take_while(|line| !line.starts_with("# What is different for one group"))
            .filter(|line| {
                let option = line.strip_prefix("# ").unwrap_or("");
                let word = option.split(" = ").next().unwrap_or("");
                option.contains(" = ")
                    && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                    && !word.is_empty()
                    && !NO_DEFAULT.contains(&word)
                    || !line.starts_with('#')
            })
            .map(|line| line.trim_start_matches("# ").to_owned())
            .collect();
        let text = uncommented.join("\n");
        assert_eq!(values(&text, |_| None), Config::default(), "{text}");
        assert!(uncommented.len() > 20, "{text}");
    }

    #[test]
    fn every_variable_of_the_environment_is_named_in_the_file_and_counts_more_than_it() {
        let file = file();
        for option in ENVIRONMENT {
            let variable = variable(option);
            assert!(file.contains(&format!("({variable})")), "{variable}");
            let value = match option {
                "transport.relay" => "true",
                "transport.listen" | "transport.announce" => "[\"/ip4/127.0.0.1/tcp/1\"]",
                "api.listen" | "observability.listen" => "127.0.0.1:1",
                "observability.log_format" => "json",
                "bitcoin.network" => "signet",
                "policy.approval" => "automatic",
                "policy.kinds" => "[\"hash\"]",
                "observability.hosts" => "[\"node.example\"]",
                "wallet.source" => "esplora",
                "wallet.start_height" | "policy.most_per_hour" | "store.keep_ended_days" => "5",
                _ => "other",
            };
            // A source is somewhere.
            let url = (option, "ROASTERY_WALLET_URL", "https://esplora.example/api");
            let set = |name: &str| match name {
                name if name == variable => Some(value.to_owned()),
                name if url.0 == "wallet.source" && name == url.1 => Some(url.2.to_owned()),
                _ => None,
            };
            assert_ne!(values(&file, set), Config::default(), "{option}");
        }
        let wrong = |name: &str| (name == "ROASTERY_API_LISTEN").then(|| "nowhere".to_owned());
        let error = Config::parse(&file, wrong).unwrap_err().to_string();
        assert!(error.starts_with("ROASTERY_API_LISTEN: "), "{error}");
    }

    #[test]
    fn a_mistake_in_the_file_is_named_in_one_line() {
        for (text, said) in [
            ("name = 5", "line 1: "),
            ("\n[api]\nsokket = \"x\"", "line 3: unknown field `sokket`"),
            ("name = \"\"", "line 1: it has 0 bytes; a name is 1 to 64"),
            ("name = \"a\\u202e\"", "line 1: it has the character U+202E"),
            ("[policy]\napproval = \"command\"", "policy.command: is needed"),
            ("[policy]\ncommand_timeout_seconds = 0", "policy.command_timeout_seconds: 0; 1 to"),
            ("[policy]\nkinds = [\"all\"]", "line 2: unknown variant `all`"),
            ("[transport]\nlisten = [\"here\"]", "line 2: "),
            ("[wallet]\nsource = \"core\"", "line 2: unknown variant `core`"),
            ("[wallet]\nsource = \"esplora\"", "wallet.url: is needed"),
            (
                "[wallet]\nsource = \"electrum\"\nurl = \"https://electrum.example\"",
                "wallet.url: \"https://electrum.example\" is no URL of electrum",
            ),
            (
                "[wallet]\nsource = \"bitcoind\"\nurl = \"http://127.0.0.1:8332\"",
                "wallet.cookie_file: for \"bitcoind\" either",
            ),
            ("[", "line 1: "),
        ] {
            let error = Config::parse(text, |_| None).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains('\n'), "{text:?}: {error}");
        }
    }
}
