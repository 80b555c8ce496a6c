//! The connections of a console. Those that have shown no token make room for others.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tokio::sync::Notify;

/// The most connections at once.
const MOST: usize = 64;

/// One connection, as its requests see it.
#[derive(Clone, Debug)]
pub(crate) struct Connection(Arc<State>);

#[derive(Debug)]
struct State {
    /// Whether it has shown the token of a session.
    known: AtomicBool,
    last_used: Mutex<Instant>,
    /// It has to make room.
    over: Notify,
}

impl Connection {
    fn new() -> Self {
        let (known, last_used) = (AtomicBool::new(false), Mutex::new(Instant::now()));
        Self(Arc::new(State { known, last_used, over: Notify::new() }))
    }

    /// It has sent a request.
    pub(crate) fn note_request(&self) {
        *lock(&self.0.last_used) = Instant::now();
    }

    /// It has shown the token of a session: it is a page's, and stays.
    pub(crate) fn note_token(&self) {
        self.0.known.store(true, Ordering::Relaxed);
    }

    fn is_known(&self) -> bool {
        self.0.known.load(Ordering::Relaxed)
    }

    fn last_used(&self) -> Instant {
        *lock(&self.0.last_used)
    }
}

/// All connections at once. Clones are the same.
///
/// Each user of the machine can open connections. Without the token they only pass: if there are
/// too many, the one that has been idle for the longest is closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections(Arc<Mutex<Vec<Connection>>>);

impl Connections {
    /// A place for a new connection, if there is one or a connection makes room.
    pub(crate) fn place(&self) -> Option<Place> {
        let mut all = lock(&self.0);
        if all.len() >= MOST {
            let passing = all.iter().enumerate().filter(|(_, one)| !one.is_known());
            let (at, _) = passing.min_by_key(|(_, one)| one.last_used())?;
            all.swap_remove(at).0.over.notify_one();
        }
        let connection = Connection::new();
        all.push(connection.clone());
        Some(Place { all: self.clone(), connection })
    }
}

/// The place of a connection. It is free when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    all: Connections,
    pub(crate) connection: Connection,
}

impl Place {
    /// Returns when the connection has to make room.
    pub(crate) async fn over(&self) {
        self.connection.0.over.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.all.0).retain(|other| !Arc::ptr_eq(&other.0, &self.connection.0));
    }
}

/// No step under these locks leaves a value incomplete.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_longest_idle_of_those_without_a_token_makes_room() {
        let all = Connections::default();
        let places: Vec<Place> = (0..MOST).map(|_| all.place().unwrap()).collect();
        let is_over = |at: usize| places[at].over().now_or_never().is_some();
        places[0].connection.note_token();
        places[1].connection.note_request();
        let _new = all.place().unwrap();
        assert!(is_over(2));
        assert!((0..MOST).filter(|at| *at != 2).all(|at| !is_over(at)));
    }

    #[test]
    fn connections_that_have_shown_a_token_stay() {
        let all = Connections::default();
        let mut places: Vec<Place> = (0..MOST).map(|_| all.place().unwrap()).collect();
        places.iter().for_each(|place| place.connection.note_token());
        assert!(all.place().is_none());
        places.pop();
        assert!(all.place().is_some());
    }
}
