//! Host keys of epochs: their files, and whether they may be destroyed.

use std::{
    mem,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow};
use bitcoin::hex::DisplayHex as _;
use clap::{Args, Subcommand};
use roastery_frost::SigningKey;
use roastery_service::{
    files::{
        Access, Folder, HOST_KEY_FILE_BEGINS, HostKeyFile, HostKeyFileError, MAX_CARD_SEATS,
        MAX_HOST_KEY_FILE, parse_secrets, read_secret_text,
    },
    recovering::{keep_host_key_files, seal_host_keys},
    text::visible,
    view::{CheckHostKey, HostKeyVerdict},
};
use roastery_store::{PassphraseCost, Store};
use zeroize::Zeroizing;

use super::{At, passphrase, post};
use crate::{files::check_new, values};

/// What can be done with host keys.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write the host keys of this node's seats in an epoch into files that are kept offline, each
    /// under a passphrase; the node must be stopped
    Export(Export),
    /// Say of each host key in a file whether it is to be kept or may be destroyed
    Check(Check),
}

#[derive(Args)]
pub(crate) struct Export {
    /// The group: its name or its id, or the key id
    #[arg(long, value_name = "NAME")]
    group: String,
    /// The number of the epoch [default: the newest of which this node has a share]
    #[arg(long, value_name = "NUMBER", value_parser = |text: &str| values::number::<u32>(text, 1, u32::MAX))]
    epoch: Option<u32>,
    /// The folder for the files, which are called by key, epoch and seat
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
    #[command(flatten)]
    words: NewWords,
}

/// The passphrase of host key files that are made.
#[derive(Args)]
struct NewWords {
    /// A file with the passphrase of the host key files in its first line; it is asked for without
    /// it
    #[arg(long, value_name = "FILE")]
    key_passphrase_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Check {
    /// The file with the host keys
    file: PathBuf,
    #[command(flatten)]
    words: Words,
}

/// The passphrase of host key files that are there.
#[derive(Args)]
pub(crate) struct Words {
    /// A file with the passphrase of a sealed host key file in its first line; it is asked for
    /// without it
    #[arg(long, value_name = "FILE")]
    key_passphrase_file: Option<PathBuf>,
}

impl Words {
    /// Opens a host key file.
    fn open(&self, path: &Path, file: &HostKeyFile) -> anyhow::Result<SigningKey> {
        let words = passphrase::of_host_key(self.key_passphrase_file.as_deref(), path)?;
        file.open(&words).with_context(|| path.display().to_string())
    }

    /// The host keys in files, each with a sealed one, or with digits in clear, one a line.
    pub(crate) fn read(&self, files: &[PathBuf]) -> anyhow::Result<Vec<SigningKey>> {
        // With room for all from the start, no reallocation leaves a copy of a secret.
        let mut keys = Vec::with_capacity(MAX_CARD_SEATS * files.len());
        for path in files {
            match Found::read(path)? {
                Found::Sealed(file) => keys.push(self.open(path, &file)?),
                Found::Clear(secrets) => add_keys(path, secrets, &mut keys)?,
            }
        }
        Ok(keys)
    }

    /// The public host keys of these files, each of which was opened: its passphrase is known.
    pub(crate) fn opened(&self, files: &[PathBuf]) -> anyhow::Result<Vec<String>> {
        Ok(public(&self.read(files)?))
    }
}

/// Adds the keys of these secrets to a list that has room for them.
fn add_keys(
    path: &Path,
    mut secrets: Vec<Zeroizing<[u8; 32]>>,
    keys: &mut Vec<SigningKey>,
) -> anyhow::Result<()> {
    for secret in &mut secrets {
        // Moved out without this, it would stay in the memory of the list.
        let key = SigningKey::from_bytes(mem::take(secret));
        keys.push(key.with_context(|| path.display().to_string())?);
    }
    Ok(())
}

fn public(keys: &[SigningKey]) -> Vec<String> {
    keys.iter().map(|key| digits(&key.plain_public_key())).collect()
}

fn digits(host: &roastery_frost::Point) -> String {
    host.serialize().to_lower_hex_string()
}

/// What a file with host keys has.
enum Found {
    /// One, sealed.
    Sealed(Box<HostKeyFile>),
    /// One or several, in clear.
    Clear(Vec<Zeroizing<[u8; 32]>>),
}

impl Found {
    /// Reads a file once, so that it may be a pipe.
    fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = read_secret_text(path, MAX_HOST_KEY_FILE)?;
        if bytes.starts_with(HOST_KEY_FILE_BEGINS) {
            let text = str::from_utf8(&bytes).map_err(|_| HostKeyFileError::Form);
            let file = text.and_then(HostKeyFile::parse);
            let file = file.with_context(|| format!("{}: no host key file", path.display()))?;
            return Ok(Self::Sealed(Box::new(file)));
        }
        Ok(Self::Clear(parse_secrets(path, &bytes)?))
    }
}

pub(super) fn run(at: &At, command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Export(options) => export(at, options),
        Command::Check(options) => check(at, options),
    }
}

/// Of a stopped node: the host key goes over no API.
fn export(at: &At, options: &Export) -> anyhow::Result<ExitCode> {
    let (folder, config) = at.config()?;
    let store = open(&folder, &config)?;
    let words = passphrase::new_of_host_key(options.words.key_passphrase_file.as_deref())?;
    let cost = PassphraseCost::default();
    let files = seal_host_keys(&store, &options.group, options.epoch, &words, cost)?;
    // All or none: a file that is there is seen before one is made.
    files.iter().try_for_each(|file| check_new(&options.into.join(file.name())))?;
    keep_host_key_files(&store, &files, now_ms())?;
    for file in files {
        let path = options.into.join(file.name());
        Folder::write_new(&path, file.to_text().as_bytes(), Access::Owner)?;
        say!("Host key      {}", path.display());
        say!(
            "              seat {} of epoch {}; with the recovery file of the group it gives the share",
            file.seat(),
            file.epoch()
        );
    }
    say!(
        "Keep          the files offline and the passphrase elsewhere, until roastery hostkey check"
    );
    say!("              says MAY BE DESTROYED");
    Ok(ExitCode::SUCCESS)
}

/// The time in milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// The store of a node that must be stopped.
pub(super) fn open(
    folder: &Folder,
    config: &roastery_service::config::Config,
) -> anyhow::Result<Store> {
    let words = passphrase::of_node(folder, config)?;
    Store::open(folder.store(), &words).map_err(|error| match error {
        roastery_store::StoreError::Locked => anyhow!(
            "the node runs: stop it first (roastery stop), since a host key goes into its store and out of it while \
             it is stopped only"
        ),
        error => error.into(),
    })
}

fn check(at: &At, options: &Check) -> anyhow::Result<ExitCode> {
    let client = at.client()?;
    let (file, public) = match Found::read(&options.file)? {
        Found::Sealed(file) => {
            let key = &file.key().to_string()[..8];
            say!("File          key {key}, epoch {}, seat {}", file.epoch(), file.seat());
            let public = vec![digits(file.host())];
            (Some(file), public)
        }
        Found::Clear(secrets) => {
            let mut keys = Vec::with_capacity(secrets.len());
            add_keys(&options.file, secrets, &mut keys)?;
            (None, public(&keys))
        }
    };
    let mut keep = false;
    for host_key in public {
        let asked = CheckHostKey { host_key: host_key.clone() };
        let verdict: HostKeyVerdict = post(&client, "/v1/host-key/check", &asked)?;
        // What a sealed file says of itself may have been changed: what is destroyed for it must
        // be what it says.
        if let (true, Some(file)) = (verdict.may_be_destroyed, &file) {
            options.words.open(&options.file, file)?;
        }
        let word = if verdict.may_be_destroyed { "MAY BE DESTROYED" } else { "KEEP" };
        say!("Host key      {}: {word}", &host_key[..16]);
        verdict.reasons.iter().for_each(|reason| say!("              {}", visible(reason)));
        keep |= !verdict.may_be_destroyed;
    }
    Ok(if keep { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
