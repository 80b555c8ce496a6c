//! Texts of several lines, and texts that are too long.

use super::{Runs, columns_of, write_escape};

/// The prefix of each line of a foreign text.
const LINE: &str = "| ";

/// The prefix of the rest of a line that was too long.
const REST: &str = ": ";

/// A text of several lines, each with a bar before it and none wider than so many columns (at least
/// 20): a line that is longer is broken here, not by the terminal, so that no part of the text can
/// look like a line of this program.
pub fn block(text: &str, columns: usize) -> Vec<String> {
    let room = columns.max(20) - LINE.len();
    text.split('\n').flat_map(|line| broken(line, room)).collect()
}

fn broken(line: &str, room: usize) -> Vec<String> {
    let mut lines = vec![LINE.to_owned()];
    let (mut runs, mut taken) = (Runs::default(), 0);
    for c in line.chars() {
        // Leading spaces stay: a broken line has a prefix of its own.
        let shown = match c {
            ' ' => c.to_string(),
            c if runs.shows(c) => c.to_string(),
            c => escape(c),
        };
        let width: usize = shown.chars().map(columns_of).sum();
        if taken + width > room {
            lines.push(REST.to_owned());
            taken = 0;
        }
        taken += width;
        if let Some(last) = lines.last_mut() {
            last.push_str(&shown);
        }
    }
    lines
}

/// The beginning of a text as one line of at most so many columns, with "…" where the rest is
/// left out.
pub fn shorten(text: &str, columns: usize) -> String {
    let (mut runs, mut taken, mut short) = (Runs::default(), 0, String::new());
    // Where to cut the text if "…" has to follow.
    let mut end = 0;
    for c in text.chars() {
        let shown = if runs.shows(c) { c.to_string() } else { escape(c) };
        let width: usize = shown.chars().map(columns_of).sum();
        if taken + width > columns {
            short.truncate(end);
            short.push('…');
            return short;
        }
        taken += width;
        short.push_str(&shown);
        if taken < columns {
            end = short.len();
        }
    }
    short
}

fn escape(c: char) -> String {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = write_escape(&mut text, c);
    text
}
