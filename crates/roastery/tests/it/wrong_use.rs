//! Usage errors: each answer says in one line what was wrong, what is allowed and what to do next.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Words that mean nothing to a user.
const JARGON: &[&str] = &[
    "os error",
    "invalid digit",
    "too large to fit",
    "none was supplied",
    "Some(",
    "None",
    "Error {",
    "panicked",
    "not in 2..=",
];

/// The command, and what its answer has in it.
const USES: &[(&str, &[&str])] = &[
    // No command, or none that there is.
    ("", &["no command was given", "demo", "sign", "for example: roastery demo"]),
    ("frobnicate", &["no command \"frobnicate\"", "allowed are", "requests"]),
    ("statsu", &["no command \"statsu\"", "status is the nearest"]),
    ("group", &["no command was given", "allowed are new, join"]),
    ("group make", &["no command \"make\"", "allowed are new, join"]),
    ("psbt", &["no command was given", "allowed are show, sign"]),
    ("psbt send", &["no command \"send\"", "allowed are show, sign"]),
    ("evidence", &["no command was given", "allowed are show, list"]),
    ("evidence judge", &["no command \"judge\"", "allowed are show, list"]),
    ("config", &["no command was given", "check"]),
    ("config show", &["no command \"show\"", "check"]),
    // Options and words that there are not.
    ("demo --frob", &["no option --frob", "--signers", "--threshold"]),
    ("sign --group a --txt b", &["no option --txt", "--text is the nearest"]),
    ("status extra", &["\"extra\" is one word too many", "roastery status"]),
    ("stop now", &["\"now\" is one word too many", "roastery stop"]),
    ("node --port 1", &["no option --port", "allowed are", "--folder"]),
    // What is missing.
    ("sign", &["missing", "--group <GROUP>", "--text <TEXT>", "for example: roastery sign"]),
    ("sign --group a", &["missing", "--text <TEXT>", "for example: roastery sign"]),
    ("approve", &["missing", "<REQUEST>", "for example: roastery approve"]),
    ("reject", &["missing", "<REQUEST>", "for example: roastery reject"]),
    ("keygen", &["missing", "<GROUP>", "--fingerprint", "for example: roastery keygen"]),
    ("keygen a", &["missing", "--fingerprint", "for example: roastery keygen"]),
    ("backup", &["missing", "<FILE>", "for example: roastery backup"]),
    ("restore", &["missing", "<FILE>", "for example: roastery restore"]),
    ("man", &["missing", "<FOLDER>", "for example: roastery man"]),
    ("completions", &["missing", "<SHELL>", "for example: roastery completions"]),
    ("verify", &["missing", "--group <FILE>", "--signature", "for example: roastery verify"]),
    ("wallet", &["missing", "--group <FILE>", "for example: roastery wallet"]),
    ("psbt show", &["missing", "<FILE>", "for example: roastery psbt show"]),
    ("psbt sign", &["missing", "<FILE>", "for example: roastery psbt sign"]),
    ("psbt check", &["missing", "<FILE>", "for example: roastery psbt check"]),
    ("psbt fetch", &["missing", "<REQUEST>", "for example: roastery psbt fetch"]),
    ("recover text", &["missing", "--host-key", "for example: roastery recover"]),
    ("group new", &["missing", "--name", "<CARD>", "for example: roastery group new"]),
    ("group join", &["missing", "<FILE>", "for example: roastery group join"]),
    ("init", &["missing", "--name", "for example: roastery init"]),
    ("init --name", &["--name <NAME> has no value", "for example: roastery init"]),
    ("status --folder", &["--folder <FOLDER> has no value", "for example: roastery status"]),
    ("evidence verify text", &["missing", "--group", "for example: roastery evidence verify"]),
    // Values.
    ("demo --signers none", &["--signers", "\"none\" is not allowed", "2 to 128"]),
    ("demo --signers -1", &["--signers", "\"-1\" is not allowed", "2 to 128"]),
    ("demo --signers 99999999999999999999999", &["--signers", "2 to 128"]),
    ("demo --threshold 1", &["--threshold", "2 to 128"]),
    ("demo --threshold 6", &["--threshold 6 with --signers 5", "2 to the number of signers"]),
    ("demo --offline 3", &["--offline 3", "at most 2 may be offline"]),
    ("demo --offline x", &["--offline", "0 to the number of signers less the threshold"]),
    ("demo --message 00", &["--message", "64 hexadecimal digits"]),
    ("demo --deadline soon", &["--deadline", "seconds above 0"]),
    ("local --signers 33", &["--signers", "2 to 32"]),
    ("local --threshold x", &["--threshold", "2 to 128"]),
    ("local --seats 3,0", &["--seats", "1 to 32"]),
    ("local --seats 3,1 --signers 2", &["--signers", "--seats"]),
    ("local --port 70000", &["--port", "1 to 65535"]),
    ("local --only x", &["--only", "0 to 31"]),
    ("local --only 1 --stop", &["--only", "--stop", "exclude each other"]),
    ("requests --state bogus", &["--state", "\"bogus\"", "waiting, signing, refused, signed"]),
    ("requests --limit 0", &["--limit", "\"0\"", "whole numbers from 1"]),
    ("requests --before x", &["--before", "whole numbers from 0"]),
    ("requests 123", &["\"123\"", "8 to 64 hexadecimal digits", "roastery requests"]),
    ("requests --json --ids", &["--json", "--ids", "exclude each other"]),
    ("requests --ids --ids", &["--ids", "once only"]),
    ("approve 1234", &["\"1234\"", "8 to 64 hexadecimal digits"]),
    ("approve zzzzzzzz", &["\"zzzzzzzz\"", "8 to 64 hexadecimal digits"]),
    ("reject 1234", &["\"1234\"", "8 to 64 hexadecimal digits"]),
    ("psbt fetch 1234", &["\"1234\"", "8 to 64 hexadecimal digits"]),
    ("sign --group a --text b --hash 00", &["--hash", "64 hexadecimal digits"]),
    (
        "sign --group a --text b --wait -1",
        &["--wait", "\"-1\" is not allowed", "whole numbers from 0"],
    ),
    ("sign --group a --text b --wait x", &["--wait", "whole numbers from 0"]),
    ("sign --group a --text b --expires-in 0", &["--expires-in", "from 1 to 604800"]),
    ("sign --group a --text b --expires-in 99999999999999999999", &["--expires-in", "to 604800"]),
    ("sign --group a --text b --path 0'/7", &["--path", "unhardened steps", "like 0/7"]),
    ("sign --group a --text b --path x", &["--path", "unhardened steps", "like 0/7"]),
    ("log --from x", &["--from", "whole numbers from 0"]),
    ("log --cut-before 5", &["missing", "--export <FILE>", "for example: roastery log"]),
    ("log --cut-before 0 --export o", &["--cut-before", "\"0\"", "from 1 on", "2026-01-31"]),
    ("log --cut-before 2026-02-30 --export o", &["--cut-before", "a day like 2026-01-31"]),
    ("log --cut-before 5 --export o", &["no terminal", "--yes"]),
    ("log --cut-before 5 --export o --from 1", &["--from", "--cut-before", "exclude each other"]),
    ("log --yes", &["missing", "--cut-before", "for example: roastery log"]),
    ("log --export o --json", &["--export", "--json", "exclude each other"]),
    ("log --export text", &["text", "already", "another one"]),
    ("log --export no/o", &["no folder no", "make it first"]),
    ("log --export o", &["no node in this folder", "roastery init"]),
    ("log --check text --export o", &["--check", "--export", "exclude each other"]),
    ("log --check nowhere", &["nowhere", "no such file"]),
    ("log --check text", &["text: line 1", "no entry of an audit log", "roastery log --export"]),
    ("log --check empty", &["empty", "no entry", "roastery log --export"]),
    ("completions tcsh", &["\"tcsh\"", "bash", "zsh"]),
    (
        "verify --group text --hash 0000000000000000000000000000000000000000000000000000000000000000 --signature 00",
        &["--signature", "128 hexadecimal digits"],
    ),
    ("verify --address here --text a --signature smp", &["--address", "here", "an address"]),
    (
        "verify --group text --untweaked --text a --signature 00",
        &["--untweaked", "exclude each other"],
    ),
    ("wallet --group text --network bitcoin", &["--network", "main, testnet3, testnet4, signet"]),
    ("wallet --group text --count -1", &["--count", "whole numbers from 0 to 10000"]),
    ("wallet --group text --count 10001", &["--count", "whole numbers from 0 to 10000"]),
    ("recover text --host-key text --group 00", &["--group", "64 hexadecimal digits"]),
    ("group new --name a --threshold x --out o c", &["--threshold", "2 to 128"]),
    ("group new --name a --threshold 2 --number x --out o c", &["--number", "whole numbers"]),
    ("init --name a --listen here", &["--listen", "multiaddress", "/ip4/"]),
    // Files that are not there, or are something else.
    (
        "wallet --group nowhere --network main",
        &["nowhere", "no such file", "roastery group export"],
    ),
    ("wallet --group text --network main", &["text", "group file", "roastery group export"]),
    ("wallet --group empty --network main", &["empty", "group file", "roastery group export"]),
    ("wallet --group folder --network main", &["folder", "a file is needed"]),
    ("wallet --group text", &["which network", "--network", "signet"]),
    ("verify --group nowhere --text a --signature @", &["nowhere", "no such file"]),
    ("evidence show nowhere", &["nowhere", "no such file"]),
    ("evidence show text", &["text"]),
    ("evidence verify --group nowhere text", &["nowhere", "no such file", "group export"]),
    ("recover nowhere --host-key text", &["nowhere", "no such file"]),
    ("recover text --host-key nowhere", &["nowhere", "no such file"]),
    ("recover text --host-key text", &["text", "64 hexadecimal digits"]),
    ("recover text --host-key text --share text", &["text", "already", "another one"]),
    ("group new --name a --threshold 2 --out o nowhere", &["nowhere", "no such file"]),
    ("group new --name a --threshold 2 --out o text", &["text", "no card", "roastery card"]),
    ("group new --name a --threshold 2 --out o empty", &["empty", "no card", "roastery card"]),
    ("group new --name a --threshold 2 --out text text", &["text", "already", "another one"]),
    ("group new --name a --threshold 2 --out no/o text", &["no folder no", "make it first"]),
    ("group join nowhere", &["nowhere", "no such file"]),
    ("group join text", &["text", "no invitation", "roastery group new"]),
    ("group join empty", &["empty", "no invitation", "roastery group new"]),
    ("group join folder", &["folder", "a file is needed"]),
    ("psbt sign text --group a --out text", &["text", "already", "another one"]),
    ("psbt fetch 12345678 --out text", &["text", "already", "another one"]),
    ("psbt sign text --group a --binary", &["missing", "--out <FILE>"]),
    // No node.
    ("status", &["no node in this folder", "roastery init", "--folder"]),
    ("status --folder text", &["text", "a folder is needed"]),
    ("requests", &["no node in this folder", "roastery init"]),
    ("node", &["no node in this folder", "roastery init"]),
    ("stop", &["no node in this folder", "roastery init"]),
    ("config check", &["no node in this folder", "roastery init"]),
    ("sign --group a --text b", &["no node in this folder", "roastery init"]),
    ("psbt sign text --group a", &["text", "not a PSBT"]),
    ("psbt check text", &["text", "not a PSBT"]),
    ("psbt sign payment --group a", &["no node in this folder", "roastery init"]),
    ("local --stop", &["there are no nodes"]),
    ("local --only 3", &["node-3: there is no node", "roastery init"]),
];

/// A PSBT in hexadecimal digits: a transaction without inputs and outputs.
const PSBT: &str = "70736274ff01000a0200000000000000000000";

/// A folder in which there is a text, an empty file, a PSBT and a folder, and no node.
fn place() -> PathBuf {
    let place = std::env::temp_dir().join(format!("roastery-wrong-{}", std::process::id()));
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(place.join("folder")).unwrap();
    fs::write(place.join("text"), "hello\n").unwrap();
    fs::write(place.join("empty"), "").unwrap();
    fs::write(place.join("payment"), PSBT).unwrap();
    place
}

fn answer(place: &Path, arguments: &str) -> (Option<i32>, String, String) {
    let signature = "59".repeat(64);
    let arguments = arguments.split_whitespace().map(|word| match word {
        "@" => signature.as_str(),
        word => word,
    });
    let said = Command::new(env!("CARGO_BIN_EXE_roastery"))
        .args(arguments)
        .current_dir(place)
        .env("HOME", place)
        .env_remove("ROASTERY_FOLDER")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (said.status.code(), text(said.stdout), text(said.stderr))
}

#[test]
fn each_wrong_use_is_told_in_one_line_what_was_wrong_and_what_to_do() {
    assert!(USES.len() >= 80, "{}", USES.len());
    let place = place();
    let mut bad = Vec::new();
    for (arguments, wanted) in USES {
        let (status, out, err) = answer(&place, arguments);
        let lacking: Vec<_> = wanted.iter().filter(|part| !err.contains(**part)).collect();
        let jargon: Vec<_> = JARGON.iter().filter(|word| err.contains(**word)).collect();
        let form = status == Some(2)
            && out.is_empty()
            && err.starts_with("error: ")
            && err.lines().count() == 1;
        if !form || !lacking.is_empty() || !jargon.is_empty() {
            bad.push(format!(
                "roastery {arguments}: {status:?} {err:?} lacks {lacking:?}, has {jargon:?}"
            ));
        }
    }
    fs::remove_dir_all(&place).unwrap();
    assert!(bad.is_empty(), "{} of {}:\n{}", bad.len(), USES.len(), bad.join("\n"));
}
