//! JSON whose strings are safe on a terminal.

use std::fmt::Write as _;

use serde::Serialize;

use super::class::is_unsafe;

/// JSON with every unsafe character as a JSON escape, `\u202e`: a program reads the same strings.
pub fn escape_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        // Outside of strings JSON is ASCII, and strings contain no line ends.
        if c == '\n' || !is_unsafe(c) {
            safe.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing into a string does not fail.
            let _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}

/// A value as JSON in one line.
///
/// # Errors
///
/// Those of `serde_json`: none for values of strings and numbers.
pub fn to_json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(value).map(|json| escape_json(&json))
}

/// A value as JSON in lines for people.
///
/// # Errors
///
/// Those of `serde_json`: none for values of strings and numbers.
pub fn to_json_pretty(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(value).map(|json| escape_json(&json))
}
