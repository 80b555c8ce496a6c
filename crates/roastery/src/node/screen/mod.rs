//! What people see: pure functions from values of the API to lines of at most 80 columns.

mod list;
mod today;
mod whole;

pub(super) use roastery_service::words::{btc, cut, hides, prospect, typed, words};

#[cfg(feature = "tui")]
pub(super) use self::today::{link, standing};
pub(super) use self::{
    list::lines,
    today::{Today, today},
    whole::{draft, screen, stop_lines},
};

/// The width of all screens, in columns.
pub(super) const WIDTH: usize = 80;

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
pub(super) fn both_ends(left: &str, right: &str, width: usize) -> String {
    let room = width.saturating_sub(right.chars().count() + 2);
    let left = match left.char_indices().nth(room) {
        Some((end, _)) => &left[..end],
        None => left,
    };
    format!("{left:<room$}  {right}")
}

#[cfg(test)]
mod tests;
