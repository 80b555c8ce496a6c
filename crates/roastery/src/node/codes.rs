//! The lines of a pairing as QR codes on the terminal.

use anyhow::anyhow;
use qrcode::{Color, EcLevel, QrCode};
use roastery_service::{text::visible, view::Pairing};

/// The free margin that readers need, in modules.
const MARGIN: usize = 4;

/// Checks that codes can be drawn here.
pub(super) fn check() -> anyhow::Result<()> {
    if is_unicode() {
        return Ok(());
    }
    Err(anyhow!(
        "QR codes need characters that the locale here does not have: set one with UTF-8, like LANG=C.UTF-8"
    ))
}

/// Shows the lines that were not used as codes.
pub(super) fn show(pairing: &Pairing) -> anyhow::Result<()> {
    check()?;
    for member in &pairing.members {
        if let Some(line) = &member.line {
            say!("{}:\n{}", visible(&member.name), drawn(line)?);
        }
    }
    Ok(())
}

/// Whether the terminal's characters are those of Unicode, as the locale says.
fn is_unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.ends_with("utf-8") || locale.ends_with("utf8")
}

/// The code of a line, two rows of modules in each row of the terminal. What is light in the code
/// is drawn, as most terminals are dark. Letters in capitals make a smaller code of the same line.
fn drawn(line: &str) -> anyhow::Result<String> {
    let code = QrCode::with_error_correction_level(line.to_ascii_uppercase(), EcLevel::M)
        .map_err(|error| anyhow!("no QR code of this line: {error}"))?;
    let (width, colors) = (code.width(), code.to_colors());
    let whole = width + 2 * MARGIN;
    let is_light = |row: usize, column: usize| {
        let inside = |at: usize| at.checked_sub(MARGIN).filter(|at| *at < width);
        match (inside(row), inside(column)) {
            (Some(row), Some(column)) => {
                colors.get(row * width + column).is_none_or(|color| *color == Color::Light)
            }
            _ => true,
        }
    };
    let rows = (0..whole).step_by(2).map(|row| {
        let of = |column| match (is_light(row, column), is_light(row + 1, column)) {
            (true, true) => '\u{2588}',
            (true, false) => '\u{2580}',
            (false, true) => '\u{2584}',
            (false, false) => ' ',
        };
        (0..whole).map(of).collect::<String>()
    });
    Ok(rows.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_as_a_code_fits_on_a_terminal_and_has_its_margin() {
        // As long as lines with a name, an IPv4 and an IPv6 address are.
        let line = format!("roast1{}", "q".repeat(174));
        let shown = drawn(&line).unwrap();
        let rows: Vec<Vec<char>> = shown.lines().map(|row| row.chars().collect()).collect();
        let width = rows[0].len();
        assert!(width <= 61 && rows.len() == width.div_ceil(2), "{shown}");
        assert!(rows.iter().all(|row| row.len() == width), "{shown}");
        let full = |row: &Vec<char>| row.iter().all(|c| *c == '\u{2588}');
        assert!(full(&rows[0]) && full(&rows[1]) && !full(&rows[2]), "{shown}");
        assert!(rows.iter().all(|row| row[..MARGIN].iter().all(|c| *c == '\u{2588}')));
        // The pattern in a corner: seven dark modules.
        assert_eq!(
            rows[2][MARGIN..MARGIN + 8].iter().collect::<String>(),
            " \u{2584}\u{2584}\u{2584}\u{2584}\u{2584} \u{2588}"
        );
    }
}
