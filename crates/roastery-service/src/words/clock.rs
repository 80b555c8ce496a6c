//! Times for people.

use jiff::{Timestamp, tz::TimeZone};

use crate::Time;

/// A reading of the clock, and the zone in which times are shown.
#[derive(Clone, Debug)]
pub struct Clock {
    now: Timestamp,
    zone: TimeZone,
}

/// Within so many days a day is called by its name.
const DAYS_NAMED: u32 = 6;

impl Clock {
    /// Now, in the zone of the system or of `TZ`.
    pub fn system() -> Self {
        Self { now: Timestamp::now(), zone: TimeZone::system() }
    }

    /// This time, in UTC.
    pub fn utc(now: Time) -> Self {
        let now = Timestamp::from_second(now.seconds()).unwrap_or(Timestamp::MAX);
        Self { now, zone: TimeZone::UTC }
    }

    /// `today 14:02`, `Fri 14:02`, or `2026-05-03 14:02`.
    pub fn at(&self, time: Time) -> String {
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

    /// `14:02:07`, or, if it is not of today, as [`Self::at`] has it.
    pub fn second(&self, time: Time) -> String {
        let in_zone = |time: Timestamp| time.to_zoned_datetime(self.zone.clone());
        match Timestamp::from_second(time.seconds()).map(in_zone) {
            Ok(at) if at.date() == in_zone(self.now).date() => at.strftime("%H:%M:%S").to_string(),
            _ => self.at(time),
        }
    }

    /// How many seconds ago it was; 0 if it is still to come.
    pub fn seconds_since(&self, time: Time) -> u64 {
        u64::try_from(self.now.as_second().saturating_sub(time.seconds())).unwrap_or(0)
    }

    /// In how many seconds it will be; 0 if it is over.
    pub fn seconds_until(&self, time: Time) -> u64 {
        u64::try_from(time.seconds().saturating_sub(self.now.as_second())).unwrap_or(0)
    }
}

/// A span in its greatest unit.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        let time: Timestamp = text.parse().unwrap();
        Time::from_seconds(time.as_second().try_into().unwrap())
    }

    #[test]
    fn a_time_is_shown_by_its_day_as_far_as_that_has_one_meaning() {
        let friday = Clock::utc(time("2026-05-01T14:14:00Z"));
        let at = |text| friday.at(time(text));
        assert_eq!(at("2026-05-01T00:00:00Z"), "today 00:00");
        assert_eq!(at("2026-04-30T23:59:00Z"), "Thu 23:59");
        assert_eq!(at("2026-05-07T09:00:00Z"), "Thu 09:00");
        assert_eq!(at("2026-04-24T14:14:00Z"), "2026-04-24 14:14");
        assert_eq!(friday.second(time("2026-05-01T14:02:07Z")), "14:02:07");
        assert_eq!(friday.second(time("2026-04-30T14:02:07Z")), "Thu 14:02");
    }
}
