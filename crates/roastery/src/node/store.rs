use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use bitcoin::hashes::{Hash as _, HashEngine as _, sha256};
use clap::Args;
use roastery_frost::SigningKey;
use roastery_protocol::change::{LineageFile, MAX_LINEAGE_FILE};
use roastery_service::{
    api::ClientError,
    files::{Access, Folder},
    recovering::{Behind, RecoveredInto, behind, newest_epochs, recover_into},
    text::visible,
};
use roastery_store::{PassphraseCost, Store};

use super::{At, host_key, passphrase, wait_for};

#[derive(Args)]
pub(crate) struct Backup {
    /// The new file
    file: PathBuf,
}

#[derive(Args)]
pub(crate) struct Restore {
    /// The backup
    file: PathBuf,
    /// The newest recovery file of a group, from any other member: it says whether this node's
    /// share is newer than the backup
    #[arg(long, value_name = "FILE")]
    recovery_file: Option<PathBuf>,
    /// The host key of the newest epoch, in a file that roastery hostkey export has written, once
    /// for each seat of this node: with the recovery file it brings the share back
    #[arg(long, value_name = "FILE", requires = "recovery_file")]
    host_key: Vec<PathBuf>,
    #[command(flatten)]
    words: host_key::Words,
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
            store.keep_backup(groups, digest_of(&options.file)?, host_key::now_ms())?;
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
    let read = |path: &PathBuf| -> anyhow::Result<LineageFile> {
        let bytes = Folder::read(path, MAX_LINEAGE_FILE)?;
        LineageFile::decode(&bytes).with_context(|| path.display().to_string())
    };
    let lineage = options.recovery_file.as_ref().map(read).transpose()?;
    // Before the store is in its place: what cannot be read is told while nothing is done.
    let keys = options.words.read(&options.host_key)?;
    let passphrase = passphrase::of_node(&folder, &config)?;
    let store = Store::restore(&options.file, folder.store(), &passphrase)?;
    let groups = store.known_groups()?;
    say!("{}: restored, with {} groups", folder.store().display(), groups.len());
    for (name, epoch) in newest_epochs(&store)? {
        say!(
            "Epoch         {}: {epoch} is the newest of which the backup has a share",
            visible(&name)
        );
    }
    if let (Some(lineage), false) = (&lineage, options.host_key.is_empty()) {
        recover_epoch(&store, lineage, keys)
            .context("the store is restored; roastery group recover goes on with it")?;
        return Ok(ExitCode::SUCCESS);
    }
    for Behind { name, current, has_seat, .. } in behind(&store, lineage.as_ref())? {
        let name = visible(&name);
        if has_seat {
            say!(
                "Missing       {name}: epoch {current} exists, and this node's share of it is not in the backup:"
            );
            say!(
                "              its host key brings it back (roastery group recover), or a change does, into"
            );
            say!("              which this node comes with a fresh card (roastery change card)");
        } else {
            say!("Gone          {name}: epoch {current} exists, and this node has no seat in it");
        }
    }
    if lineage.is_none() {
        say!(
            "              the share of an epoch after the backup is not in it: the other members say"
        );
        say!("              whether there is one, as soon as the node runs");
    }
    Ok(ExitCode::SUCCESS)
}

/// Brings the share of the last epoch of a recovery file back into the store of a stopped node.
pub(super) fn recover_epoch(
    store: &Store,
    lineage: &LineageFile,
    keys: Vec<SigningKey>,
) -> anyhow::Result<()> {
    let RecoveredInto { group, seats } = recover_into(store, lineage, keys, host_key::now_ms())?;
    let seats: Vec<String> = seats.iter().map(ToString::to_string).collect();
    say!("Group         {}", group.id());
    say!("Seat          {} of epoch {}", seats.join(", "), group.epoch().number());
    say!("Share         it comes back from the host key when the node is started (roastery node)");
    Ok(())
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
