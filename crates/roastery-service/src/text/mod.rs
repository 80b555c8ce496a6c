//! Foreign text, made safe to show: on terminals, in JSON, in logs, in HTML.
//!
//! Names, texts and reasons of other members, of files and of users may contain characters that
//! move the cursor, reverse the order of the text around them, or are invisible. Here such a
//! character becomes its escape, `\u{202e}`. The functions are idempotent.

mod block;
mod class;
mod json;
mod log;
mod reason;

use std::fmt::{self, Display, Write as _};

use unicode_width::UnicodeWidthChar as _;

use self::class::{is_mark, is_unsafe};
pub(crate) use self::reason::panic_message;
pub use self::{
    block::{block, shorten},
    json::{escape_json, to_json, to_json_pretty},
    log::{LogFormat, LogWriter, log_line},
    reason::io_reason,
};

/// The most combining marks on one character: more of them cover the lines above and below.
const MOST_MARKS: usize = 3;

/// The most spaces in a row: more of them could fill a line of a terminal, and the rest would look
/// like a line of its own.
const MOST_SPACES: usize = 3;

/// A text as one line without invisible characters.
///
/// Control and format characters, line ends, unusual spaces, characters for private use, unassigned
/// characters, more than three combining marks and long runs of spaces are shown as escapes. The
/// caller must bound the length.
pub fn visible(text: &str) -> String {
    Visible(text).to_string()
}

/// Shows a text as [`visible`] does, without an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visible<'a>(pub &'a str);

impl Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut runs = Runs::default();
        self.0.chars().try_for_each(|c| match runs.shows(c) {
            true => f.write_char(c),
            false => write_escape(f, c),
        })
    }
}

/// A text of several lines without invisible characters: line ends and spaces stay. For output that
/// a program has laid out itself; foreign text in it must be made [`visible`] before, or its line
/// ends look like the program's.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !is_unsafe(c) {
            safe.push(c);
        } else {
            // Writing into a string does not fail.
            let _ = write_escape(&mut safe, c);
        }
    }
    safe
}

/// The lengths of the current runs of marks and spaces.
#[derive(Debug, Default)]
struct Runs {
    spaces: usize,
    marks: usize,
    /// Whether there is a character that a mark can combine with.
    base: bool,
}

impl Runs {
    /// Whether this character is shown unchanged after those before.
    fn shows(&mut self, c: char) -> bool {
        self.spaces = if c == ' ' { self.spaces + 1 } else { 0 };
        if is_mark(c) {
            self.marks += 1;
            return self.base && self.marks <= MOST_MARKS && !is_unsafe(c);
        }
        self.marks = 0;
        let shown = self.spaces <= MOST_SPACES && !is_unsafe(c);
        self.base = shown && c != ' ';
        shown
    }
}

fn write_escape(f: &mut impl fmt::Write, c: char) -> fmt::Result {
    match c {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        c => write!(f, "\\u{{{:x}}}", u32::from(c)),
    }
}

/// The width of a character on a terminal, in columns.
fn columns_of(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// A text as one word of a command that is pasted into a POSIX shell, quoted if need be. Unsafe
/// characters become their escapes: then the command names something that does not exist.
pub fn shell_word(text: &str) -> String {
    let text = visible(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
