//! Changes of a group in the simulator: the effect of each kind of fault, and a small campaign.

use std::time::Duration;

use roastery_protocol::Seat;
use roastery_sim::{
    campaign::run,
    change::{Action, Fault, Injection, Played, Proposal, Scenario, play},
    trace::Detail,
};

fn act(person: u32, action: Action) -> Injection {
    Injection::Act(Seat::new(person).unwrap(), action)
}

/// Five people, of whom the first four hold a 2-of-4 that is changed so often, each time to another
/// four; all decide at once.
fn chain(changes: usize) -> Scenario {
    let mut scenario = Scenario::heal(7, 5, 2, 4);
    let mut at = Duration::ZERO;
    for change in 0..changes {
        let people = (0..5).filter(|one| *one != 4 - change % 2).collect();
        let proposal = Proposal { people, threshold: 2, step: 1, excluded: Vec::new() };
        scenario.script.push((at, act(0, Action::Propose(proposal))));
        for person in 0..5 {
            let decides = act(person, Action::Decide { by_hand: true });
            scenario.script.push((at + Duration::from_secs(1), decides));
        }
        at += Duration::from_secs(60);
    }
    scenario.script.push((at, Injection::Calm));
    scenario
}

fn played(scenario: &Scenario) -> Played {
    let played = play(scenario, Detail::Lines);
    if let Some(violation) = &played.violation {
        panic!("{violation}\n{scenario}{}", played.lines.join("\n"));
    }
    played
}

#[test]
fn a_chain_of_changes_comes_to_its_last_epoch_and_everything_before_is_erased() {
    let played = played(&chain(5));
    assert_eq!((played.deepest, played.epochs), (5, 5));
    // Of each of the four members, the share of the epoch before; and more of those that left.
    assert!(played.erased >= 5 * 3, "{}", played.erased);
}

#[test]
fn no_fault_of_one_member_that_accepts_prevents_a_change() {
    let accepts = |fault: &Fault| !matches!(fault, Fault::Silent | Fault::Garbles);
    for fault in Fault::ALL.into_iter().filter(accepts) {
        let mut scenario = chain(2);
        scenario.faults.insert(Seat::new(1).unwrap(), fault);
        let played = played(&scenario);
        assert_eq!(played.deepest, 2, "{fault}");
    }
}

#[test]
fn a_member_that_is_silent_prevents_a_change_that_has_it_and_none_that_leaves_it_out() {
    let mut scenario = chain(1);
    scenario.faults.insert(Seat::new(3).unwrap(), Fault::Silent);
    assert_eq!(played(&scenario).deepest, 0);
    let mut scenario = chain(1);
    scenario.faults.insert(Seat::new(4).unwrap(), Fault::Silent);
    assert_eq!(played(&scenario).deepest, 1);
}

/// A 2-of-3 of the first three people becomes one of these. The last person shows certificates to
/// person 0 alone, which leaves.
fn hidden(seed: u64, people: usize, new: &[usize]) -> Scenario {
    let mut scenario = Scenario::heal(seed, people, 2, 3);
    let hides = Seat::new(people as u32 - 1).unwrap();
    scenario.faults.insert(hides, Fault::HidesCertificates);
    let proposal = Proposal { people: new.to_vec(), threshold: 2, step: 1, excluded: Vec::new() };
    scenario.script.push((Duration::ZERO, act(0, Action::Propose(proposal))));
    for person in 0..people as u32 {
        let decides = act(person, Action::Decide { by_hand: true });
        scenario.script.push((Duration::from_secs(1), decides));
    }
    scenario.script.push((Duration::from_secs(60), Injection::Calm));
    scenario
}

#[test]
fn members_that_learn_of_their_epoch_from_one_that_leaves_end_its_change_and_erase() {
    let mut learnt = 0;
    for seed in 1..=12 {
        let played = played(&hidden(seed, 4, &[1, 2, 3]));
        assert!(played.deepest == 1 && played.erased >= 2, "seed {seed}");
        for person in 1..=2 {
            let at = format!("seat  {person} (node {person}): ");
            let told = played.lines.iter().filter_map(|line| Some(line.split_once(&at)?.1));
            let after: Vec<&str> =
                told.skip_while(|event| !event.starts_with("Switch(Certified(")).collect();
            let own =
                played.lines.iter().any(|line| line.contains(&format!("{at}Change(0, Certified(")));
            let goes_on = after.iter().any(|event| event.starts_with("Change("));
            assert!(!goes_on, "seed {seed}, person {person}: {after:?}");
            learnt += usize::from(!own);
        }
    }
    assert!(learnt > 0, "who leaves was never the first to know");
}

#[test]
fn members_that_join_come_to_an_epoch_whose_certificate_one_that_leaves_alone_was_shown() {
    for seed in 1..=4 {
        assert_eq!(played(&hidden(seed, 6, &[3, 4, 5])).deepest, 1, "seed {seed}");
    }
}

/// Without optimisation only few are played; the command plays more.
#[test]
fn random_chains_of_changes_violate_nothing() {
    let (totals, failure) = run::<Scenario>(1..=12, 2, |_| true);
    if let Some(failure) = failure {
        panic!("{}\n{}", failure.shrunk, failure.shrunk_violation);
    }
    assert_eq!(totals.runs, 12);
    assert!(totals.epochs > 0 && totals.erased > 0 && totals.restarts > 0);
}

#[test]
fn a_chain_played_twice_gives_the_same_trace_and_reading_along_changes_nothing() {
    for seed in 1..4 {
        let scenario = Scenario::draw(seed);
        assert!(scenario.is_fair(), "{scenario}");
        assert_eq!(scenario, Scenario::draw(seed));
        let (blind, reader) = (play(&scenario, Detail::Hash), play(&scenario, Detail::Lines));
        assert_eq!(blind.hash, reader.hash, "seed {seed}");
    }
}
