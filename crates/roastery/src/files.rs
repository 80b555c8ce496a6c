//! Files that users name.

use std::{fs::File, io::Read as _, path::Path};

use anyhow::anyhow;
use roastery_protocol::group::{Group, MAX_GROUP_FILE};
use roastery_service::{files::Folder, text::io_reason};

/// Reads a file that may not be longer than this. The error is one line that names the file.
pub(crate) fn read(path: &Path, most: usize) -> anyhow::Result<Vec<u8>> {
    let name = path.display();
    let failed = |error: std::io::Error| anyhow!("{name}: {}", io_reason(&error));
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(anyhow!("{name}: more than the {most} bytes that are allowed"));
    }
    Ok(bytes)
}

/// Reads a group file; the error explains what one is if another name or file was given.
pub(crate) fn read_group(path: &Path) -> anyhow::Result<Group> {
    const WHAT: &str =
        "--group takes a group file here; roastery group export GROUP --group-file FILE writes it";
    let bytes = read(path, MAX_GROUP_FILE).map_err(|error| anyhow!("{error:#}; {WHAT}"))?;
    Group::decode(&bytes).map_err(|error| anyhow!("{}: {error}; {WHAT}", path.display()))
}

/// Checks that a new file can be written, as far as that can be known before.
pub(crate) fn check_new(path: &Path) -> anyhow::Result<()> {
    Folder::check_new(path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let name = path.display();
            Err(anyhow!("{name}: there is no folder {}; make it first", folder.display()))
        }
        _ => Ok(()),
    }
}
