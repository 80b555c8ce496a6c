//! Times for people: local, by the system's time zone or `TZ`.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use roastery_service::Time;
pub(crate) use roastery_service::words::{Clock, span};

/// The day and the minute.
pub(crate) fn short(time: Time) -> String {
    local(time, "%Y-%m-%d %H:%M")
}

/// The second, with the time zone.
pub(crate) fn long(time: Time) -> String {
    local(time, "%Y-%m-%d %H:%M:%S %Z")
}

/// The time now.
pub(crate) fn now() -> Time {
    Time::from_seconds(u64::try_from(Timestamp::now().as_second()).unwrap_or(0))
}

/// When a day like 2026-01-31 begins.
pub(crate) fn beginning_of(day: &str) -> Option<Time> {
    let day: Date = day.parse().ok()?;
    let begin = day.to_zoned_datetime(TimeZone::system()).ok()?;
    u64::try_from(begin.timestamp().as_second()).ok().map(Time::from_seconds)
}

fn local(time: Time, format: &str) -> String {
    // A time that the calendar does not have is shown as in JSON.
    Timestamp::from_second(time.seconds()).map_or_else(
        |_| time.to_string(),
        |time| time.to_zoned_datetime(TimeZone::system()).strftime(format).to_string(),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Friday, 1 May 2026, 14:14 in UTC.
    pub(crate) fn friday() -> Clock {
        Clock::utc(time("2026-05-01T14:14:00Z"))
    }

    pub(crate) fn time(text: &str) -> Time {
        let time: Timestamp = text.parse().unwrap();
        Time::from_seconds(time.as_second().try_into().unwrap())
    }
}
