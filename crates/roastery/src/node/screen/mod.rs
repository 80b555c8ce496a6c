//! What people see: pure functions from values of the API to lines of at most 80 columns.

mod list;
mod said;
mod today;
mod whole;

use roastery_service::text::{shorten, visible};

pub(super) use self::{
    list::lines,
    said::{prospect, words},
    today::{Today, today},
    whole::{hides, screen, stop_lines, typed},
};

/// The width of all screens, in columns.
pub(super) const WIDTH: usize = 80;

/// An amount in bitcoin, always with eight digits after the point.
pub(super) fn btc(satoshi: u64) -> String {
    const ONE: u64 = 100_000_000;
    format!("{}.{:08}", satoshi / ONE, satoshi % ONE)
}

/// A text of others as one line of at most so many columns.
pub(super) fn cut(text: &str, columns: usize) -> String {
    let whole = visible(text);
    if whole.chars().count() <= columns && whole.is_ascii() {
        return whole;
    }
    let short = shorten(text, columns.saturating_sub(1));
    short.strip_suffix('…').map_or(short.clone(), |begun| format!("{begun}.."))
}

/// The first and the last characters of an address.
pub(super) fn short_address(address: &str) -> String {
    const ENDS: (usize, usize) = (7, 5);
    let address = visible(address);
    let all: Vec<char> = address.chars().collect();
    if all.len() <= ENDS.0 + ENDS.1 + 2 {
        return address;
    }
    let begin: String = all[..ENDS.0].iter().collect();
    let end: String = all[all.len() - ENDS.1..].iter().collect();
    format!("{begin}..{end}")
}

/// Words in lines of at most this width, each with this indentation.
pub(super) fn wrapped(text: &str, indent: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let taken = indent.len() + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && taken > width {
            lines.push(format!("{indent}{line}"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(format!("{indent}{line}"));
    lines
}

/// A text at the left, and one at the right end of the line.
fn both_ends(left: &str, right: &str, width: usize) -> String {
    let room = width.saturating_sub(right.chars().count() + 2);
    let left = match left.char_indices().nth(room) {
        Some((end, _)) => &left[..end],
        None => left,
    };
    format!("{left:<room$}  {right}")
}

#[cfg(test)]
mod tests;
