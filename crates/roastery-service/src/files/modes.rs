//! Checks the modes of files that hold secrets.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::text::shell_word;

/// A file with a secret that other users can read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{} can be read or changed by other users of this machine (mode {mode:04o}): {}", path.display(), self.remedy())]
pub struct OpenToOthers {
    /// The file or folder.
    pub path: PathBuf,
    /// Its mode.
    pub mode: u32,
    folder: bool,
}

impl OpenToOthers {
    /// The command that restricts it.
    fn remedy(&self) -> String {
        let path = shell_word(&self.path.display().to_string());
        format!("run chmod {} {path}", if self.folder { "0700" } else { "0600" })
    }
}

/// Checks whether other users can read a file or folder with secrets; one that does not exist is
/// fine.
pub fn open_to_others(path: &Path) -> Option<OpenToOthers> {
    let found = path.metadata().ok()?;
    let mode = found.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| OpenToOthers {
        path: path.to_owned(),
        mode,
        folder: found.is_dir(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn a_secret_that_others_can_read_is_named_with_the_command_that_closes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host key; true");
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let found = open_to_others(&path).unwrap().to_string();
        assert!(found.ends_with(&format!("(mode 0640): run chmod 0600 '{}'", path.display())));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(open_to_others(&path), None);
        assert_eq!(open_to_others(&folder.path().join("none")), None);
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        assert!(open_to_others(folder.path()).unwrap().to_string().contains("run chmod 0700 "));
    }
}
