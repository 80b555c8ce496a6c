//! The round trips of a link in the last ten minutes.

use std::collections::VecDeque;

use roastery_service::{Time, view::PeerStatus};

/// How many spans are kept, and how long each is, in seconds.
const SPANS: usize = 20;
const SPAN: i64 = 30;

/// The bounds of what is shown as quick and as slow, in milliseconds.
const QUICK: f64 = 100.0;
const SLOW: f64 = 500.0;

/// The worst of each span.
#[derive(Clone, Debug, Default)]
pub(super) struct Trips(VecDeque<(i64, Trip)>);

/// From the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trip {
    /// Connected, and not measured yet.
    Unknown,
    Quick,
    Middling,
    Slow,
    Away,
}

impl Trips {
    /// Takes what the node says of the link now.
    pub(super) fn note(&mut self, peer: &PeerStatus, now: Time) {
        let trip = match peer.round_trip_ms {
            _ if !peer.connected => Trip::Away,
            None => Trip::Unknown,
            Some(time) if time < QUICK => Trip::Quick,
            Some(time) if time < SLOW => Trip::Middling,
            Some(_) => Trip::Slow,
        };
        let span = now.seconds().div_euclid(SPAN);
        match self.0.back_mut() {
            // A clock that is set back adds to the last span.
            Some((last, worst)) if span <= *last => *worst = trip.max(*worst),
            _ => self.0.push_back((span, trip)),
        }
        if self.0.len() > SPANS {
            self.0.pop_front();
        }
    }

    /// A character for each span, the last one at the right.
    pub(super) fn picture(&self, now: Time) -> String {
        let last = now.seconds().div_euclid(SPAN);
        let spans = i64::try_from(SPANS).unwrap_or(i64::MAX);
        (last - spans + 1..=last)
            .map(|span| {
                let known = self.0.iter().find(|(of, _)| *of == span);
                match known.map(|(_, trip)| trip) {
                    None | Some(Trip::Unknown) => ' ',
                    Some(Trip::Quick) => '.',
                    Some(Trip::Middling) => ':',
                    Some(Trip::Slow) => '|',
                    Some(Trip::Away) => '-',
                }
            })
            .collect()
    }
}
