use super::*;

const INTERVAL: Duration = Duration::from_millis(400);

fn seat(id: u32) -> Seat {
    Seat::new(id).unwrap()
}

fn seats(ids: impl IntoIterator<Item = u32>) -> Vec<Seat> {
    ids.into_iter().map(seat).collect()
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn run(number: u64) -> Run {
    Run::new(number, [0; 8])
}

fn hash(id: u8) -> BodyHash {
    BodyHash::from_bytes([id; 32])
}

fn incarnation(id: u64) -> Incarnation {
    Incarnation::after(None, id, [0; 8])
}

fn ready() -> Candidate {
    Candidate {
        linked: true,
        excluded: false,
        has_slots: true,
        has_spare_slots: true,
        ready: true,
        cannot: None,
        incarnation: Some(incarnation(1)),
        clean: true,
        prompt: true,
        round_trip: ms(100),
    }
}

fn silent() -> Candidate {
    Candidate { ready: false, prompt: false, ..ready() }
}

/// A 3-of-5 whose seat 0 reigns, and what it knows of the others.
struct Table {
    reign: Reign<u8>,
    members: Vec<Candidate>,
    slots: u8,
}

impl Table {
    fn new(members: Vec<Candidate>) -> Self {
        let reign = Reign::begin(seats([0]), 5, 3, run(1), ms(0));
        Self { reign, members, slots: 0 }
    }

    fn plan(&mut self, now: Duration) -> Option<NextPackage> {
        let members = &self.members;
        self.reign.plan(now, |seat| members[seat.index()])
    }

    fn issue(&mut self, now: Duration) -> (Vec<Seat>, PackageId) {
        let plan = self.plan(now).expect("a package may go out");
        let picks = plan.seats.iter().map(|&seat| {
            self.slots += 1;
            let incarnation = self.members[seat.index()].incarnation;
            let slot = SlotHash::from_bytes([self.slots; 32]);
            Pick { seat, incarnation, slot, share: None }
        });
        let id = self.reign.issue(picks.collect(), now).expect("no slot is named twice");
        self.reign.seal(id, hash(self.slots));
        self.reign.share(seat(0), hash(self.slots), 0);
        (plan.seats, id)
    }

    fn is_due(&self, now: Duration) -> bool {
        self.reign.is_new_run_due(INTERVAL, now, |seat| self.members[seat.index()])
    }

    fn renew(&mut self, number: u64, now: Duration) {
        self.reign.renew(run(number), INTERVAL, now);
    }
}

#[test]
fn package_0_goes_out_to_members_that_have_not_said_ready_once_in_a_session() {
    let mut table = Table::new(vec![Candidate { prompt: true, ..silent() }; 5]);
    let plan = table.plan(ms(0)).unwrap();
    assert!(plan.is_try);
    table.issue(ms(0));
    assert_eq!(table.plan(ms(5_000)), None, "every other pick needs Ready");
    table.renew(2, ms(9_000));
    assert_eq!(table.plan(ms(9_000)), None, "in another run as well");
    table.members = vec![ready(); 5];
    assert!(!table.plan(ms(9_000)).unwrap().is_try);
}

#[test]
fn package_0_is_no_try_where_members_are_slow_or_their_stock_is_low() {
    for member in
        [Candidate { prompt: false, ..ready() }, Candidate { has_spare_slots: false, ..ready() }]
    {
        let mut table = Table::new(vec![member; 5]);
        assert!(!table.plan(ms(0)).unwrap().is_try);
    }
}

#[test]
fn only_members_that_are_linked_able_and_not_at_fault_are_picked() {
    let unfit = [
        Candidate { linked: false, ..ready() },
        Candidate { excluded: true, ..ready() },
        Candidate { has_slots: false, has_spare_slots: false, ..ready() },
        silent(),
    ];
    for member in unfit {
        for waits_for_ready in [false, true] {
            let mut members = vec![ready(); 5];
            members[1] = member;
            let mut table = Table::new(members);
            if waits_for_ready {
                table.reign.wait_for_ready();
            }
            assert_eq!(table.issue(ms(0)).0, seats([0, 2, 3]), "{member:?} {waits_for_ready}");
        }
    }
}

#[test]
fn the_own_seat_and_clean_and_quick_members_are_picked_first() {
    let mut members = vec![ready(); 5];
    members[0] = Candidate { clean: false, round_trip: ms(900), ..ready() };
    members[1].clean = false;
    members[2].round_trip = ms(300);
    let mut table = Table::new(members);
    assert_eq!(table.issue(ms(0)).0, seats([0, 3, 4]));
}

#[test]
fn members_that_have_said_ready_are_picked_before_those_that_are_tried() {
    let mut members = vec![Candidate { prompt: true, ..silent() }; 5];
    members[3] = Candidate { round_trip: ms(300), ..ready() };
    members[4] = Candidate { round_trip: ms(300), ..ready() };
    let plan = Table::new(members).plan(ms(0)).unwrap();
    assert_eq!((plan.seats, plan.is_try), (seats([0, 3, 4]), true));
}

#[test]
fn package_0_is_alone_for_a_round_trip_to_its_slowest_signer_and_a_quarter() {
    let mut members = vec![ready(); 5];
    members[3].round_trip = ms(200);
    members[4].round_trip = ms(200);
    let mut table = Table::new(members);
    table.reign.threshold = 2;
    assert_eq!(table.issue(ms(0)).0, seats([0, 1]));
    assert_eq!(table.plan(ms(124)), None);
    assert_eq!(table.reign.package_due(|_| ready()), Some(ms(125)));
    table.reign.change(
        seat(0),
        PackageId { run: run(1), number: 0 },
        Status::Answered(0),
        Status::Idle,
    );
    assert_eq!(table.plan(ms(125)).unwrap().seats, seats([0, 2]));
}

#[test]
fn package_0_is_not_waited_for_where_its_signer_is_out() {
    let mut table = Table::new(vec![ready(); 5]);
    table.issue(ms(0));
    table.reign.exclude(seat(1));
    assert_eq!(table.plan(ms(1)).unwrap().seats, seats([0, 3, 4]));
}

#[test]
fn a_share_counts_once_and_for_its_own_package_only() {
    let mut table = Table::new(vec![ready(); 5]);
    let (_, id) = table.issue(ms(0));
    let name = hash(table.slots);
    assert_eq!(table.reign.share(seat(1), name, 1), Count::Counted(id));
    assert_eq!(table.reign.share(seat(1), name, 1), Count::Repeat);
    assert_eq!(table.reign.share(seat(4), name, 1), Count::NotOwed);
    assert_eq!(table.reign.share(seat(2), hash(200), 1), Count::NotOwed);
    assert_eq!(table.reign.share(seat(2), name, 1), Count::Complete(id));
}

#[test]
fn a_member_that_is_out_stays_out_though_its_share_comes() {
    let mut members = vec![ready(); 5];
    members[4].linked = false;
    let mut table = Table::new(members);
    table.issue(ms(0));
    table.reign.exclude(seat(1));
    table.reign.share(seat(1), hash(table.slots), 1);
    assert_eq!(table.plan(ms(500)), None);
}

#[test]
fn another_incarnation_of_a_member_ends_no_debt_in_the_run() {
    let mut members = vec![ready(); 5];
    members[4].linked = false;
    let mut table = Table::new(members);
    table.issue(ms(0));
    table.members[1].incarnation = Some(incarnation(2));
    assert_eq!(table.plan(ms(500)), None, "seats 1 and 2 owe a share");
}

#[test]
fn a_member_that_has_answered_is_picked_again_once_its_share_is_checked() {
    let mut members = vec![ready(); 5];
    members[3] = silent();
    members[4] = silent();
    let mut table = Table::new(members);
    let (_, id) = table.issue(ms(0));
    let name = hash(table.slots);
    table.reign.share(seat(1), name, 1);
    assert_eq!(table.plan(ms(500)), None, "seat 2 owes a share");
    table.members[3] = ready();
    let plan = table.plan(ms(500)).unwrap();
    assert_eq!(plan.seats, seats([0, 1, 3]));
    assert_eq!(plan.unchecked, [(seat(0), id), (seat(1), id)]);
    table.reign.clear(seat(1), id);
    assert_eq!(table.plan(ms(500)).unwrap().unchecked, [(seat(0), id)]);
    table.reign.exclude(seat(1));
    assert_eq!(table.plan(ms(500)), None);
}

#[test]
fn members_whose_share_needs_no_check_are_picked_first() {
    let mut table = Table::new(vec![ready(); 5]);
    table.issue(ms(0));
    table.reign.share(seat(1), hash(table.slots), 1);
    assert_eq!(table.plan(ms(500)).unwrap().seats, seats([0, 3, 4]));
}

#[test]
fn a_member_that_has_answered_is_picked_though_it_has_not_said_ready() {
    let mut table = Table::new(vec![Candidate { prompt: true, ..silent() }; 5]);
    table.issue(ms(0));
    let name = hash(table.slots);
    table.reign.share(seat(1), name, 1);
    table.members[3] = ready();
    assert_eq!(table.plan(ms(500)).unwrap().seats, seats([0, 1, 3]));
}

#[test]
fn a_share_that_is_taken_back_is_owed_as_before() {
    let mut table = Table::new(vec![ready(); 5]);
    let (_, id) = table.issue(ms(0));
    let name = hash(table.slots);
    table.reign.share(seat(1), name, 1);
    table.reign.retract(seat(1), name);
    assert!(table.reign.owing().any(|one| one == (seat(1), id)));
    assert_eq!(table.reign.share(seat(1), name, 1), Count::Counted(id));
}

#[test]
fn no_run_has_more_than_n_minus_t_plus_1_packages() {
    let mut table = Table::new(vec![ready(); 5]);
    for number in 0..3 {
        let (picked, id) = table.issue(ms(2_000 * number));
        let name = hash(table.slots);
        for seat in picked {
            table.reign.share(seat, name, 1);
            table.reign.clear(seat, id);
        }
        table.reign.fail(id);
    }
    assert_eq!(table.plan(ms(60_000)), None);
}

#[test]
fn a_slot_that_this_run_has_named_is_not_named_again() {
    let mut table = Table::new(vec![ready(); 5]);
    table.issue(ms(0));
    let again = |slots: [u8; 3]| -> Vec<Pick<u8>> {
        let pick = |(at, id): (usize, u8)| Pick {
            seat: seat(at as u32 + 2),
            incarnation: None,
            slot: SlotHash::from_bytes([id; 32]),
            share: None,
        };
        slots.into_iter().enumerate().map(pick).collect()
    };
    assert_eq!(table.reign.issue(again([50, 51, 3]), ms(1)), None);
    assert!(table.reign.issue(again([50, 51, 52]), ms(1)).is_some());
}

#[test]
fn a_new_run_begins_for_a_debtor_that_can_never_pay_and_not_for_one_that_is_silent() {
    let mut members = vec![ready(); 5];
    members[3] = silent();
    members[4] = silent();
    let mut table = Table::new(members);
    table.issue(ms(0));
    assert_eq!(table.plan(ms(1)), None);
    assert!(!table.is_due(ms(60_000)), "the debts of seats 1 and 2 are not forgotten");
    table.members[1].cannot = Some((run(1), 0));
    assert!(!table.is_due(ms(60_000)), "seat 2 owes");
    table.members[2].incarnation = Some(incarnation(2));
    assert!(table.is_due(ms(60_000)));
    table.members[2].ready = false;
    assert!(!table.is_due(ms(60_000)), "its new incarnation has not said Ready");
}

#[test]
fn no_new_run_begins_while_a_package_can_be_issued() {
    let mut table = Table::new(vec![ready(); 5]);
    assert!(table.plan(ms(0)).is_some());
    assert!(!table.is_due(ms(60_000)));
}

#[test]
fn a_new_run_counts_on_members_that_are_ready_and_on_no_answers_of_the_run_before() {
    let mut members = vec![Candidate { prompt: true, ..silent() }; 5];
    members[3].linked = false;
    members[4].linked = false;
    let mut table = Table::new(members);
    for number in 0..3 {
        let (picked, id) = table.issue(ms(2_000 * number));
        for seat in picked {
            table.reign.share(seat, hash(table.slots), 1);
            table.reign.clear(seat, id);
        }
        table.reign.fail(id);
    }
    assert_eq!(table.plan(ms(6_000)), None, "the run is full");
    assert!(!table.is_due(ms(60_000)));
    table.members[1].ready = true;
    table.members[2].ready = true;
    assert!(table.is_due(ms(60_000)));
}

#[test]
fn a_package_of_another_run_in_cannot_forgets_no_debt() {
    let mut members = vec![ready(); 5];
    members[3] = silent();
    members[4] = silent();
    let mut table = Table::new(members);
    table.issue(ms(0));
    table.plan(ms(1));
    for cannot in [(run(2), 0), (run(1), 1)] {
        table.members[1].cannot = Some(cannot);
        table.members[2].cannot = Some(cannot);
        assert!(!table.is_due(ms(60_000)));
    }
}

#[test]
fn a_new_run_waits_an_interval_and_two_round_trips_to_the_slowest_that_owes() {
    let mut members = vec![Candidate { cannot: Some((run(1), 0)), ..ready() }; 5];
    members[3] = silent();
    members[4] = silent();
    members[2].round_trip = ms(1_000);
    let mut table = Table::new(members);
    table.issue(ms(0));
    assert_eq!(table.plan(ms(100)), None);
    assert!(!table.is_due(ms(1_999)));
    assert!(table.is_due(ms(2_000)));
    table.members[2].round_trip = ms(10);
    assert!(!table.is_due(ms(499)));
    assert!(table.is_due(ms(500)), "an interval since it could issue nothing");
    table.members[2].round_trip = ms(100_000);
    assert!(!table.is_due(ms(7_999)));
    assert!(table.is_due(ms(8_000)), "no member is waited for longer");
}

#[test]
fn a_share_that_dribbles_in_does_not_put_off_the_new_run() {
    let mut members = vec![Candidate { cannot: Some((run(1), 0)), ..ready() }; 5];
    members[4] = silent();
    let mut table = Table::new(members);
    table.reign.threshold = 4;
    table.issue(ms(0));
    assert_eq!(table.plan(ms(1)), None);
    table.reign.share(seat(1), hash(table.slots), 1);
    assert_eq!(table.plan(ms(399)), None);
    assert!(table.is_due(ms(401)));
}

#[test]
fn the_pause_between_runs_doubles_and_a_member_shortens_it_once_in_eight_seconds() {
    let mut members = vec![Candidate { cannot: Some((run(1), 0)), ..ready() }; 5];
    members[3] = silent();
    members[4] = silent();
    let mut table = Table::new(members);
    let mut now = ms(0);
    let mut pauses = Vec::new();
    for number in 2..9 {
        table.issue(now);
        table.plan(now);
        let begun = now;
        while !table.is_due(now) {
            now += ms(100);
        }
        pauses.push((now - begun).as_millis());
        table.renew(number, now);
        table.members.iter_mut().for_each(|one| one.cannot = Some((run(number), 0)));
    }
    assert_eq!(pauses, [400, 800, 1_600, 3_200, 6_400, 8_000, 8_000]);
    table.reign.member_returned(seat(3), now);
    assert_eq!(table.reign.renewal.pause, None);
    table.renew(20, now);
    table.reign.member_returned(seat(3), now + ms(7_999));
    assert!(table.reign.renewal.pause.is_some());
    table.reign.member_returned(seat(4), now + ms(7_999));
    assert_eq!(table.reign.renewal.pause, None);
}

#[test]
fn a_member_that_returns_does_not_shorten_a_run_in_which_a_share_may_still_come() {
    let mut members = vec![Candidate { cannot: Some((run(1), 0)), ..ready() }; 5];
    members[1].cannot = None;
    let mut table = Table::new(members);
    table.issue(ms(0));
    table.reign.run.stuck = Some(ms(0));
    assert!(table.is_due(ms(400)), "one interval at first");
    table.reign.member_returned(seat(4), ms(100));
    assert!(!table.is_due(ms(7_999)), "seat 1 may still answer");
    assert!(table.is_due(ms(8_000)));
    table.members[1].cannot = Some((run(1), 0));
    assert!(table.is_due(ms(400)));
    table.members[1].cannot = None;
    table.members[1].incarnation = Some(incarnation(2));
    assert!(table.is_due(ms(400)), "its slots ended with its incarnation");
    table.members[1].ready = false;
    assert!(!table.is_due(ms(7_999)), "its new incarnation has not said Ready");
    table.members[1].linked = false;
    assert!(table.is_due(ms(400)), "it has no link");
}

#[test]
fn shares_count_for_the_two_newest_runs_and_debtors_of_an_ended_one_are_picked_last() {
    let mut table = Table::new(vec![ready(); 5]);
    let (picked, id) = table.issue(ms(0));
    assert_eq!(picked, seats([0, 1, 2]));
    let name = hash(table.slots);
    table.renew(2, ms(2_000));
    assert_eq!(table.reign.penalised().iter().copied().collect::<Vec<_>>(), seats([1, 2]));
    assert_eq!(table.reign.share(seat(1), name, 1), Count::Counted(id));
    assert_eq!(table.issue(ms(2_000)).0, seats([0, 3, 4]));
    assert_eq!(table.reign.share(seat(2), name, 1), Count::Complete(id));
    table.renew(3, ms(9_000));
    assert_eq!(table.reign.share(seat(2), name, 1), Count::NotOwed);
}

#[test]
fn a_package_that_is_dropped_keeps_no_share_and_its_signers_may_be_picked_again() {
    let mut table = Table::new(vec![ready(); 5]);
    let (signers, id) = table.issue(ms(0));
    let package = table.reign.package(id).unwrap().hash.unwrap();
    table.reign.share(signers[1], package, 7);
    table.reign.drop_package(id);
    assert!(table.reign.package(id).unwrap().picks.iter().all(|pick| pick.share.is_none()));
    assert!(table.reign.owing().all(|(owes, _)| owes == signers[2]));
    // The last share ends the debt, and makes no signature.
    assert_eq!(table.reign.share(signers[2], package, 8), Count::Counted(id));
    assert_eq!(table.reign.owing().count(), 0);
    assert!(table.reign.package(id).unwrap().picks.iter().all(|pick| pick.share.is_none()));
    let plan = table.plan(ms(1)).unwrap();
    assert_eq!((plan.seats, plan.unchecked), (signers, Vec::new()));
}
