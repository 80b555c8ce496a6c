//! Characters that are invisible, or change how others are displayed.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
use unicode_width::UnicodeWidthChar as _;

/// Whether a character must not reach a terminal as it is.
pub(super) fn is_unsafe(c: char) -> bool {
    use GeneralCategory as G;
    match c {
        ' '..='~' => false,
        _ => {
            matches!(
                c.general_category(),
                G::Control
                    | G::Format
                    | G::LineSeparator
                    | G::ParagraphSeparator
                    | G::SpaceSeparator
                    | G::PrivateUse
                    | G::Surrogate
                    | G::Unassigned
            ) || is_ignorable(c)
        }
    }
}

/// Characters of other categories that are drawn as nothing: Default_Ignorable_Code_Point of
/// Unicode, and the blank pattern of Braille.
fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether a character combines with the one before it.
pub(super) fn is_mark(c: char) -> bool {
    use GeneralCategory as G;
    !c.is_ascii()
        && (matches!(c.general_category(), G::NonspacingMark | G::EnclosingMark)
            || c.width() == Some(0))
}
