//! Foreign text is shown as what it is.

use proptest::prelude::*;
use roastery_service::text::{
    LogFormat, block, escape_json, log_line, shell_word, shorten, to_json, visible,
};
use unicode_width::UnicodeWidthStr as _;

/// Characters that can falsify what is displayed.
const HOSTILE: &[char] = &[
    '\0',
    '\u{7}',
    '\u{8}',
    '\t',
    '\n',
    '\r',
    '\u{1b}',
    '\u{7f}',
    '\u{85}',
    '\u{90}',
    '\u{9b}',
    '\u{9d}',
    '\u{a0}',
    '\u{ad}',
    '\u{34f}',
    '\u{61c}',
    '\u{115f}',
    '\u{1160}',
    '\u{180e}',
    '\u{2000}',
    '\u{200b}',
    '\u{200c}',
    '\u{200d}',
    '\u{200e}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202a}',
    '\u{202b}',
    '\u{202c}',
    '\u{202d}',
    '\u{202e}',
    '\u{2060}',
    '\u{2066}',
    '\u{2067}',
    '\u{2068}',
    '\u{2069}',
    '\u{206f}',
    '\u{2800}',
    '\u{3000}',
    '\u{3164}',
    '\u{e000}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{ffa0}',
    '\u{fff9}',
    '\u{fffe}',
    '\u{1d173}',
    '\u{e0001}',
    '\u{e0041}',
    '\u{e007f}',
    '\u{e0100}',
    '\u{f0000}',
    '\u{10ffff}',
];

fn foreign() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        any::<char>(),
        proptest::sample::select(HOSTILE),
        proptest::char::range(' ', '~'),
        Just(' '),
        proptest::char::range('\u{300}', '\u{36f}'),
    ];
    proptest::collection::vec(one, 0..200).prop_map(|all| all.into_iter().collect())
}

/// Whether it has no invisible character and none that moves a cursor.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| !HOSTILE.contains(&c) && !c.is_control())
}

#[test]
fn every_character_that_is_not_seen_is_shown_by_its_number() {
    for c in HOSTILE {
        let shown = visible(&format!("pay{c}me"));
        assert!(is_plain(&shown) && shown.len() > "payme".len(), "{c:?} is shown as {shown}");
        assert!(shown.starts_with("pay\\") && shown.ends_with("me"), "{shown}");
    }
    assert_eq!(visible("a\u{202e}b\u{9b}c\u{e0041}"), "a\\u{202e}b\\u{9b}c\\u{e0041}");
    assert_eq!(visible("one\ntwo\r\tthree"), "one\\ntwo\\r\\tthree");
}

#[test]
fn what_people_write_stays_as_it_is() {
    for text in [
        "Jürgen",
        "Zoë",
        "Łukasz",
        "王伟",
        "Ольга",
        "محمد",
        "שלום",
        "e\u{301}",
        "α → β; 5 €",
        "\\u{41}",
        "नमस्ते",
    ] {
        assert_eq!(visible(text), text);
    }
}

#[test]
fn marks_without_end_and_spaces_without_end_are_shown() {
    let tower = format!("a{}", "\u{301}".repeat(200));
    assert_eq!(visible(&tower).matches('\u{301}').count(), 3);
    // A combining mark at the beginning of a foreign text does not join what this program wrote
    // before it.
    assert_eq!(visible("\u{301}a"), "\\u{301}a");
    let padded = format!("Hello{}State signed", " ".repeat(75));
    assert!(!visible(&padded).contains("    "), "{}", visible(&padded));
}

#[test]
fn a_text_padded_to_the_width_of_the_terminal_cannot_look_like_a_line_of_its_own() {
    let padded = format!("Hello{}State         signed\nSignature 0   00", " ".repeat(75));
    let lines = block(&padded, 60);
    assert!(lines.len() > 2);
    for line in &lines {
        assert!(line.starts_with("| ") || line.starts_with(": "), "{line:?}");
        assert!(line.width() <= 60, "{line:?}");
    }
    assert_eq!(block("one\n two", 60), ["| one", "|  two"]);
}

#[test]
fn a_word_for_the_shell_is_quoted_where_the_shell_would_do_something_with_it() {
    assert_eq!(shell_word("treasury-1"), "treasury-1");
    assert_eq!(shell_word("a; rm -r ~"), "'a; rm -r ~'");
    assert_eq!(shell_word("it's"), "'it'\\''s'");
    assert_eq!(shell_word("--help"), "'--help'");
    assert_eq!(shell_word("a\u{202e}b"), "'a\\u{202e}b'");
    assert_eq!(shell_word(""), "''");
}

#[test]
fn a_long_text_is_cut_where_it_is_said_so() {
    assert_eq!(shorten("four", 4), "four");
    assert_eq!(shorten("fives", 4), "fiv…");
    assert_eq!(shorten("王伟王伟", 4), "王…");
    assert_eq!(shorten("one\ntwo", 40), "one\\ntwo");
}

#[test]
fn an_entry_of_the_log_is_one_line_whatever_a_member_is_called() {
    let entry = "a proposal of \u{202e}anna\n2026 INFO all is well\u{9b}2J\n";
    let text = log_line(entry.as_bytes(), LogFormat::Text);
    assert_eq!(text, "a proposal of \\u{202e}anna\\n2026 INFO all is well\\u{9b}2J\n");
    let json = log_line("{\"name\":\"\u{202e}anna\"}\n".as_bytes(), LogFormat::Json);
    assert_eq!(json, "{\"name\":\"\\u202eanna\"}\n");
}

proptest! {
    #[test]
    fn nothing_that_is_shown_is_hidden(text in foreign()) {
        prop_assert!(is_plain(&visible(&text)));
        prop_assert!(block(&text, 40).iter().all(|line| is_plain(line)));
        prop_assert!(is_plain(&shorten(&text, 30)));
    }

    #[test]
    fn what_is_shown_once_is_shown_alike_again(text in foreign()) {
        let once = visible(&text);
        prop_assert_eq!(visible(&once), once);
    }

    #[test]
    fn no_line_is_wider_than_was_said(text in foreign(), columns in 20_usize..100) {
        for line in block(&text, columns) {
            prop_assert!(line.chars().map(|c| unicode_width::UnicodeWidthChar::width(c).unwrap_or(0)).sum::<usize>() <= columns);
        }
        let short = shorten(&text, columns);
        prop_assert!(short.chars().map(|c| unicode_width::UnicodeWidthChar::width(c).unwrap_or(0)).sum::<usize>() <= columns);
    }

    #[test]
    fn programs_read_the_very_text_from_json_that_is_safe_to_look_at(text in foreign()) {
        let json = to_json(&text).expect("a string is JSON");
        prop_assert!(is_plain(&json));
        prop_assert_eq!(serde_json::from_str::<String>(&json).expect("it is JSON"), text);
        prop_assert_eq!(escape_json(&json), json);
    }
}
