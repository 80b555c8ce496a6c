use roastery_frost::SigningKey;

use super::*;
use crate::{
    GroupId, SessionId,
    keys::IdentityKey,
    member::frame::{Content, SignatureShare},
};

fn seat(id: u32) -> Seat {
    Seat::new(id).unwrap()
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn slot(id: u8) -> SlotHash {
    SlotHash::from_bytes([id; 32])
}

fn hash(id: u8) -> BodyHash {
    BodyHash::from_bytes([id; 32])
}

const PACE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Of the seats 1 and 2, for the coordinator 3, brought by seat 4.
fn investigation(id: u8) -> Investigation<()> {
    let key = IdentityKey::new(SigningKey::from_bytes([7; 32].into()).unwrap());
    let (group, session) = (GroupId::from_bytes([1; 32]), SessionId::from_bytes([2; 32]));
    let content = SignatureShare { package: hash(0), scalars: Vec::new() };
    let content = Content::SignatureShare(content);
    let package = Statement::seal(group, session, seat(3), &content, &key);
    let entry = |id: u32| SignerSlots { seat: seat(id), first: 0, hash: slot(id as u8) };
    let suspects = vec![Suspect::new(&entry(1)), Suspect::new(&entry(2))];
    Investigation::new((hash(id), package), seat(3), (), suspects, seat(4), ms(0), PACE)
}

#[test]
fn each_round_asks_another_of_those_that_may_know_once_for_each_signer() {
    let mut one = investigation(1);
    let rounds: Vec<_> = (0..4).map(|_| one.questions(|_| true)).collect();
    let of = |to: u32, slots: [u8; 2]| slots.map(|id| (seat(to), slot(id))).to_vec();
    assert_eq!(rounds[0], [(seat(1), slot(1)), (seat(2), slot(2))]);
    assert_eq!((&rounds[1], &rounds[2]), (&of(4, [1, 2]), &of(3, [1, 2])));
    assert_eq!(rounds[3], rounds[0]);
    assert!(one.questions(|_| false).is_empty(), "no link is up");
    one.suspects[0].nonces = Some(NamedSlots(Vec::new()));
    assert_eq!(one.questions(|seat| seat.index() == 2), [(seat(2), slot(2))]);
    assert!(!one.is_complete());
}

#[test]
fn four_are_open_at_a_time_and_only_one_that_has_asked_often_makes_room() {
    let mut all = Investigations::default();
    for id in 0..4 {
        assert!(all.has_room());
        all.begin(investigation(id));
    }
    assert!(!all.has_room());
    let third = all.find_mut(hash(2)).unwrap();
    (0..4).for_each(|_| drop(third.questions(|_| true)));
    assert!(all.has_room());
    all.begin(investigation(9));
    assert_eq!(all.len(), 4);
    assert!(all.find_mut(hash(2)).is_none() && all.find_mut(hash(9)).is_some());
    assert!(!all.has_room());
}

#[test]
fn a_proven_fault_of_a_member_that_takes_part_ends_an_investigation() {
    let mut all = Investigations::default();
    all.begin(investigation(1));
    all.end_explained(|one| one == seat(7));
    assert_eq!(all.len(), 1);
    all.end_explained(|one| one == seat(3));
    assert!(all.is_empty());
}

#[test]
fn a_question_is_repeated_at_a_growing_pace() {
    let mut all = Investigations::default();
    all.begin(investigation(1));
    let times = (0..16_000).filter(|at| !all.due(ms(*at)).is_empty());
    assert_eq!(times.collect::<Vec<_>>(), [500, 1_500, 3_500, 7_500, 15_500]);
}
