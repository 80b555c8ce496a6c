//! Times for people: local, by the system's time zone or `TZ`.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use roastery_service::Time;

/// The day and the minute.
pub(crate) fn short(time: Time) -> String {
    local(time, "%Y-%m-%d %H:%M")
}

/// The second, with the time zone.
pub(crate) fn long(time: Time) -> String {
    local(time, "%Y-%m-%d %H:%M:%S %Z")
}

/// A reading of the clock, and the zone in which times are shown.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    now: Timestamp,
    zone: TimeZone,
}

/// Within so many days a day is called by its name.
const DAYS_NAMED: u32 = 6;

impl Clock {
    /// Now, in the zone of the system or of `TZ`.
    pub(crate) fn system() -> Self {
        Self { now: Timestamp::now(), zone: TimeZone::system() }
    }

    /// `today 14:02`, `Fri 14:02`, or `2026-05-03 14:02`.
    pub(crate) fn at(&self, time: Time) -> String {
        let Ok(time) = Timestamp::from_second(time.seconds()) else { return time.to_string() };
        let time = time.to_zoned_datetime(self.zone.clone());
        let today = self.now.to_zoned_datetime(self.zone.clone()).date();
        let days = time.date().since(today).map_or(i32::MAX, |span| span.get_days()).unsigned_abs();
        let form = match days {
            0 => "today %H:%M",
            days if days <= DAYS_NAMED => "%a %H:%M",
            _ => "%Y-%m-%d %H:%M",
        };
        time.strftime(form).to_string()
    }

    /// How many seconds ago it was; 0 if it is still to come.
    pub(crate) fn seconds_since(&self, time: Time) -> u64 {
        u64::try_from(self.now.as_second().saturating_sub(time.seconds())).unwrap_or(0)
    }

    /// In how many seconds it will be; 0 if it is over.
    pub(crate) fn seconds_until(&self, time: Time) -> u64 {
        u64::try_from(time.seconds().saturating_sub(self.now.as_second())).unwrap_or(0)
    }
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

/// A span in its greatest unit.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
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
        Clock { now: "2026-05-01T14:14:00Z".parse().unwrap(), zone: TimeZone::UTC }
    }

    pub(crate) fn time(text: &str) -> Time {
        let time: Timestamp = text.parse().unwrap();
        Time::from_seconds(time.as_second().try_into().unwrap())
    }

    #[test]
    fn a_time_is_shown_by_its_day_as_far_as_that_has_one_meaning() {
        let at = |text| friday().at(time(text));
        assert_eq!(at("2026-05-01T00:00:00Z"), "today 00:00");
        assert_eq!(at("2026-04-30T23:59:00Z"), "Thu 23:59");
        assert_eq!(at("2026-05-07T09:00:00Z"), "Thu 09:00");
        assert_eq!(at("2026-04-24T14:14:00Z"), "2026-04-24 14:14");
    }
}
