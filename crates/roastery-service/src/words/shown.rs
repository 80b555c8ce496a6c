//! What is shown of a request at once, so that no part of it pushes the others out of sight.

use std::cmp::Reverse;

use super::visible;
use crate::{
    text::shorten,
    view::{Level, PaidOutput, PaymentDetails, Request, Warning},
};

/// The most outputs that are shown, to others and back; all of them are among the details.
pub const MOST_OUTPUTS: usize = 12;

/// The most characters of an address or a script that are shown.
pub const MOST_OF_SCRIPT: usize = 80;

/// The most warnings of one code and level that are shown; all of them are among the details.
pub const MOST_ALIKE: usize = 4;

/// The most lines about warnings of level stop at the decision.
const MOST_STOPS: usize = 8;

/// A text of others as one line of at most so many columns.
pub fn cut(text: &str, columns: usize) -> String {
    let whole = visible(text);
    if whole.chars().count() <= columns && whole.is_ascii() {
        return whole;
    }
    let short = shorten(text, columns.saturating_sub(1));
    short.strip_suffix('…').map_or(short.clone(), |begun| format!("{begun}.."))
}

/// The warnings of each code and level, those of level stop first.
pub fn by_code(warnings: &[Warning]) -> Vec<Vec<&Warning>> {
    let mut codes: Vec<Vec<&Warning>> = Vec::new();
    for warning in warnings {
        let alike = |with: &&mut Vec<&Warning>| {
            with.iter().all(|other| (&other.code, other.level) == (&warning.code, warning.level))
        };
        match codes.iter_mut().find(alike) {
            Some(with) => with.push(warning),
            None => codes.push(vec![warning]),
        }
    }
    codes.sort_by_key(|alike| alike.iter().all(|warning| warning.level != Level::Stop));
    codes
}

/// The first warning of each code of level stop with the number of those that are alike, and the
/// number of codes that are left out. They are said again at the decision: the warnings themselves
/// may be out of sight there.
pub fn stops(warnings: &[Warning]) -> (Vec<(&Warning, usize)>, usize) {
    let codes = by_code(warnings).into_iter();
    let stops = codes.filter_map(|alike| {
        let first = alike.first().copied().filter(|warning| warning.level == Level::Stop)?;
        Some((first, alike.len()))
    });
    let mut stops: Vec<_> = stops.collect();
    if stops.len() <= MOST_STOPS {
        return (stops, 0);
    }
    let left_out = stops.split_off(MOST_STOPS - 1);
    (stops, left_out.len())
}

/// The outputs to others, the largest first.
pub fn to_others(payment: &PaymentDetails) -> Vec<&PaidOutput> {
    let others = payment.outputs.iter().filter(|output| output.own_path.is_none());
    let mut others: Vec<&PaidOutput> = others.collect();
    others.sort_by_key(|output| Reverse(output.amount));
    others
}

/// Whether an address or a script is longer than what is shown of it.
pub fn is_cut(to: &str) -> bool {
    to.chars().count() > MOST_OF_SCRIPT
}

/// Whether something that a request pays to others is shown among the details only.
pub fn hides(request: &Request) -> bool {
    request.payment.as_ref().is_some_and(hides_of)
}

/// The same of what a transaction pays.
pub fn hides_of(payment: &PaymentDetails) -> bool {
    let others = to_others(payment);
    others.len() > MOST_OUTPUTS || others.iter().any(|output| is_cut(&output.to))
}

/// A line of a text, or blank lines as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines<'a> {
    /// One line.
    Line(&'a str),
    /// So many blank lines, two or more.
    Blank(usize),
}

/// The lines of a text. Many blank ones would push what follows out of sight.
pub fn lines(text: &str) -> Vec<Lines<'_>> {
    let lines: Vec<&str> = text.split('\n').collect();
    let is_blank = |line: &str| line.chars().all(|letter| letter == ' ');
    let runs = lines.chunk_by(|one, next| is_blank(one) && is_blank(next));
    runs.map(|run| match run {
        [line] => Lines::Line(line),
        run => Lines::Blank(run.len()),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_are_one_and_nothing_else_is_left_out() {
        use Lines::{Blank, Line};
        assert_eq!(lines("a\n\nb"), [Line("a"), Line(""), Line("b")]);
        assert_eq!(lines("a\n\n  \n\nb\n\n"), [Line("a"), Blank(3), Line("b"), Blank(2)]);
        assert_eq!(lines(""), [Line("")]);
    }
}
