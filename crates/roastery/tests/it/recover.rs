//! `roastery recover`, as a member who has lost a machine runs it.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn roastery(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_roastery")).args(arguments).output().unwrap()
}

/// A folder with a demo's recovery file and host keys.
struct Folder(PathBuf);

impl Folder {
    fn of_a_group(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("roastery-recover-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let folder = Self(path);
        let output = roastery(&["demo", "--json", "--recovery", folder.0.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    }

    fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn file(&self) -> String {
        self.at("recovery.roastery")
    }

    fn host_key(&self, seat: usize) -> String {
        self.at(&format!("host-key-of-seat-{seat}"))
    }

    /// The recovery file with something done to it.
    fn spoiled(&self, spoil: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = fs::read(self.file()).unwrap();
        spoil(&mut bytes);
        let path = self.at("spoiled.roastery");
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The one line of a refusal.
fn refused(arguments: &[&str], status: i32) -> String {
    let output = roastery(&[&["recover"], arguments].concat());
    assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn each_member_gets_its_share_back_into_a_file_that_only_its_owner_may_read() {
    let folder = Folder::of_a_group("all");
    let mut shares = Vec::new();
    for seat in 0..5 {
        let share = folder.at(&format!("share-{seat}"));
        let arguments = [&folder.file(), "--host-key", &folder.host_key(seat), "--share", &share];
        let output = roastery(&[&["recover"], &arguments[..]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(&format!("Seat          {seat}")), "{said}");
        let text = fs::read_to_string(&share).unwrap();
        assert_eq!(text.trim_end().len(), 64);
        assert!(!said.contains(text.trim_end()), "the share is not shown");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&share).unwrap().permissions().mode() & 0o777, 0o600);
        }
        shares.push(text);
        // What is there already is never overwritten.
        refused(&arguments, 2);
    }
    shares.sort();
    shares.dedup();
    assert_eq!(shares.len(), 5);
}

#[test]
fn a_flipped_byte_a_truncated_file_another_key_and_another_group_are_told_apart() {
    let folder = Folder::of_a_group("spoiled");
    let other = Folder::of_a_group("other");
    let key = folder.host_key(1);
    let with = |file: &str, key: &str| refused(&[file, "--host-key", key], 1);

    let flipped = with(&folder.spoiled(|bytes| bytes[700] ^= 1), &key);
    assert!(flipped.contains("has been changed"), "{flipped}");
    let truncated = with(&folder.spoiled(|bytes| bytes.truncate(800)), &key);
    assert!(truncated.contains("has been cut off"), "{truncated}");
    let version = with(&folder.spoiled(|bytes| bytes[0] = 9), &key);
    assert!(version.contains("version 9"), "{version}");
    let strange = with(&folder.file(), &other.host_key(1));
    assert!(strange.contains("host"), "{strange}");
    let id = "00".repeat(32);
    let group = refused(&[&folder.file(), "--host-key", &key, "--group", &id], 1);
    assert!(group.contains("not of group"), "{group}");

    let mut lines = vec![flipped, truncated, version, strange, group];
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), 5);
}

#[test]
fn a_host_key_may_come_through_a_pipe() {
    let folder = Folder::of_a_group("pipe");
    let key = fs::read(folder.host_key(0)).unwrap();
    let mut recover = Command::new(env!("CARGO_BIN_EXE_roastery"))
        .args(["recover", &folder.file(), "--host-key", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    recover.stdin.take().unwrap().write_all(&key).unwrap();
    assert!(recover.wait().unwrap().success());
}

#[test]
fn a_key_file_that_is_none_is_refused_without_showing_what_is_in_it() {
    let folder = Folder::of_a_group("key");
    let path = folder.at("not-a-key");
    let words = "secret words that should be elsewhere";
    let begins = format!("# The host key of\n{words}");
    for text in ["", words, &begins, &"0".repeat(64), &"g1".repeat(32)] {
        fs::write(&path, text).unwrap();
        let line = refused(&[&folder.file(), "--host-key", &path], 2);
        assert!(text.is_empty() || !line.contains(text) && !line.contains(words), "{line}");
    }
    assert!(!Path::new(&folder.at("nothing")).exists());
    refused(&[&folder.file(), "--host-key", &folder.at("nothing")], 2);
    refused(&[&folder.at("nothing"), "--host-key", &folder.host_key(0)], 2);
}
