use std::{env::VarError, io::IsTerminal as _, path::Path};

use anyhow::{Context as _, anyhow};
use bip39::Language;
use roastery_service::{config::Config, files::Folder, text::visible};
use roastery_store::Passphrase;
use zeroize::Zeroizing;

use super::{other_screen::OtherScreen, question};

/// The environment variable that contains a passphrase.
pub(super) const VARIABLE: &str = "ROASTERY_PASSPHRASE";

/// The environment variable that names a file with one.
pub(super) const FILE_VARIABLE: &str = "ROASTERY_PASSPHRASE_FILE";

/// The shortest new passphrase, in characters: a copy of the store can be attacked offline.
const LEAST: usize = 12;

/// The longest passphrase, in bytes.
const MOST: usize = 1024;

/// The passphrase of a node's store: from its file, from the environment, or from the terminal.
pub(super) fn of_node(folder: &Folder, config: &Config) -> anyhow::Result<Passphrase> {
    match &config.passphrase_file {
        Some(file) => from_file(&folder.resolve(file)),
        None => match from_environment()? {
            Some(text) => Ok(Passphrase::new(text.to_string())),
            None => ask("Passphrase: "),
        },
    }
}

/// A new passphrase: from a file, from the environment, or asked for twice.
pub(super) fn new(file: Option<&Path>) -> anyhow::Result<Passphrase> {
    new_text(file).map(|text| Passphrase::new(text.to_string()))
}

/// The same as a text, for a node that is started with it.
pub(super) fn new_text(file: Option<&Path>) -> anyhow::Result<Zeroizing<String>> {
    if let Some(file) = file {
        return text_from_file(file);
    }
    match from_environment()? {
        Some(text) => {
            check_new(&text).context(VARIABLE)?;
            Ok(text)
        }
        None => ask_text_twice(),
    }
}

fn text_from_file(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let line = read_line(path)?;
    check_new(&line).with_context(|| path.display().to_string())?;
    Ok(line)
}

/// A new passphrase from a file.
pub(super) fn new_from_file(path: &Path) -> anyhow::Result<Passphrase> {
    text_from_file(path).map(|line| Passphrase::new(line.to_string()))
}

/// The passphrase of a host key file: from a file, or from the terminal. That of the node is
/// another one.
pub(super) fn of_host_key(file: Option<&Path>, key: &Path) -> anyhow::Result<Passphrase> {
    match file {
        Some(file) => from_file(file),
        None if std::io::stdin().is_terminal() => {
            ask(&format!("Passphrase of {}: ", visible(&key.display().to_string())))
        }
        None => Err(no_host_key_passphrase()),
    }
}

/// A new passphrase for host key files: from a file, or asked for twice.
pub(super) fn new_of_host_key(file: Option<&Path>) -> anyhow::Result<Passphrase> {
    match file {
        Some(file) => new_from_file(file),
        None if std::io::stdin().is_terminal() => ask_twice(),
        None => Err(no_host_key_passphrase()),
    }
}

fn no_host_key_passphrase() -> anyhow::Error {
    anyhow!(
        "no passphrase of the host key file: --key-passphrase-file gives it where there is no terminal"
    )
}

fn from_file(path: &Path) -> anyhow::Result<Passphrase> {
    Ok(Passphrase::new(read_line(path)?.to_string()))
}

fn read_line(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = Zeroizing::new(Folder::read_text(path, MOST + 2)?);
    let line = text.lines().next().unwrap_or("");
    check(line).with_context(|| path.display().to_string())?;
    Ok(Zeroizing::new(line.to_owned()))
}

fn from_environment() -> anyhow::Result<Option<Zeroizing<String>>> {
    let text = match std::env::var(VARIABLE) {
        Ok(text) => Zeroizing::new(text),
        Err(VarError::NotPresent) => return Ok(None),
        Err(VarError::NotUnicode(_)) => return Err(anyhow!("{VARIABLE}: not a text (UTF-8)")),
    };
    check(&text).context(VARIABLE)?;
    Ok(Some(text))
}

/// Checks a new passphrase of a store. Existing ones are not checked.
fn check_new(text: &str) -> anyhow::Result<()> {
    check(text)?;
    match text.chars().count() {
        LEAST.. => Ok(()),
        length => Err(anyhow!(
            "a passphrase of {length} characters; at least {LEAST} are needed, better four random words"
        )),
    }
}

fn check(text: &str) -> anyhow::Result<()> {
    match text.len() {
        1..=MOST => Ok(()),
        length => Err(anyhow!("a passphrase of {length} bytes; 1 to {MOST} are allowed")),
    }
}

fn ask(prompt: &str) -> anyhow::Result<Passphrase> {
    if !std::io::stdin().is_terminal() {
        return Err(anyhow!(
            "no passphrase: {VARIABLE} or passphrase_file in the configuration gives it where there is no terminal"
        ));
    }
    let text = rpassword::prompt_password(prompt)?;
    check(&text)?;
    Ok(Passphrase::new(text))
}

pub(super) fn ask_twice() -> anyhow::Result<Passphrase> {
    ask_text_twice().map(|text| Passphrase::new(text.to_string()))
}

/// The passphrase of a new node: from a file, from the environment, or asked for, where a person
/// may have one made.
pub(super) fn of_new_node(file: Option<&Path>) -> anyhow::Result<Zeroizing<String>> {
    if file.is_some() || from_environment()?.is_some() || !std::io::stdin().is_terminal() {
        return new_text(file);
    }
    let first =
        Zeroizing::new(rpassword::prompt_password("New passphrase (Enter: six words are made): ")?);
    if first.is_empty() {
        question::check_screen("type a passphrase, or give --passphrase-file")?;
        return shown(made()?);
    }
    check_new(&first)?;
    repeated(first)
}

/// How many words a passphrase has that is made here: 66 bits.
const MADE_OF: usize = 6;

/// A passphrase of random words of BIP-39's English list.
pub(super) fn made() -> anyhow::Result<Zeroizing<String>> {
    let list = Language::English.word_list();
    // It does not grow, so that no copy of it is left behind.
    let mut text = Zeroizing::new(String::with_capacity(MADE_OF * 9));
    for place in 0..MADE_OF {
        let mut drawn = Zeroizing::new([0; 2]);
        getrandom::fill(drawn.as_mut()).map_err(|_| anyhow!("the system gave no randomness"))?;
        if place > 0 {
            text.push(' ');
        }
        // The list has a power of two of words, so that all are as likely.
        text.push_str(list[usize::from(u16::from_be_bytes(*drawn)) % list.len()]);
    }
    Ok(text)
}

/// Shows a passphrase that was made, until it is typed back from the paper.
pub(super) fn shown(text: Zeroizing<String>) -> anyhow::Result<Zeroizing<String>> {
    loop {
        let screen = OtherScreen::begin();
        say!(
            "Write this passphrase on paper. Whenever the node starts it is asked for; it stands\n\
             nowhere else.\n  {}",
            text.as_str()
        );
        question::needed("Enter when it is on paper: ")?;
        drop(screen);
        let typed = Zeroizing::new(rpassword::prompt_password("The passphrase, from the paper: ")?);
        if *typed == *text {
            return Ok(text);
        }
        complain!(
            "that is not the one that was shown: small letters, and one space between two words"
        );
    }
}

fn ask_text_twice() -> anyhow::Result<Zeroizing<String>> {
    if !std::io::stdin().is_terminal() {
        return Err(anyhow!(
            "no passphrase: {VARIABLE} or --passphrase-file gives it where there is no terminal"
        ));
    }
    let first = Zeroizing::new(rpassword::prompt_password("New passphrase: ")?);
    check_new(&first)?;
    repeated(first)
}

fn repeated(first: Zeroizing<String>) -> anyhow::Result<Zeroizing<String>> {
    let again = Zeroizing::new(rpassword::prompt_password("Again: ")?);
    if *again != *first {
        return Err(anyhow!("the two passphrases differ"));
    }
    Ok(first)
}
