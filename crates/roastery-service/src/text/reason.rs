//! Errors of the system and panics, in plain words.

use std::{any::Any, io};

/// Why the system could not do something with a file, and what to do about it, without error
/// numbers.
pub fn io_reason(error: &io::Error) -> String {
    use io::ErrorKind as K;
    let plain = match error.kind() {
        K::NotFound => "there is no such file or folder",
        K::PermissionDenied => "this user may not do that there",
        K::AlreadyExists => {
            "there is a file of this name already; give another name, or move it away"
        }
        K::IsADirectory => "that is a folder, and a file is needed",
        K::NotADirectory => "a part of the path is a file, and a folder is needed",
        K::InvalidFilename => "the name is longer than names may be",
        K::StorageFull => "the disk is full; make room there",
        K::ReadOnlyFilesystem => "the disk can only be read",
        K::ConnectionRefused => "no process listens there",
        _ => {
            let text = error.to_string();
            return match error.raw_os_error() {
                Some(number) => text.replace(&format!(" (os error {number})"), ""),
                None => text,
            };
        }
    };
    plain.to_owned()
}

/// The message of a panic, in one line.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a message".to_owned()).replace(['\n', '\r'], " ")
}
