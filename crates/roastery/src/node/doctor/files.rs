//! The folder and its files: kinds, owners, modes, room.

use std::{
    fs::FileType,
    io::{self, Write as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use roastery_service::text::{io_reason, shell_word};

use super::finding::Finding;

/// The least free space with which a node is of use, and the one below which its operator should
/// make room, in bytes.
const LEAST_SPACE: u64 = 64 << 20;
const LITTLE_SPACE: u64 = 1 << 30;

/// The kind of what is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Missing,
    File,
    Folder,
    Link,
    /// Something else, by its name.
    Other(&'static str),
    /// The system does not say, for this reason.
    Unknown(String),
}

/// What is at a path; a link is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) mode: u32,
    pub(super) owner: u32,
    pub(super) length: u64,
}

impl Entry {
    pub(super) fn at(path: &Path) -> Self {
        let none = |kind| Self { path: path.to_owned(), kind, mode: 0, owner: 0, length: 0 };
        match path.symlink_metadata() {
            Ok(found) => Self {
                path: path.to_owned(),
                kind: kind(found.file_type()),
                mode: found.mode() & 0o7777,
                owner: found.uid(),
                length: found.len(),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => none(Kind::Missing),
            Err(error) => none(Kind::Unknown(io_reason(&error))),
        }
    }

    /// One whose disk gives no answer.
    pub(super) fn without_answer(path: PathBuf) -> Self {
        let kind = Kind::Unknown("its disk does not answer".to_owned());
        Self { path, kind, mode: 0, owner: 0, length: 0 }
    }

    pub(super) fn is(&self, kind: &Kind) -> bool {
        self.kind == *kind
    }
}

fn kind(kind: FileType) -> Kind {
    match kind {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Folder,
        kind if kind.is_symlink() => Kind::Link,
        kind if kind.is_fifo() => Kind::Other("a pipe"),
        kind if kind.is_socket() => Kind::Other("a socket"),
        _ => Kind::Other("a device"),
    }
}

fn name(kind: &Kind) -> &str {
    match kind {
        Kind::Missing => "nothing",
        Kind::File => "a file",
        Kind::Folder => "a folder",
        Kind::Link => "a symbolic link",
        Kind::Other(name) => name,
        Kind::Unknown(reason) => reason,
    }
}

/// The highest folder above a path that other users may not enter.
pub(super) fn closed_to_others(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    let is_closed = |folder: &&Path| folder.metadata().is_ok_and(|found| found.mode() & 0o001 == 0);
    Some(above.into_iter().find(is_closed)?.to_owned())
}

/// Judges the folder. `above` is the closest folder above it that is there, and whether this user
/// may write into it.
pub(super) fn folder(entry: &Entry, user: u32, above: Option<(&Path, bool)>) -> Finding {
    const CHECK: &str = "folder";
    let path = entry.path.display();
    let word = shell_word(&path.to_string());
    match &entry.kind {
        Kind::Missing => match above {
            Some((_, true)) => Finding::ok(
                CHECK,
                format!("{path}: not there yet; roastery setup makes it, for this user alone"),
            ),
            Some((above, false)) => Finding::wrong(
                CHECK,
                format!(
                    "{path}: not there, and this user may not write into {}: name a folder of this user with --folder, or have one made (install -d -m 0700 -o USER {word})",
                    above.display()
                ),
            ),
            None => Finding::wrong(CHECK, format!("{path}: no folder above it is there")),
        },
        Kind::Link => Finding::warning(
            CHECK,
            format!(
                "{path} is a symbolic link: who may change the link can give the node another folder; name the folder itself with --folder"
            ),
        ),
        Kind::Folder if entry.owner != user && user != 0 => Finding::wrong(
            CHECK,
            format!(
                "{path} is of user {}, and this is user {user}: run it as that user, or name another folder with --folder",
                entry.owner
            ),
        ),
        Kind::Folder if entry.mode & 0o077 != 0 => Finding::wrong(
            CHECK,
            format!(
                "{path} has mode {:04o}, and allowed is 0700, for its owner alone: run chmod 0700 {word}",
                entry.mode
            ),
        ),
        Kind::Folder if entry.mode & 0o700 != 0o700 => Finding::wrong(
            CHECK,
            format!(
                "{path} has mode {:04o}, with which its owner cannot use it: run chmod 0700 {word}",
                entry.mode
            ),
        ),
        Kind::Folder => Finding::ok(CHECK, format!("{path}: for its owner alone (0700)")),
        Kind::Unknown(reason) => {
            Finding::wrong(CHECK, format!("{path}: {reason}; run it as the user of the node"))
        }
        kind => Finding::wrong(
            CHECK,
            format!(
                "{path} is {}, and a folder is needed: name another one with --folder",
                name(kind)
            ),
        ),
    }
}

/// Judges the files that only their owner may read, which is the folder's owner, and the
/// configuration, which others may read and not write.
pub(super) fn secrets(files: &[Entry], config: &Entry, owner: u32) -> Vec<Finding> {
    const CHECK: &str = "files";
    let mut wrong = Vec::new();
    let mut there = 0;
    for (file, forbidden, allowed) in files
        .iter()
        .map(|file| (file, 0o077, "0600"))
        .chain([(config, 0o022, "0644")])
        .filter(|(file, ..)| !file.is(&Kind::Missing))
    {
        there += 1;
        let path = file.path.display();
        let word = shell_word(&path.to_string());
        match &file.kind {
            Kind::Unknown(reason) => wrong.push(format!(
                "{path}: {reason}; run it as the user of the node"
            )),
            // Its target is what counts, and is elsewhere.
            Kind::Link => wrong.push(format!(
                "{path} is a symbolic link, and the file itself is needed: move it here"
            )),
            _ if file.owner != owner => wrong.push(format!(
                "{path} is of user {}, and the folder of user {owner}: run chown {owner} {word}",
                file.owner
            )),
            Kind::Folder if file.mode & 0o077 != 0 => wrong.push(format!(
                "{path} has mode {:04o}, and allowed is 0700: run chmod 0700 {word}",
                file.mode
            )),
            Kind::File | Kind::Other(_) if file.mode & forbidden != 0 => wrong.push(format!(
                "{path} has mode {:04o}, and allowed is {allowed} at most: run chmod {allowed} {word}",
                file.mode
            )),
            _ => {}
        }
    }
    if there == 0 {
        return Vec::new();
    }
    if wrong.is_empty() {
        return vec![Finding::ok(
            CHECK,
            format!("{there} of the node's files are for its user alone"),
        )];
    }
    wrong.into_iter().map(|text| Finding::wrong(CHECK, text)).collect()
}

/// The room on a disk, for this user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) bytes: u64,
    /// New files; `None` if the file system has no fixed number.
    pub(super) files: Option<u64>,
}

impl Room {
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let found = rustix::fs::statvfs(path)?;
        Ok(Self {
            bytes: found.f_bavail.saturating_mul(found.f_frsize),
            files: (found.f_files > 0).then_some(found.f_favail),
        })
    }
}

/// Judges the room on the disk of a folder.
pub(super) fn room(path: &Path, room: &Result<Room, String>) -> Finding {
    const CHECK: &str = "disk";
    let path = path.display();
    let room = match room {
        Ok(room) => room,
        Err(reason) => return Finding::wrong(CHECK, format!("{path}: {reason}")),
    };
    let mib = room.bytes >> 20;
    match room {
        Room { files: Some(0), .. } => Finding::wrong(
            CHECK,
            format!("{path}: the disk takes no further file: remove files, or use another disk"),
        ),
        Room { bytes: ..LEAST_SPACE, .. } => Finding::wrong(
            CHECK,
            format!(
                "{path}: {mib} MiB are free, and {} are needed at least: make room, or use another disk",
                LEAST_SPACE >> 20
            ),
        ),
        Room { bytes: ..LITTLE_SPACE, .. } => Finding::warning(
            CHECK,
            format!(
                "{path}: {mib} MiB are free; make room for {}, for the store and backups grow",
                LITTLE_SPACE >> 20
            ),
        ),
        Room { .. } => Finding::ok(CHECK, format!("{path}: {mib} MiB are free")),
    }
}

/// Writes a file without a name, which is gone when it is closed, also after a crash.
pub(super) fn write_trial(folder: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&[0; 64 << 10])?;
    file.sync_all()
}

/// Judges a file that was written for trial.
pub(super) fn trial(path: &Path, done: &Result<(), String>) -> Finding {
    const CHECK: &str = "writing";
    match done {
        Ok(()) => Finding::ok(CHECK, format!("{}: a file was written and removed", path.display())),
        Err(reason) => Finding::wrong(
            CHECK,
            format!(
                "{}: no file can be written: {reason}; a node that cannot write signs nothing",
                path.display()
            ),
        ),
    }
}

/// Judges where the passphrase comes from.
pub(super) fn passphrase(file: Option<&Entry>, in_environment: bool, credential: bool) -> Finding {
    const CHECK: &str = "passphrase";
    match file {
        Some(file) => {
            let path = file.path.display();
            match &file.kind {
                Kind::File if file.length == 0 => Finding::wrong(
                    CHECK,
                    format!("{path} is empty: write the passphrase into its first line"),
                ),
                Kind::File | Kind::Link | Kind::Other("a pipe") => {
                    Finding::ok(CHECK, format!("from {path}"))
                }
                Kind::Missing => Finding::wrong(
                    CHECK,
                    format!(
                        "{path}: not there; passphrase_file in the configuration, or ROASTERY_PASSPHRASE_FILE, names the file"
                    ),
                ),
                kind => Finding::wrong(
                    CHECK,
                    format!("{path}: {}; a file is needed that this user can read", name(kind)),
                ),
            }
        }
        None if in_environment => Finding::ok(CHECK, "from ROASTERY_PASSPHRASE"),
        None if credential => Finding::ok(
            CHECK,
            "the unit has it from a credential of systemd; roastery node asks for it at the terminal",
        ),
        None => Finding::warning(
            CHECK,
            "no file and no variable gives it: roastery node asks for it at the terminal, and does not start without one (passphrase_file in the configuration, or a credential of the unit)",
        ),
    }
}

/// Judges where the host key is. `groups` is the number of the node's groups, if it is known.
pub(super) fn host_key(file: &Entry, groups: Option<usize>) -> Finding {
    const CHECK: &str = "host key";
    let path = file.path.display();
    match (&file.kind, groups) {
        (Kind::Missing, _) => Finding::ok(CHECK, "not on this machine"),
        (Kind::Unknown(reason), _) => Finding::warning(CHECK, format!("{path}: {reason}")),
        (_, Some(1..)) => Finding::warning(
            CHECK,
            format!(
                "{path} is on this machine, and the group is made: make two copies elsewhere, and remove it here (docs/operators.md, \"The host key goes offline\")"
            ),
        ),
        _ => Finding::ok(
            CHECK,
            format!("{path} is on this machine, until the group is made; then it goes offline"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Level, *};

    fn entry(kind: Kind, mode: u32, owner: u32) -> Entry {
        Entry { path: "/var/lib/node".into(), kind, mode, owner, length: 1 }
    }

    #[track_caller]
    fn is(finding: &Finding, level: Level, said: &str) {
        assert!(finding.level == level && finding.text.contains(said), "{finding:?}");
    }

    #[test]
    fn a_folder_is_for_the_user_of_the_node_alone() {
        let judge = |kind, mode, owner| folder(&entry(kind, mode, owner), 7, None);
        is(&judge(Kind::Folder, 0o700, 7), Level::Ok, "0700");
        is(&judge(Kind::Folder, 0o750, 7), Level::Wrong, "run chmod 0700 /var/lib/node");
        is(&judge(Kind::Folder, 0o500, 7), Level::Wrong, "run chmod 0700");
        is(&judge(Kind::Folder, 0o700, 8), Level::Wrong, "is of user 8, and this is user 7");
        is(&judge(Kind::Link, 0o777, 7), Level::Warning, "symbolic link");
        is(&judge(Kind::Other("a pipe"), 0o600, 7), Level::Wrong, "is a pipe, and a folder is");
        is(&judge(Kind::Unknown("no permission".into()), 0, 0), Level::Wrong, "no permission");
        // Root sees the folders of all.
        is(&folder(&entry(Kind::Folder, 0o700, 7), 0, None), Level::Ok, "0700");
    }

    #[test]
    fn before_there_is_a_folder_its_place_must_take_one() {
        let none = entry(Kind::Missing, 0, 0);
        let above = Path::new("/var/lib");
        is(&folder(&none, 7, Some((above, true))), Level::Ok, "roastery setup makes it");
        is(&folder(&none, 7, Some((above, false))), Level::Wrong, "may not write into /var/lib");
    }

    #[test]
    fn each_secret_that_others_can_read_is_named_with_what_closes_it() {
        let good = entry(Kind::File, 0o600, 7);
        let config = entry(Kind::File, 0o644, 7);
        let judge = |file: Entry, config: &Entry| secrets(&[file, good.clone()], config, 7);
        is(&judge(good.clone(), &config)[0], Level::Ok, "3 of the node's files");
        is(&judge(entry(Kind::Missing, 0, 0), &config)[0], Level::Ok, "2 of the node's files");
        is(&judge(entry(Kind::File, 0o640, 7), &config)[0], Level::Wrong, "run chmod 0600");
        is(&judge(entry(Kind::Folder, 0o755, 7), &config)[0], Level::Wrong, "run chmod 0700");
        is(&judge(entry(Kind::File, 0o600, 8), &config)[0], Level::Wrong, "run chown 7 ");
        is(&judge(entry(Kind::Link, 0o777, 7), &config)[0], Level::Wrong, "symbolic link");
        let open = entry(Kind::File, 0o666, 7);
        is(&judge(good.clone(), &open)[0], Level::Wrong, "run chmod 0644");
        assert_eq!(judge(open.clone(), &open).len(), 2);
        let none = entry(Kind::Missing, 0, 0);
        assert_eq!(secrets(std::slice::from_ref(&none), &none, 7), []);
    }

    #[test]
    fn a_full_disk_is_wrong_and_a_nearly_full_one_a_warning() {
        let judge = |bytes, files| room(Path::new("/"), &Ok(Room { bytes, files }));
        is(&judge(2 << 30, None), Level::Ok, "2048 MiB");
        is(&judge(2 << 30, Some(5)), Level::Ok, "2048 MiB");
        is(&judge(2 << 30, Some(0)), Level::Wrong, "no further file");
        is(&judge(100 << 20, None), Level::Warning, "100 MiB are free");
        is(&judge(63 << 20, None), Level::Wrong, "64 are needed");
        is(&room(Path::new("/"), &Err("no answer".into())), Level::Wrong, "no answer");
    }

    #[test]
    fn a_passphrase_comes_from_a_file_a_variable_a_credential_or_the_terminal() {
        let file = |kind, length| Entry { length, ..entry(kind, 0o600, 7) };
        let judge = |kind, length| passphrase(Some(&file(kind, length)), false, false);
        is(&judge(Kind::File, 20), Level::Ok, "from /var/lib/node");
        is(&judge(Kind::File, 0), Level::Wrong, "is empty");
        is(&judge(Kind::Missing, 0), Level::Wrong, "not there");
        is(&judge(Kind::Folder, 4096), Level::Wrong, "a file is needed");
        is(&passphrase(None, true, false), Level::Ok, "ROASTERY_PASSPHRASE");
        is(&passphrase(None, false, true), Level::Ok, "credential");
        is(&passphrase(None, false, false), Level::Warning, "asks for it at the terminal");
    }

    #[test]
    fn a_host_key_goes_offline_once_there_is_a_group() {
        let here = entry(Kind::File, 0o600, 7);
        is(&host_key(&here, Some(1)), Level::Warning, "remove it here");
        is(&host_key(&here, Some(0)), Level::Ok, "until the group is made");
        is(&host_key(&here, None), Level::Ok, "until the group is made");
        is(&host_key(&entry(Kind::Missing, 0, 0), Some(1)), Level::Ok, "not on this machine");
    }

    #[test]
    fn what_is_at_a_path_is_seen_without_opening_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
        assert!(Entry::at(&at("link")).is(&Kind::Link));
        assert!(Entry::at(&at("none")).is(&Kind::Missing));
        assert!(Entry::at(folder.path()).is(&Kind::Folder));
        assert!(Entry::at(Path::new("/dev/null")).is(&Kind::Other("a device")));
        write_trial(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_trial(&at("none")).is_err());
    }
}
