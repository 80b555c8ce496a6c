use roastery_frost::SigningKey;

use super::*;
use crate::{
    BodyHash, GroupId, SessionId,
    keys::IdentityKey,
    member::{
        frame::{Content, SignatureShare, Statement},
        proof::Fault,
    },
    request::{Derivation, MessageToSign, SigningRequest},
    verdict::FaultKind,
};

fn seat(id: u32) -> Seat {
    Seat::new(id).unwrap()
}

fn peer(id: u32) -> PeerId {
    PeerId::new(format!("peer-{id}")).unwrap()
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn proof(accused: u32) -> (ProvenFault, Arc<Proof>) {
    let group = GroupId::from_bytes([1; 32]);
    let message = MessageToSign { message: [0; 32], derivation: Derivation::key_path_only() };
    let request = SigningRequest::new(group, [9; 32], 2_000_000_000, vec![message]).unwrap();
    let key = IdentityKey::new(SigningKey::from_bytes([7; 32].into()).unwrap());
    let content = SignatureShare { package: BodyHash::from_bytes([3; 32]), scalars: Vec::new() };
    let session: SessionId = request.session_id();
    let content = Content::SignatureShare(content);
    let message = Statement::seal(group, session, seat(accused), &content, &key);
    let fault = ProvenFault { accused: seat(accused), fault: FaultKind::MalformedMessage, session };
    (fault, Arc::new(Proof::new(request, Fault::MalformedMessage { message })))
}

fn record(evidence: &mut Evidence, accused: u32, observed: Observed, rank: usize) -> bool {
    let (fault, proof) = proof(accused);
    evidence.record(fault, proof, observed, rank, ms(0))
}

/// When a node of this rank shows a proof to all.
fn due(observed: Observed, rank: usize) -> Option<Duration> {
    let mut evidence = Evidence::default();
    assert!(record(&mut evidence, 1, observed, rank));
    evidence.next_timeout()
}

#[test]
fn what_only_this_node_can_have_found_is_shown_at_once_and_what_many_found_in_an_order() {
    assert_eq!(due(Observed::Locally, 100), Some(ms(0)));
    let ranks = [0, 1, 2, 3, 6, 7, 127];
    let found: Vec<u64> = ranks.iter().map(|rank| millis(Observed::ByMany, *rank)).collect();
    assert_eq!(found, [0, 125, 125, 250, 250, 375, 875]);
    let shown: Vec<u64> = ranks.iter().map(|rank| millis(Observed::Shown, *rank)).collect();
    assert_eq!(shown, [125, 250, 250, 375, 375, 500, 1_000]);
    assert_eq!(due(Observed::Before, 0), None);
}

fn millis(observed: Observed, rank: usize) -> u64 {
    due(observed, rank).unwrap().as_millis() as u64
}

#[test]
fn a_proof_is_shown_to_all_once() {
    let mut evidence = Evidence::default();
    record(&mut evidence, 1, Observed::ByMany, 1);
    assert!(evidence.take_due(ms(124)).is_empty());
    assert_eq!(evidence.take_due(ms(125)).len(), 1);
    assert!(evidence.take_due(ms(9_000)).is_empty());
    assert_eq!(evidence.next_timeout(), None);
}

#[test]
fn as_many_other_peers_as_cannot_all_be_hostile_make_a_showing_needless() {
    let mut evidence = Evidence::default();
    record(&mut evidence, 1, Observed::ByMany, 50);
    for _ in 0..3 {
        evidence.shown(seat(1), &peer(1), 2, ms(0));
    }
    assert!(evidence.next_timeout().is_some(), "one that shows it again is one");
    assert!(!evidence.awaits(seat(1), &peer(1)), "its proof is not checked again");
    assert!(evidence.awaits(seat(1), &peer(2)));
    evidence.shown(seat(1), &peer(2), 2, ms(0));
    assert_eq!(evidence.next_timeout(), None);
    assert!(!evidence.awaits(seat(1), &peer(3)));
}

#[test]
fn two_peers_that_may_both_be_hostile_put_a_showing_off_once_and_do_not_end_it() {
    let mut evidence = Evidence::default();
    record(&mut evidence, 1, Observed::ByMany, 3);
    for id in 1..4 {
        evidence.shown(seat(1), &peer(id), 5, ms(100));
        evidence.shown(seat(1), &peer(id), 5, ms(200));
    }
    // Two steps behind the first, and one more.
    assert_eq!(evidence.next_timeout(), Some(ms(100) + 3 * LATER_STEP));
    assert!(evidence.awaits(seat(1), &peer(4)));
    assert_eq!(evidence.take_due(ms(24_100)).len(), 1);
    assert_eq!(evidence.next_timeout(), None);
    evidence.shown(seat(1), &peer(4), 5, ms(25_000));
    assert_eq!(evidence.next_timeout(), None, "what was shown is not shown again");
}

#[test]
fn the_first_proof_against_a_member_stays() {
    let mut evidence = Evidence::default();
    assert!(record(&mut evidence, 1, Observed::Before, 0));
    assert!(!record(&mut evidence, 1, Observed::Locally, 0));
    assert_eq!((evidence.len(), evidence.next_timeout()), (1, None));
}

#[test]
fn a_peer_that_comes_and_goes_is_shown_a_proof_once_a_minute_unless_it_has_shown_it() {
    let mut evidence = Evidence::default();
    record(&mut evidence, 1, Observed::Before, 0);
    record(&mut evidence, 2, Observed::Before, 0);
    evidence.shown(seat(2), &peer(5), 2, ms(0));
    let shown = (0..120).map(|second| evidence.for_link(&peer(5), ms(1_000 * second)).len());
    assert_eq!(shown.sum::<usize>(), 2);
    assert_eq!(evidence.for_link(&peer(6), ms(0)).len(), 2);
}

#[test]
fn after_four_proofs_that_prove_nothing_no_more_of_their_author_are_checked() {
    let mut evidence = Evidence::default();
    for _ in 0..4 {
        assert!(evidence.may_show(seat(3)));
        evidence.note_false(seat(3));
    }
    assert!(!evidence.may_show(seat(3)));
    assert!(evidence.may_show(seat(4)));
}
