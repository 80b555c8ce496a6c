//! Values of options: each error says what is allowed.

use bitcoin::hex::FromHex as _;
use roastery_protocol::request::MAX_LIFETIME_SECONDS;
use roastery_service::Time;

use crate::when;

/// The longest wait of a command, in seconds.
const LONGEST_WAIT: u64 = 30 * 24 * 60 * 60;

/// The longest life of a token that ends, in seconds.
const LONGEST_END: u64 = 3650 * 24 * 60 * 60;

/// 32 bytes in hexadecimal.
pub(crate) fn hash(text: &str) -> Result<[u8; 32], String> {
    <[u8; 32]>::from_hex(text)
        .map_err(|_| "allowed are 32 bytes as 64 hexadecimal digits".to_owned())
}

/// The same, as text.
pub(crate) fn hash_text(text: &str) -> Result<String, String> {
    hash(text).map(|_| text.to_owned())
}

/// A number within bounds.
pub(crate) fn number<T>(text: &str, least: T, most: T) -> Result<T, String>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy,
{
    match text.parse() {
        Ok(number) if least <= number && number <= most => Ok(number),
        _ => Err(format!("allowed are whole numbers from {least} to {most}")),
    }
}

/// A number of seconds to wait.
pub(crate) fn wait(text: &str) -> Result<u64, String> {
    number(text, 0, LONGEST_WAIT)
}

/// The life of a request, in seconds.
pub(crate) fn life(text: &str) -> Result<u64, String> {
    number(text, 1, MAX_LIFETIME_SECONDS)
}

/// When something ends, in seconds from now; `None` if it never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End(pub(crate) Option<u64>);

/// A number of days, hours or minutes, or never.
pub(crate) fn end(text: &str) -> Result<End, String> {
    let wrong = || "allowed are 1m to 3650d, as days (90d), hours (12h) or minutes (30m), or never";
    if text == "never" {
        return Ok(End(None));
    }
    let unit = match text.chars().last() {
        Some('d') => 24 * 60 * 60,
        Some('h') => 60 * 60,
        Some('m') => 60,
        _ => return Err(wrong().to_owned()),
    };
    let count = number::<u64>(&text[..text.len() - 1], 1, LONGEST_END).map_err(|_| wrong())?;
    let seconds = count.saturating_mul(unit);
    if seconds > LONGEST_END {
        return Err(wrong().to_owned());
    }
    Ok(End(Some(seconds)))
}

/// The number of an entry of the audit log.
pub(crate) fn entry(text: &str) -> Result<u64, String> {
    number(text, 0, u64::MAX)
}

/// The place where the audit log is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Before the entry of this number.
    Entry(u64),
    /// Before the first entry of this time or later.
    Time(Time),
}

/// The number of an entry of the audit log, or a day, in the system's time zone.
pub(crate) fn before(text: &str) -> Result<Before, String> {
    let day = || when::beginning_of(text).map(Before::Time);
    let number = text.parse().ok().filter(|number| *number > 0).map(Before::Entry);
    number.or_else(day).ok_or_else(|| {
        "allowed are the number of an entry, from 1 on, or a day like 2026-01-31".to_owned()
    })
}

/// The number of things in a list.
pub(crate) fn limit(text: &str) -> Result<usize, String> {
    number(text, 1, 1_000_000)
}

/// The number of an attempt to make a key.
pub(crate) fn attempt(text: &str) -> Result<u32, String> {
    number(text, 0, u32::MAX)
}

/// The threshold: the number of members that must sign.
pub(crate) fn threshold(text: &str) -> Result<usize, String> {
    number(text, 2, 128)
}

/// A path of unhardened steps, with or without "m/".
pub(crate) fn path(text: &str) -> Result<String, String> {
    steps(text).map(|_| text.to_owned())
}

/// The steps of a path.
pub(crate) fn steps(text: &str) -> Result<Vec<u32>, String> {
    let steps = text.strip_prefix('m').unwrap_or(text);
    let steps = steps.strip_prefix('/').unwrap_or(steps);
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let step = |step: &str| {
        let digits = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
        step.parse::<u32>().ok().filter(|step| digits && *step < 1 << 31)
    };
    steps
        .split('/')
        .map(step)
        .collect::<Option<_>>()
        .ok_or_else(|| "allowed are unhardened steps below 2147483648, like 0/7".to_owned())
}
