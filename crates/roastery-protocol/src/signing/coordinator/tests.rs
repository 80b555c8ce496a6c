use super::*;
use crate::{
    Attempt, GroupId, SessionId,
    keys::IdentityKey,
    message::{Body, Header, RefusalReason},
    signing::PeerStats,
};

const PATIENCE: Duration = Duration::from_secs(1);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn seat(at: usize) -> Seat {
    super::seat(at).unwrap()
}

/// A 3-of-5 group's coordinator with seat 0, which begins at once.
struct Desk {
    coordinator: Coordinator,
    envelope: Envelope,
    slots: u8,
}

impl Desk {
    fn new(record: PeerHistory) -> Self {
        let key = roastery_frost::SigningKey::from_bytes([1; 32].into()).unwrap();
        let identity = IdentityKey::new(key);
        let (group, session) = (GroupId::from_bytes([0; 32]), SessionId::from_bytes([0; 32]));
        let body = Body::Refusal(RefusalReason::Busy);
        let header = Header::new(body.kind(), group, session, Attempt::FIRST.number(), 0);
        let mut coordinator = Coordinator::new(seat(0), (5, 3), PATIENCE, record);
        coordinator.begin(Duration::ZERO);
        Self { coordinator, envelope: Envelope::seal(header, &body, &identity), slots: 0 }
    }

    fn offer(&mut self, at: usize, run: u64, now: Duration) -> Offer {
        self.slots += 1;
        let held = HeldSlot {
            hash: SlotHash::from_bytes([self.slots; 32]),
            slot: Slot(Vec::new()),
            shown_by: self.envelope.clone(),
        };
        let index = u32::from(self.slots);
        self.coordinator.offer(seat(at), (Incarnation::new(run, [0; 8]), index), held, now)
    }

    fn picks(&self, now: Duration) -> Option<Vec<usize>> {
        let plan = self.coordinator.plan(now)?;
        Some(plan.seats.into_iter().map(Seat::index).collect())
    }

    fn issue(&mut self, at: &[usize], now: Duration) -> BodyHash {
        let seats: Vec<Seat> = at.iter().map(|at| seat(*at)).collect();
        let number = self.coordinator.issue(&seats, now);
        let hash = BodyHash::from_bytes([100 + number as u8; 32]);
        self.coordinator.name(number, hash);
        hash
    }

    fn share(&mut self, at: usize, package: BodyHash, now: Duration) -> Count {
        self.coordinator.share(seat(at), package, &[], &self.envelope.clone(), now)
    }
}

/// Members of which these kept others waiting and all others answered.
fn record_against(owed: &[usize]) -> PeerHistory {
    let mut record = PeerHistory::default();
    for at in 0..5 {
        let round_trip = Some(millis(80));
        record.note(seat(at), PeerStats { answered: !owed.contains(&at), round_trip });
    }
    record
}

#[test]
fn the_first_package_goes_out_when_t_are_ready_and_to_those_that_came_first() {
    let mut desk = Desk::new(PeerHistory::default());
    for (at, now) in [(0, 0), (4, 10), (2, 20)] {
        assert_eq!(desk.picks(millis(now)), None);
        desk.offer(at, 1, millis(now));
    }
    assert_eq!(desk.picks(millis(20)), Some(vec![0, 2, 4]));
}

#[test]
fn no_second_package_goes_out_before_the_slowest_signer_of_the_first_can_have_answered() {
    let mut desk = Desk::new(PeerHistory::default());
    for (at, now) in [(0, 0), (1, 50), (2, 80), (3, 80), (4, 80)] {
        desk.offer(at, 1, millis(now));
    }
    let package = desk.issue(&[0, 1, 2], millis(80));
    desk.share(0, package, millis(80));
    desk.offer(0, 1, millis(80));
    // Twice 80 ms, and a quarter as margin.
    assert_eq!(desk.coordinator.due(), Some(millis(280)));
    assert_eq!(desk.picks(millis(279)), None);
    assert_eq!(desk.picks(millis(280)), Some(vec![0, 3, 4]));
}

#[test]
fn a_signer_of_unknown_speed_is_given_the_whole_patience() {
    let mut desk = Desk::new(PeerHistory::default());
    (0..5).for_each(|at| assert_eq!(desk.offer(at, 1, Duration::ZERO), Offer::Taken));
    desk.issue(&[0, 1, 2], millis(10));
    let package = desk.coordinator.packages()[0].hash.unwrap();
    desk.share(0, package, millis(10));
    desk.offer(0, 1, millis(10));
    assert_eq!(desk.coordinator.due(), Some(PATIENCE + millis(10)));
}

#[test]
fn a_known_round_trip_counts_more_than_the_first_message_and_chance_is_not_a_measure() {
    let mut desk = Desk::new(record_against(&[]));
    (0..5).for_each(|at| assert_eq!(desk.offer(at, 1, millis(300)), Offer::Taken));
    let package = desk.issue(&[0, 1, 2], millis(300));
    desk.share(0, package, millis(300));
    desk.offer(0, 1, millis(300));
    assert_eq!(desk.coordinator.due(), Some(millis(400)));
    let quick = PeerStats { answered: true, round_trip: Some(millis(1)) };
    desk.coordinator.record.note(seat(1), quick);
    desk.coordinator.record.note(seat(2), quick);
    assert_eq!(desk.coordinator.due(), Some(millis(300) + millis(100)));
}

#[test]
fn no_member_waits_for_a_first_package_whose_signer_is_out() {
    let mut desk = Desk::new(PeerHistory::default());
    (0..5).for_each(|at| assert_eq!(desk.offer(at, 1, millis(80)), Offer::Taken));
    let package = desk.issue(&[0, 1, 2], millis(80));
    desk.share(0, package, millis(90));
    desk.offer(0, 1, millis(90));
    assert_eq!(desk.picks(millis(90)), None);
    desk.coordinator.exclude(seat(1));
    assert_eq!(desk.picks(millis(90)), Some(vec![0, 3, 4]));
}

#[test]
fn a_member_that_kept_others_waiting_in_an_earlier_session_is_picked_last() {
    let mut desk = Desk::new(record_against(&[1, 2]));
    (0..5).for_each(|at| assert_eq!(desk.offer(at, 1, millis(at as u64)), Offer::Taken));
    assert_eq!(desk.picks(millis(10)), Some(vec![0, 3, 4]));
}

#[test]
fn who_answered_earlier_is_waited_for_before_one_who_did_not_but_not_for_ever() {
    let mut desk = Desk::new(record_against(&[1, 2]));
    (0..4).for_each(|at| assert_eq!(desk.offer(at, 1, Duration::ZERO), Offer::Taken));
    // Seat 4 may still come: 80 ms and a quarter.
    assert_eq!(desk.picks(millis(99)), None);
    assert_eq!(desk.coordinator.due(), Some(millis(100)));
    assert_eq!(desk.picks(millis(100)), Some(vec![0, 1, 3]));
    desk.offer(4, 1, millis(50));
    assert_eq!(desk.picks(millis(50)), Some(vec![0, 3, 4]));
}

#[test]
fn a_debt_is_paid_only_by_a_share_for_that_very_package_whatever_run_is_announced() {
    let mut desk = Desk::new(PeerHistory::default());
    (0..5).for_each(|at| assert_eq!(desk.offer(at, 1, millis(at as u64)), Offer::Taken));
    let package = desk.issue(&[0, 1, 2], millis(5));
    for run in 2..5 {
        assert_eq!(desk.offer(1, run, millis(6)), Offer::Taken);
    }
    desk.share(0, package, millis(7));
    desk.offer(0, 1, millis(7));
    assert_eq!(desk.picks(PATIENCE * 2), Some(vec![0, 3, 4]));
    let other = BodyHash::from_bytes([9; 32]);
    assert_eq!(desk.share(1, other, millis(8)), Count::NotOwed);
    assert_eq!(desk.coordinator.owing().map(|(seat, _)| seat.index()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(desk.share(1, package, millis(9)), Count::Counted { number: 0 });
    assert_eq!(desk.share(1, package, millis(9)), Count::Repeat);
    assert_eq!(desk.coordinator.owing().map(|(seat, _)| seat.index()).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_share_that_was_not_its_senders_is_owed_again() {
    let mut desk = Desk::new(PeerHistory::default());
    (0..3).for_each(|at| assert_eq!(desk.offer(at, 1, millis(5)), Offer::Taken));
    let package = desk.issue(&[0, 1, 2], millis(5));
    (0..3).for_each(|at| {
        assert_eq!(desk.share(at, package, millis(6)), Count::Counted { number: 0 })
    });
    assert!(desk.coordinator.is_complete(0));
    desk.coordinator.retract(seat(1), package);
    assert!(!desk.coordinator.is_complete(0));
    assert_eq!(desk.coordinator.owing().collect::<Vec<_>>(), [(seat(1), 0)]);
    assert_eq!(desk.share(1, package, millis(7)), Count::Counted { number: 0 });
}

#[test]
fn a_slot_that_was_named_is_not_taken_again_under_an_older_or_a_newer_run() {
    let mut desk = Desk::new(PeerHistory::default());
    (0..3).for_each(|at| assert_eq!(desk.offer(at, 5, millis(1)), Offer::Taken));
    desk.issue(&[0, 1, 2], millis(1));
    let named = desk.coordinator.packages()[0].picks[1].slot.clone();
    for run in [4, 5, 6] {
        let word = (Incarnation::new(run, [0; 8]), 99);
        assert_eq!(desk.coordinator.offer(seat(1), word, named.clone(), millis(2)), Offer::Stale);
    }
}

#[test]
fn there_are_at_most_n_minus_t_plus_1_packages_and_each_has_a_blocker_of_its_own() {
    let mut desk = Desk::new(PeerHistory::default());
    (0..5).for_each(|at| assert_eq!(desk.offer(at, 1, millis(1)), Offer::Taken));
    let mut now = millis(1);
    let mut issued = 0;
    while let Some(picks) = desk.picks(now) {
        let package = desk.issue(&picks, now);
        issued += 1;
        // All but the last one answer.
        for &at in &picks[..2] {
            desk.share(at, package, now);
            desk.coordinator.clear(seat(at), issued - 1);
            desk.offer(at, 1, now);
        }
        now += 2 * PATIENCE;
    }
    assert_eq!(issued, 3);
    assert_eq!(desk.coordinator.owing().count(), 3);
}
