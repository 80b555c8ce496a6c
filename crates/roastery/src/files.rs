//! Files that users name.

use std::{fs::File, io::Read as _, path::Path};

use roastery_protocol::group::{Group, MAX_GROUP_FILE};
use roastery_service::{files::Folder, text::io_reason};

/// Reads a file that may not be longer than this. The error is one line that names the file.
pub(crate) fn read(path: &Path, most: usize) -> Result<Vec<u8>, String> {
    let name = path.display();
    let failed = |error: std::io::Error| format!("{name}: {}", io_reason(&error));
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(format!("{name}: more than the {most} bytes that are allowed"));
    }
    Ok(bytes)
}

/// Reads a group file; the error explains what one is if another name or file was given.
pub(crate) fn read_group(path: &Path) -> Result<Group, String> {
    const WHAT: &str =
        "--group takes a group file here; roastery group export GROUP --group-file FILE writes it";
    let bytes = read(path, MAX_GROUP_FILE).map_err(|error| format!("{error}; {WHAT}"))?;
    Group::decode(&bytes).map_err(|error| format!("{}: {error}; {WHAT}", path.display()))
}

/// Checks that a new file can be written, as far as that can be known before.
pub(crate) fn check_new(path: &Path) -> Result<(), String> {
    Folder::check_new(path).map_err(|error| error.to_string())?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let name = path.display();
            Err(format!("{name}: there is no folder {}; make it first", folder.display()))
        }
        _ => Ok(()),
    }
}
