//! Queries cost what they return, however much is kept.

use std::time::{Duration, Instant};

use roastery_protocol::{GroupId, request::Subject};
use roastery_store::{Durability, RequestState, StateKind, Store};

use crate::{fixture::*, listing::numbered, new_store, support::*};

/// Signed requests, and ten that wait.
fn fill_with(store: &Store, kept: &Kept, count: u32) -> GroupId {
    let group = kept.group().id();
    let signed = RequestState::Signed(outcome(kept));
    for first in (0..count).step_by(1000) {
        let some = first..count.min(first + 1000);
        store
            .write(Durability::Deferred, |transaction| {
                for number in some {
                    let request = numbered(group, number, EXPIRY);
                    transaction.add_request(&request, &Subject::Hash, None, 7)?;
                    if number >= 10 {
                        transaction.set_request(&request, &signed, 9)?;
                    }
                }
                Ok(())
            })
            .unwrap();
    }
    store.sync().unwrap();
    group
}

/// The time to count, to list a page and to find a session: the median of several.
fn answers(store: &Store, group: GroupId) -> [Duration; 3] {
    let session = numbered(group, 5, EXPIRY).session_id();
    let [a, b, c, d, ..] = *session.as_bytes();
    let mut page = all_of([group]);
    page.limit = 50;
    let median = |act: &dyn Fn()| {
        let mut times: Vec<Duration> = (0..15)
            .map(|_| {
                let begun = Instant::now();
                act();
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    [
        median(&|| assert_eq!(store.count(group, StateKind::Proposed, EXPIRY - 1).unwrap(), 10)),
        median(&|| assert!(!store.list(&page).unwrap().is_empty())),
        median(&|| assert_eq!(store.sessions_named([a, b, c, d]).unwrap(), [session])),
    ]
}

fn measure(count: u32) -> [Duration; 3] {
    let (folder, kept) = (Folder::new(), Kept::new());
    let begun = Instant::now();
    let group = fill_with(&new_store(&folder), &kept, count);
    let filled = begun.elapsed();
    let begun = Instant::now();
    let store = Store::open(folder.file("store"), &passphrase()).unwrap();
    let opened = begun.elapsed();
    let times = answers(&store, group);
    let size = std::fs::metadata(folder.file("store")).unwrap().len() / 1024 / 1024;
    println!("{count} kept: {size} MiB, filled in {filled:?}, opened in {opened:?}; {times:?}");
    times
}

#[test]
fn answers_take_no_longer_with_many_requests_than_with_few() {
    let (few, many) = (measure(100), measure(4000));
    for (few, many) in few.into_iter().zip(many) {
        // Reading all would take 40 times as long; other processes may disturb either measurement.
        assert!(many < few * 10 + Duration::from_millis(5), "{few:?} {many:?}");
    }
}

#[test]
#[ignore = "fills a store for a minute: cargo test --release -p roastery-store --test it -- --ignored --nocapture scale"]
fn with_200_000_requests_every_answer_is_there_within_50_ms() {
    for time in measure(200_000) {
        assert!(time < Duration::from_millis(50), "{time:?}");
    }
}
