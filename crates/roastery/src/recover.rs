//! `roastery recover`: restores shares from the public recovery file and the host keys, which were
//! kept offline.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, anyhow};
use clap::Args;
use roastery_frost::SigningKey;
use roastery_protocol::{
    GroupId,
    change::{LineageFile, MAX_LINEAGE_FILE, RecoveredShare},
    keygen::{RecoveryError, recover_group},
    keys::HostKey,
};
use roastery_service::files::{Access, Folder, write_secrets};

use crate::{
    files::{check_new, read},
    node::HostKeyWords,
    output::remark,
    values,
};

#[derive(Args)]
pub(crate) struct Options {
    /// The group's recovery file, from any member or backup: it is public
    file: PathBuf,
    /// The member's host keys: a file with 64 hexadecimal digits for each seat, one a line, or of a
    /// later epoch a file that roastery hostkey export has written, once for each seat
    #[arg(long, value_name = "FILE", required = true)]
    host_key: Vec<PathBuf>,
    #[command(flatten)]
    words: HostKeyWords,
    /// The group that it must be: its id, 64 hexadecimal digits
    #[arg(long, value_name = "ID", value_parser = group)]
    group: Option<GroupId>,
    /// Write the secret share of each seat into this new file, 64 hexadecimal digits a line, in the
    /// order of the host keys; only you may read it
    #[arg(long, value_name = "FILE")]
    share: Option<PathBuf>,
    /// Write the group file into this file
    #[arg(long, value_name = "FILE")]
    group_file: Option<PathBuf>,
}

/// What a host key gives with a recovery file of either kind.
fn recover(
    host: SigningKey,
    bytes: &[u8],
    lineage: Option<&LineageFile>,
    expected: Option<GroupId>,
) -> anyhow::Result<RecoveredShare> {
    let host = HostKey::new(host);
    let Some(lineage) = lineage else {
        let recovered = recover_group(host, bytes, expected)?;
        let (group, seat, share) = (recovered.group, recovered.seat, recovered.share);
        return Ok(RecoveredShare { group, seat, share, is_superseded: false });
    };
    let recovered = lineage.recover(host)?;
    let found = recovered.group.id();
    match expected.filter(|expected| *expected != found) {
        Some(expected) => Err(RecoveryError::OtherGroup { found, expected }.into()),
        None => Ok(recovered),
    }
}

/// The shares of these host keys, and their group.
fn recover_all(
    keys: Vec<SigningKey>,
    bytes: &[u8],
    expected: Option<GroupId>,
) -> anyhow::Result<Vec<RecoveredShare>> {
    let lineage = LineageFile::begins(bytes).then(|| LineageFile::decode(bytes)).transpose()?;
    let mut all: Vec<RecoveredShare> = Vec::with_capacity(keys.len());
    for key in keys {
        let one = recover(key, bytes, lineage.as_ref(), expected)?;
        if let Some(other) = all.iter().find(|other| other.group.id() != one.group.id()) {
            let number = |one: &RecoveredShare| one.group.epoch().number();
            let (one, other) = (number(other), number(&one));
            return Err(anyhow!("the host keys are of different epochs: {one} and {other}"));
        }
        all.push(one);
    }
    Ok(all)
}

/// Runs the command: exit status 0 recovered, 1 not (the files do not match), 2 a file cannot be
/// read or written.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    options.share.iter().try_for_each(|path| check_new(path))?;
    let bytes = read(&options.file, MAX_LINEAGE_FILE)?;
    let keys = options.words.read(&options.host_key)?;
    let all = match recover_all(keys, &bytes, options.group) {
        Ok(all) => all,
        Err(error) => {
            remark(&format!("not recovered: {}: {error:#}", options.file.display()));
            return Ok(ExitCode::FAILURE);
        }
    };
    let first = all.first().context("no host key")?;
    let (group, is_superseded) = (first.group.clone(), first.is_superseded);
    let seats: Vec<String> = all.iter().map(|one| one.seat.to_string()).collect();
    let shares: Vec<_> = all.iter().map(|one| one.share.expose_bytes()).collect();
    // Files are written first, so that the output reports what was done.
    if let Some(path) = &options.group_file {
        Folder::replace(path, &group.encode(), Access::Everyone)?;
    }
    if let Some(path) = &options.share {
        write_secrets(path, &shares)?;
    }
    say!("Group         {}", group.id());
    say!("Seats         {}, of which {} must sign", group.size(), group.threshold());
    say!("Key           {}", group.keys().threshold_public_key());
    say!("Seat          {}", seats.join(", "));
    if group.epoch().number() > 0 || is_superseded {
        say!("Epoch         {}", group.epoch().number());
    }
    if is_superseded {
        complain!(
            "note: a later epoch supersedes this one: members do not sign with this share any more"
        );
    }
    if let Some(path) = &options.group_file {
        say!("Group file    {}", path.display());
    }
    match &options.share {
        Some(path) => say!("Share         recovered, in {}", path.display()),
        None => say!(
            "Share         recovered, and fits the seat's public share; --share FILE writes it"
        ),
    }
    Ok(ExitCode::SUCCESS)
}

fn group(text: &str) -> Result<GroupId, String> {
    values::hash(text).map(GroupId::from_bytes)
}
