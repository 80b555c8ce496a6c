use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use bitcoin::hashes::{Hash as _, HashEngine as _, sha256};
use clap::Args;
use roastery_service::{
    api::ClientError,
    files::{Access, Folder},
};
use roastery_store::{PassphraseCost, Store};

use super::{At, passphrase, wait_for};

#[derive(Args)]
pub(crate) struct Backup {
    /// The new file
    file: PathBuf,
}

#[derive(Args)]
pub(crate) struct Restore {
    /// The backup
    file: PathBuf,
}

#[derive(Args)]
pub(crate) struct Change {
    /// A file with the new passphrase in its first line
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

/// Of a running node or of a stopped one.
pub(super) fn backup(at: &At, options: &Backup) -> anyhow::Result<ExitCode> {
    let (folder, config) = at.config()?;
    Folder::check_new(&options.file)?;
    let client = at.client()?;
    let copy = wait_for(async { Ok(client.bytes("/v1/backup").await) })?;
    match copy {
        Ok(bytes) => {
            Folder::write_new(&options.file, &bytes, Access::Owner)?;
        }
        Err(ClientError::NoNode { .. }) => {
            let passphrase = passphrase::of_node(&folder, &config)?;
            let store = Store::open(folder.store(), &passphrase)?;
            let groups = store.backed_up()?;
            store.backup(&options.file)?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
            let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            store.keep_backup(groups, digest_of(&options.file)?, now)?;
        }
        Err(error) => return Err(error.into()),
    }
    say!("{}: encrypted under the node's passphrase", options.file.display());
    Ok(ExitCode::SUCCESS)
}

/// The SHA-256 of a file, after it is synced to the disk that it is on.
pub(super) fn digest_of(path: &Path) -> anyhow::Result<[u8; 32]> {
    let in_file = || path.display().to_string();
    let mut file = File::open(path).with_context(in_file)?;
    file.sync_all().with_context(in_file)?;
    let (mut engine, mut block) = (sha256::Hash::engine(), vec![0; 64 << 10]);
    loop {
        let count = file.read(&mut block).with_context(in_file)?;
        if count == 0 {
            return Ok(sha256::Hash::from_engine(engine).to_byte_array());
        }
        engine.input(&block[..count]);
    }
}

pub(super) fn restore(at: &At, options: &Restore) -> anyhow::Result<ExitCode> {
    let (folder, config) = at.config()?;
    let passphrase = passphrase::of_node(&folder, &config)?;
    let store = Store::restore(&options.file, folder.store(), &passphrase)?;
    let groups = store.known_groups()?;
    say!("{}: restored, with {} groups", folder.store().display(), groups.len());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn change(at: &At, options: &Change) -> anyhow::Result<ExitCode> {
    let (folder, config) = at.config()?;
    let current = passphrase::of_node(&folder, &config)?;
    let new = match &options.new_passphrase_file {
        Some(file) => passphrase::new_from_file(file)?,
        None => passphrase::ask_twice()?,
    };
    Store::open(folder.store(), &current)
        .and_then(|store| store.change_passphrase(&current, &new, PassphraseCost::default()))?;
    say!("The passphrase is changed. Older copies of the store open with the old one.");
    Ok(ExitCode::SUCCESS)
}
