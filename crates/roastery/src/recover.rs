//! `roastery recover`: restores shares from the public recovery file and the host keys, which were
//! kept offline.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use roastery_frost::SigningKey;
use roastery_protocol::{
    GroupId,
    keygen::{MAX_RECOVERY_FILE, recover_group},
    keys::HostKey,
};
use roastery_service::files::{Access, Folder, read_secrets, write_secrets};

use crate::{
    files::{check_new, read},
    output::remark,
    values,
};

#[derive(Args)]
pub(crate) struct Options {
    /// The group's recovery file, from any member or backup: it is public
    file: PathBuf,
    /// The member's host keys: a file with 64 hexadecimal digits for each seat, one a line
    #[arg(long, value_name = "FILE")]
    host_key: PathBuf,
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

/// Runs the command: exit status 0 recovered, 1 not (the files do not match), 2 a file cannot be
/// read or written.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    options.share.iter().try_for_each(|path| check_new(path))?;
    let bytes = read(&options.file, MAX_RECOVERY_FILE)?;
    let (mut seats, mut shares, mut group) = (Vec::new(), Vec::new(), None);
    for key in read_secrets(&options.host_key)? {
        let key = SigningKey::from_bytes(key);
        let key = key.with_context(|| options.host_key.display().to_string())?;
        match recover_group(HostKey::new(key), &bytes, options.group) {
            Ok(recovered) => {
                seats.push(recovered.seat.to_string());
                shares.push(recovered.share.expose_bytes());
                group = Some(recovered.group);
            }
            Err(error) => {
                remark(&format!("not recovered: {}: {error}", options.file.display()));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    let group = group.with_context(|| options.host_key.display().to_string())?;
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
