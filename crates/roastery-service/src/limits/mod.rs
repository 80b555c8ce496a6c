//! The bounds of a node, and how a bound that is reached is reported.
//!
//! Where a bound drops, refuses, cuts or delays something the code calls [`Limits::hit`]: that
//! counts it in `roastery_limited_total{limit,who}` and logs it, at most one line a minute for each
//! limit and each `who`. An answer to the client or member is the caller's part.

mod limit;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

pub use self::limit::Limit;

/// The minimum time between two log lines of the same limit and the same `who`.
const PAUSE: Duration = Duration::from_secs(60);

/// The most values of `who` for each limit; all further ones are counted together, as [`OTHERS`].
const MAX_WHO: usize = 64;

/// The longest value of `who`, in bytes; longer ones are cut.
const MAX_WHO_BYTES: usize = 80;

/// The `who` of all beyond the first 64 values.
pub const OTHERS: &str = "others";

/// Counts and logs what the bounds of a node refuse. No method blocks.
#[derive(Debug)]
pub struct Limits {
    counts: Family<Labels, Counter>,
    seen: Mutex<BTreeMap<Limit, BTreeMap<String, Seen>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    limit: &'static str,
    who: String,
}

/// The counts of one limit and one `who`.
#[derive(Debug)]
struct Seen {
    logged: Instant,
    left_out: u64,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    limit: Limit,
    who: String,
    /// How often it was reached, this time included, since the line before.
    times: u64,
}

impl Limits {
    /// Registers the counter.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let counts = Family::<Labels, Counter>::default();
        registry.register(
            "limited",
            "How often a bound of this node was reached, by bound and by who reached it",
            counts.clone(),
        );
        Self { counts, seen: Mutex::default() }
    }

    /// Reports that a bound was reached. `who` names who reached it: a seat, a peer, a role, an
    /// address, a group; without secrets. Of each limit the first 64 are counted separately, the
    /// rest as [`OTHERS`].
    pub fn hit(&self, limit: Limit, who: &str) {
        self.hit_times(limit, who, 1);
    }

    /// The same, so many times at once: for counts that are read periodically.
    pub fn hit_times(&self, limit: Limit, who: &str, times: u64) {
        if times > 0 {
            log(self.take(limit, who, times, Instant::now()));
        }
    }

    /// Logs the hits that were left out more than a minute ago. Called periodically, so that the
    /// last hits of a burst are logged too.
    pub fn log_left_out(&self) {
        for line in self.overdue(Instant::now()) {
            log(Some(line));
        }
    }

    fn take(&self, limit: Limit, who: &str, times: u64, now: Instant) -> Option<Line> {
        let who = cut(who);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let of_limit = seen.entry(limit).or_default();
        let known = of_limit.contains_key(who);
        let who = if known || of_limit.len() < MAX_WHO { who } else { OTHERS };
        let labels = Labels { limit: limit.name(), who: who.to_owned() };
        self.counts.get_or_create(&labels).inc_by(times);
        let Some(seen) = of_limit.get_mut(who) else {
            of_limit.insert(who.to_owned(), Seen { logged: now, left_out: 0 });
            return Some(Line { limit, who: who.to_owned(), times });
        };
        seen.left_out = seen.left_out.saturating_add(times);
        seen.line(limit, who, now)
    }

    fn overdue(&self, now: Instant) -> Vec<Line> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let all = seen.iter_mut().flat_map(|(limit, of_limit)| {
            of_limit.iter_mut().filter_map(|(who, seen)| seen.line(*limit, who, now))
        });
        all.collect()
    }
}

impl Seen {
    /// A line, if hits were left out and a minute has passed.
    fn line(&mut self, limit: Limit, who: &str, now: Instant) -> Option<Line> {
        if self.left_out == 0 || now.saturating_duration_since(self.logged) < PAUSE {
            return None;
        }
        self.logged = now;
        let times = std::mem::take(&mut self.left_out);
        Some(Line { limit, who: who.to_owned(), times })
    }
}

/// Called outside the lock: a subscriber may run any code.
fn log(line: Option<Line>) {
    let Some(Line { limit, who, times }) = line else { return };
    tracing::warn!(limit = limit.name(), who, times, "{}", limit.consequence());
}

/// At most [`MAX_WHO_BYTES`] bytes of it, up to the first control character.
fn cut(who: &str) -> &str {
    let mut end = MAX_WHO_BYTES.min(who.len());
    while !who.is_char_boundary(end) {
        end -= 1;
    }
    let who = &who[..end];
    who.split(char::is_control).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> (Limits, Registry) {
        let mut registry = Registry::with_prefix("roastery");
        (Limits::new(&mut registry), registry)
    }

    fn text(registry: &Registry) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
        text
    }

    #[test]
    fn every_hit_is_counted_and_one_line_a_minute_says_how_many() {
        let (limits, registry) = limits();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let line = |who: &str, times| Some(Line { limit: Limit::Sessions, who: who.into(), times });
        assert_eq!(limits.take(Limit::Sessions, "anna", 1, at(0)), line("anna", 1));
        assert_eq!(limits.take(Limit::Sessions, "anna", 1, at(1)), None);
        assert_eq!(limits.take(Limit::Sessions, "bert", 2, at(1)), line("bert", 2));
        assert_eq!(limits.take(Limit::Sessions, "anna", 5, at(59)), None);
        assert_eq!(limits.take(Limit::Sessions, "anna", 1, at(60)), line("anna", 7));
        assert_eq!(limits.overdue(at(200)), []);
        let counter = "roastery_limited_total{limit=\"sessions\",who=\"anna\"} 8\n";
        assert!(text(&registry).contains(counter), "{}", text(&registry));
    }

    #[test]
    fn the_last_hits_of_a_burst_are_logged_though_none_follows() {
        let (limits, _registry) = limits();
        let begin = Instant::now();
        limits.take(Limit::Peers, "anna", 1, begin);
        limits.take(Limit::Peers, "anna", 1, begin);
        assert_eq!(limits.overdue(begin + PAUSE / 2), []);
        let line = Line { limit: Limit::Peers, who: "anna".into(), times: 1 };
        assert_eq!(limits.overdue(begin + PAUSE), [line]);
        assert_eq!(limits.overdue(begin + 2 * PAUSE), []);
    }

    #[test]
    fn strangers_make_no_more_series_and_lines_than_allowed() {
        let (limits, registry) = limits();
        let begin = Instant::now();
        let lines = (0..10_000)
            .filter_map(|number| limits.take(Limit::Sessions, &number.to_string(), 1, begin));
        assert_eq!(lines.count(), MAX_WHO + 1);
        let text = text(&registry);
        let series = text.lines().filter(|line| line.starts_with("roastery_limited_total{"));
        assert_eq!(series.count(), MAX_WHO + 1);
        let others = format!("who=\"{OTHERS}\"}} {}\n", 10_000 - MAX_WHO);
        assert!(text.contains(&others), "{text}");
    }

    #[test]
    fn a_name_of_a_stranger_is_cut_to_what_fits_a_label() {
        assert_eq!(cut("anna"), "anna");
        assert_eq!(cut("anna\nlimit{}"), "anna");
        assert_eq!(cut(&"\u{20ac}".repeat(100)).len(), MAX_WHO_BYTES - MAX_WHO_BYTES % 3);
    }
}
