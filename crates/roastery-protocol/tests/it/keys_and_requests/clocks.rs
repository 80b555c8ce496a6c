//! Row 61: a clock that jumps, and the end of a request's life.

use std::time::Duration;

use roastery_protocol::{
    clock::Moment,
    engine::{FakeEngine, FakeSession},
    machine::{Link, Machine},
    message::Kind,
    signing::{Event, OpenError, Rejected, Session, Settings, StopReason},
};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const INSTANT: Duration = Duration::from_nanos(1);

/// A session of seat 0 in a group of two, of a request that expires in an hour, opened so long
/// after the approval.
fn opened(after: Duration) -> (Fixture, Result<Session<FakeSession>, OpenError>) {
    let fixture = Fixture::new(2, 2);
    let opening = fixture.opening(seat(0), &fixture.request(1), 0, Settings::default());
    let now = later(fixture.now, after);
    let session = Session::open(opening, &FakeEngine::new(seat(0)), now);
    (fixture, session)
}

fn monotonic(fixture: &Fixture, by: Duration) -> Moment {
    Moment { monotonic: fixture.now.monotonic + by, ..fixture.now }
}

#[test]
fn a_session_ends_when_its_request_expires_and_not_before() {
    let (fixture, session) = opened(Duration::ZERO);
    let mut session = session.unwrap();
    session.handle_timeout(monotonic(&fixture, HOUR - INSTANT));
    assert_eq!(session.stopped(), None);
    assert_eq!(session.expires_at(), fixture.now.monotonic + HOUR);
    assert!(session.next_timeout() <= Some(session.expires_at()));
    session.handle_timeout(monotonic(&fixture, HOUR));
    assert_eq!(session.stopped(), Some(StopReason::Expired));
    assert_eq!(session.live_slots(), 0);
}

#[test]
fn a_wall_clock_that_jumps_moves_no_deadline() {
    let year = 8760 * HOUR;
    for wall in [Duration::ZERO, year, 60 * year] {
        let (fixture, session) = opened(Duration::ZERO);
        let mut session = session.unwrap();
        let at = |by| Moment { wall, ..monotonic(&fixture, by) };
        session.handle_timeout(at(INSTANT));
        session.handle_timeout(at(HOUR - INSTANT));
        assert_eq!(session.stopped(), None);
        session.handle_timeout(at(HOUR));
        assert_eq!(session.stopped(), Some(StopReason::Expired));
    }
}

#[test]
fn the_deadline_counts_from_the_approval_however_late_the_session_opens() {
    for wait in [INSTANT, HOUR / 2, HOUR - INSTANT] {
        let (fixture, session) = opened(wait);
        assert_eq!(session.unwrap().expires_at(), fixture.now.monotonic + HOUR);
    }
    for wait in [HOUR, HOUR + INSTANT, 100 * HOUR] {
        assert_eq!(opened(wait).1.err(), Some(OpenError::Expired));
    }
}

#[test]
fn the_deadline_is_the_expiry_itself_and_not_a_fraction_of_a_second_later() {
    let mut fixture = Fixture::new(2, 2);
    fixture.now.wall += Duration::from_millis(700);
    let expiry = fixture.now.monotonic + HOUR - Duration::from_millis(700);
    assert_eq!(fixture.request(1).expires_at(), expiry);
}

#[test]
fn nothing_is_signed_after_the_deadline_though_the_package_comes_before_the_timer() {
    let fixture = Fixture::new(2, 2);
    let engines = fixture.fake_engines();
    let mut world = World::open(fixture, engines.iter().cloned().map(Some), Settings::default());
    world.deliver_all(Kind::Commitments);
    let coordinator = world.coordinator();
    let signer = seat(1 - coordinator.index());
    let package = world.sent_by(coordinator, Kind::SigningPackage);
    world.now = later(world.now, HOUR);
    let rejected = world.deliver(coordinator, signer, package.as_bytes());
    assert_eq!(rejected, Err(Rejected::Over));
    assert_eq!(world.session(signer.index()).stopped(), Some(StopReason::Expired));
    assert_eq!(engines[signer.index()].calls().sign, 0);
}

#[test]
fn no_attempt_is_entered_after_the_deadline_though_a_connection_breaks_before_the_timer() {
    let (fixture, session) = opened(Duration::ZERO);
    let mut session = session.unwrap();
    while session.poll_output().is_some() {}
    session.handle_link(&peer(seat(1)), Link::Down, monotonic(&fixture, HOUR));
    assert_eq!(session.stopped(), Some(StopReason::Expired));
    let entered = std::iter::from_fn(|| session.poll_output()).any(|output| {
        matches!(output, roastery_protocol::signing::Output::Event(Event::Committed { .. }))
    });
    assert!(!entered);
}

#[test]
fn wall_clocks_that_jump_at_every_node_cost_an_attempt_and_not_the_signature() {
    let year = 8760 * HOUR;
    for forwards in [true, false] {
        let fixture = Fixture::new(3, 5);
        let engines = fixture.fake_engines();
        let mut world = World::open(fixture, engines.into_iter().map(Some), Settings::default());
        world.deliver_all(Kind::Commitments);
        world.now.wall = if forwards { world.now.wall + year } else { world.now.wall - year };
        world.run();
        assert_eq!(world.signed(), 0);
        world.pass_time(Settings::default().interval);
        world.pass_time(Settings::default().interval);
        assert_eq!(world.signed(), 5);
        assert!((0..5).all(|at| world.proven(at).is_empty()));
    }
}
