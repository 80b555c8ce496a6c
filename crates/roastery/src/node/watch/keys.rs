//! What is typed. The keys are single bytes, and they are read here: crossterm's reader goes round
//! without end once the terminal is gone, and waits within a sequence that is not finished.

use std::{io, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, read},
};

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Review,
    Quit,
    Help,
    /// It closes what is open over the view.
    Close,
}

/// What has come within the time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    Keys(Vec<Key>),
    /// The terminal is gone.
    Gone,
}

/// Waits for keys for at most this time.
pub(super) fn typed(wait: Duration) -> io::Result<Typed> {
    let input = io::stdin();
    let mut polled = [PollFd::new(&input, PollFlags::IN)];
    let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
    match poll(&mut polled, Some(&wait)) {
        // A signal, such as that of another size of the terminal.
        Err(Errno::INTR) | Ok(0) => return Ok(Typed::Keys(Vec::new())),
        Err(error) => return Err(error.into()),
        Ok(_) => {}
    }
    if polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
        return Ok(Typed::Gone);
    }
    let mut bytes = [0; 256];
    match read(&input, &mut bytes) {
        Ok(0) | Err(Errno::IO) => Ok(Typed::Gone),
        Ok(length) => Ok(Typed::Keys(keys(&bytes[..length]))),
        Err(Errno::INTR | Errno::AGAIN) => Ok(Typed::Keys(Vec::new())),
        Err(error) => Err(error.into()),
    }
}

/// The keys of these bytes. Those with sequences, as arrows, mean nothing.
fn keys(mut bytes: &[u8]) -> Vec<Key> {
    const ESCAPE: u8 = 0x1b;
    const CTRL_C: u8 = 0x03;
    const CTRL_D: u8 = 0x04;
    let mut keys = Vec::new();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        match (*first, rest) {
            (ESCAPE, [b'[', rest @ ..]) => {
                let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte));
                bytes = end.map_or(&[][..], |end| &rest[end + 1..]);
            }
            (ESCAPE, [b'O', _, rest @ ..] | [_, rest @ ..]) => bytes = rest,
            (ESCAPE, []) => keys.push(Key::Close),
            (b'r', _) => keys.push(Key::Review),
            (b'q' | CTRL_C | CTRL_D, _) => keys.push(Key::Quit),
            (b'?' | b'h', _) => keys.push(Key::Help),
            _ => {}
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_ctrl_c_are_keys_and_sequences_are_none() {
        use Key::{Close, Help, Quit, Review};
        assert_eq!(keys(b"r?q"), [Review, Help, Quit]);
        assert_eq!(keys(b"\x03"), [Quit]);
        assert_eq!(keys(b"\x1b"), [Close]);
        for sequence in [&b"\x1b[A"[..], b"\x1bOA", b"\x1b[15~", b"\x1b[1;5q", b"\x1b[", b"\x1bq"] {
            assert_eq!(keys(sequence), [], "{sequence:?}");
        }
        assert_eq!(keys(b"\x1b[Aq"), [Quit]);
        assert_eq!(keys("öRQ\0\n".as_bytes()), []);
    }
}
