use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use bitcoin::hex::FromHex as _;
use roastery_frost::{SigningKey, SigningKeyError};
use zeroize::Zeroizing;

use super::{
    card::MAX_CARD_SEATS,
    error::{FolderError, io_error},
    write::{self, Access, NewFile},
};

/// A node's folder: its configuration, its store and the files that belong to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at this path, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Creates the folder and those above it. On Unix only the user who runs this can read it.
    ///
    /// # Errors
    ///
    /// [`FolderError::Io`].
    pub fn create(&self) -> Result<(), FolderError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0).map_err(|source| io_error(&self.0, source))
    }

    /// Resolves a path of a configuration: relative ones are in this folder.
    pub fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.join(path)
    }

    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.0.join("roastery.toml")
    }

    /// The store.
    pub fn store(&self) -> PathBuf {
        self.0.join("node.store")
    }

    /// The card, which is given to others.
    pub fn card(&self) -> PathBuf {
        self.0.join("card.toml")
    }

    /// The folder of the invitations that this node has joined.
    pub fn invitations(&self) -> PathBuf {
        self.0.join("invitations")
    }

    /// The folder of the latest addresses of other nodes.
    pub fn peers(&self) -> PathBuf {
        self.0.join("peers")
    }

    /// Reads a text of at most this many bytes.
    ///
    /// # Errors
    ///
    /// [`FolderError`] names the file.
    pub fn read_text(path: &Path, most: usize) -> Result<String, FolderError> {
        let bytes = Self::read(path, most)?;
        String::from_utf8(bytes).map_err(|_| FolderError::NoText { path: path.to_owned() })
    }

    /// Reads a text of the node's own folder, of at most this many bytes. Other than a file that a
    /// user names it must be a regular file: a pipe would be waited for.
    ///
    /// # Errors
    ///
    /// [`FolderError`] names the file.
    pub fn read_own_text(path: &Path, most: usize) -> Result<String, FolderError> {
        let bytes = Self::read_own(path, most)?;
        String::from_utf8(bytes).map_err(|_| FolderError::NoText { path: path.to_owned() })
    }

    /// The same, of a file that need not be text.
    ///
    /// # Errors
    ///
    /// [`FolderError`] names the file.
    pub fn read_own(path: &Path, most: usize) -> Result<Vec<u8>, FolderError> {
        let found = path.metadata().map_err(|source| io_error(path, source))?;
        if !found.is_file() {
            return Err(FolderError::NoFile { path: path.to_owned() });
        }
        Self::read(path, most)
    }

    /// Reads a file of at most this many bytes.
    ///
    /// # Errors
    ///
    /// [`FolderError`] names the file.
    pub fn read(path: &Path, most: usize) -> Result<Vec<u8>, FolderError> {
        let file = File::open(path).map_err(|source| io_error(path, source))?;
        let mut bytes = Vec::new();
        file.take(most as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| io_error(path, source))?;
        if bytes.len() > most {
            return Err(FolderError::TooLong { path: path.to_owned(), most });
        }
        Ok(bytes)
    }

    /// Writes a new file: after a crash it is there whole or not at all. An existing file is not
    /// changed, unless it is empty.
    ///
    /// # Errors
    ///
    /// [`FolderError::Exists`] and [`FolderError::Io`].
    pub fn write_new(path: &Path, bytes: &[u8], access: Access) -> Result<(), FolderError> {
        write::write_new(path, bytes, access).map_err(|source| io_error(path, source))
    }

    /// Begins a new file that is written in parts, for content that does not fit into memory.
    ///
    /// # Errors
    ///
    /// [`FolderError::Exists`] and [`FolderError::Io`].
    pub fn new_file(path: &Path, access: Access) -> Result<NewFile, FolderError> {
        NewFile::begin(path, access).map_err(|source| io_error(path, source))
    }

    /// Writes or replaces a file. After a crash it is there whole, or as it was before.
    ///
    /// # Errors
    ///
    /// [`FolderError::Io`].
    pub fn replace(path: &Path, bytes: &[u8], access: Access) -> Result<(), FolderError> {
        write::replace(path, bytes, access).map_err(|source| io_error(path, source))
    }

    /// Checks that [`write_new`](Self::write_new) can create a file: to be called before the work
    /// whose result goes there.
    ///
    /// # Errors
    ///
    /// [`FolderError::Exists`] and [`FolderError::Io`].
    pub fn check_new(path: &Path) -> Result<(), FolderError> {
        write::check_new(path).map_err(|source| io_error(path, source))
    }

    /// Removes temporary files that a crash has left, here and among the invitations. Must be
    /// called by the process that holds the store. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`FolderError::Io`].
    pub fn remove_unfinished(&self) -> Result<usize, FolderError> {
        let mut removed = 0;
        for folder in [self.0.clone(), self.invitations()] {
            if folder.is_dir() {
                let found = write::remove_unfinished(&folder);
                removed += found.map_err(|source| io_error(&folder, source))?;
            }
        }
        Ok(removed)
    }
}

/// The most bytes of a file with secrets of 32 bytes, one a line.
const MOST_DIGITS: usize = MAX_CARD_SEATS * 66;

/// Reads secrets of 32 bytes, at most [`MAX_CARD_SEATS`]: one a line, 64 hexadecimal digits.
///
/// # Errors
///
/// [`FolderError`] names the file and shows nothing of its content.
pub fn read_secrets(path: &Path) -> Result<Vec<Zeroizing<[u8; 32]>>, FolderError> {
    parse_secrets(path, &read_secret_text(path, MOST_DIGITS)?)
}

/// Reads a file that may have a secret, up to one byte more than is allowed.
///
/// # Errors
///
/// [`FolderError::Io`].
pub fn read_secret_text(path: &Path, most: usize) -> Result<Zeroizing<Vec<u8>>, FolderError> {
    let mut file = File::open(path).map_err(|source| io_error(path, source))?;
    // Never reallocated, so that no copy stays in memory.
    let mut text = Zeroizing::new(vec![0; most + 1]);
    let mut length = 0;
    while length <= most {
        match file.read(&mut text[length..]).map_err(|source| io_error(path, source))? {
            0 => break,
            more => length += more,
        }
    }
    text.truncate(length);
    Ok(text)
}

/// The secrets in the text of a file ([`read_secrets`]).
///
/// # Errors
///
/// [`FolderError::NoKey`] names the file and shows nothing of its content.
pub fn parse_secrets(path: &Path, text: &[u8]) -> Result<Vec<Zeroizing<[u8; 32]>>, FolderError> {
    let no_keys = || FolderError::NoKey { path: path.to_owned() };
    if text.len() > MOST_DIGITS {
        return Err(no_keys());
    }
    let lines = text.trim_ascii_end().split(|byte| *byte == b'\n');
    let mut secrets = Vec::with_capacity(MAX_CARD_SEATS);
    for line in lines {
        let digits = std::str::from_utf8(line.trim_ascii_end()).ok();
        let secret = digits.and_then(|digits| <[u8; 32]>::from_hex(digits).ok());
        secrets.push(Zeroizing::new(secret.ok_or_else(no_keys)?));
    }
    if secrets.len() > MAX_CARD_SEATS { Err(no_keys()) } else { Ok(secrets) }
}

/// The signing keys of these secrets.
///
/// # Errors
///
/// [`SigningKeyError`] if one of them is no secret key.
pub(crate) fn signing_keys(
    mut secrets: Vec<Zeroizing<[u8; 32]>>,
) -> Result<Vec<SigningKey>, SigningKeyError> {
    // A list that grows leaves copies of keys behind, and so does one whose secrets are moved out.
    let mut keys = Vec::with_capacity(secrets.len());
    for secret in &mut secrets {
        keys.push(SigningKey::from_bytes(std::mem::take(secret))?);
    }
    Ok(keys)
}

/// Writes secrets of 32 bytes, one a line, into a new file that on Unix only the user who runs this
/// can read. An existing file is not changed.
///
/// # Errors
///
/// [`FolderError::Io`].
pub fn write_secrets(path: &Path, secrets: &[Zeroizing<[u8; 32]>]) -> Result<(), FolderError> {
    let mut text = Zeroizing::new(vec![b'\n'; 65 * secrets.len()]);
    for (line, secret) in text.chunks_exact_mut(65).zip(secrets) {
        for (digits, byte) in line.chunks_exact_mut(2).zip(secret.iter()) {
            digits.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
    }
    Folder::write_new(path, &text, Access::Owner)
}

/// Without a lookup table: no memory access depends on the secret.
fn digit(half: u8) -> u8 {
    if half < 10 { b'0' + half } else { b'a' + half - 10 }
}
