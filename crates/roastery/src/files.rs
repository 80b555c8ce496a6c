//! Files that users name.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    path::Path,
};

use bitcoin::hex::FromHex as _;
use roastery_protocol::group::{Group, MAX_GROUP_FILE};
use roastery_service::text::io_reason;
use zeroize::Zeroizing;

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

/// Reads a group file, and says what one is where another name or file was given.
pub(crate) fn read_group(path: &Path) -> Result<Group, String> {
    const WHAT: &str =
        "--group takes a group file here; roastery group export GROUP --group-file FILE writes it";
    let bytes = read(path, MAX_GROUP_FILE).map_err(|error| format!("{error}; {WHAT}"))?;
    Group::decode(&bytes).map_err(|error| format!("{}: {error}; {WHAT}", path.display()))
}

/// Whether a file can be written as a new one, as far as that can be said before.
pub(crate) fn check_new(path: &Path) -> Result<(), String> {
    let name = path.display();
    if path.symlink_metadata().is_ok() {
        let what = "there is a file of this name already; give another name, or move it away";
        return Err(format!("{name}: {what}"));
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(format!("{name}: there is no folder {}; make it first", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Reads a secret of 32 bytes: 64 hexadecimal digits, and a line end if there is one.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<[u8; 32]>, String> {
    const MOST: usize = 66;
    let failed = |error: std::io::Error| format!("{}: {}", path.display(), io_reason(&error));
    let mut file = File::open(path).map_err(failed)?;
    // Never grown, and so never left behind: one byte more than is allowed.
    let mut text = Zeroizing::new([0; MOST + 1]);
    let mut length = 0;
    while length <= MOST {
        match file.read(&mut text[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) => return Err(failed(error)),
        }
    }
    let digits = text[..length].trim_ascii_end();
    let secret = std::str::from_utf8(digits).ok().and_then(|text| <[u8; 32]>::from_hex(text).ok());
    // What was read is a secret, perhaps with a slip in it: no error shows it.
    secret.map(Zeroizing::new).ok_or_else(|| {
        format!(
            "{}: a host key has 64 hexadecimal digits, and nothing else may be in its file",
            path.display()
        )
    })
}

/// Writes a secret of 32 bytes into a new file that nobody but its owner may read. A file that exists is left alone.
pub(crate) fn write_secret(path: &Path, secret: &[u8; 32]) -> Result<(), String> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = |error: std::io::Error| format!("{}: {}", path.display(), io_reason(&error));
    let mut text = Zeroizing::new([b'\n'; 65]);
    for (digits, byte) in text.chunks_exact_mut(2).zip(secret) {
        digits.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_slice()).and_then(|()| file.sync_all()).map_err(failed)
}

/// Without a table: what is looked up depends on no secret.
fn digit(half: u8) -> u8 {
    if half < 10 { b'0' + half } else { b'a' + half - 10 }
}
