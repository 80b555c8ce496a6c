//! Requests: proposed, waited for, refused, watched, and too many.

use std::time::Duration;

use super::world::World;
use crate::{
    SessionId,
    machine::{Destination, Machine},
    member::{
        Incarnation,
        frame::{
            Content, Control, ControlContent, ControlKind, FinalSignature, Frame, Refusal,
            Statement, StatementKind, Want,
        },
        machine::{
            AwaitedThing, Event, Limit, MOST_RUNNING, MOST_WHOLE, OpenError, ProposeError,
            Proposed, ReportPhase, RequestOrigin, StopReason,
        },
    },
    message::{Proposal, RefusalReason},
    request::{MAX_LIFETIME_SECONDS, SigningRequest, Subject},
};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

impl World {
    fn propose(&mut self, at: usize, request: &SigningRequest) -> Result<(), ProposeError> {
        let now = self.moment(at);
        let proposal = Proposal { request: request.clone(), subject: Subject::Hash };
        let result = self.nodes[at].member.as_mut().unwrap().propose(proposal, now);
        self.drain(at);
        result
    }

    fn shown(&mut self, at: usize) -> Vec<Proposed> {
        let member = self.nodes[at].member.as_mut().unwrap();
        std::iter::from_fn(|| member.next_proposal()).collect()
    }

    fn refuse(&mut self, at: usize, request: &SigningRequest, reason: RefusalReason) {
        let now = self.moment(at);
        self.nodes[at].member.as_mut().unwrap().refuse(request, reason, now);
        self.drain(at);
    }

    fn watch(&mut self, at: usize, request: &SigningRequest) {
        let now = self.moment(at);
        self.nodes[at].member.as_mut().unwrap().watch(request.clone(), now);
        self.drain(at);
    }

    fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        self.run(until);
    }

    fn proposal_of(&self, at: usize, request: &SigningRequest) -> Statement {
        let proposal = Proposal { request: request.clone(), subject: Subject::Hash };
        self.seal(at, request.session_id(), &Content::Proposal(proposal))
    }

    /// The statements of this kind that a node which the test plays has received, with the nodes
    /// that brought them.
    fn received(&self, at: usize, kind: StatementKind) -> Vec<(usize, Statement)> {
        let frames = self.nodes[at].inbox.iter();
        let frames = frames.filter_map(|(from, bytes)| match Frame::parse(bytes, &self.group) {
            Ok((_, Frame::Statement(statement))) => Some((*from, statement)),
            _ => None,
        });
        frames.filter(|(_, statement)| statement.kind() == kind).collect()
    }

    fn received_controls(&self, at: usize, kind: ControlKind) -> Vec<ControlContent> {
        let frames = self.nodes[at].inbox.iter();
        let frames = frames.filter_map(|(_, bytes)| match Frame::parse(bytes, &self.group) {
            Ok((_, Frame::Control(control))) if control.kind() == kind => control.read().ok(),
            _ => None,
        });
        frames.collect()
    }

    fn refusals_received(&self, at: usize) -> Vec<RefusalReason> {
        let refusals = self.received(at, StatementKind::Refusal).into_iter();
        refusals
            .filter_map(|(_, statement)| read_refusal(&statement))
            .map(|one| one.reason)
            .collect()
    }

    /// A node that the test plays sends this about a session.
    fn ask(&mut self, at: usize, to: usize, session: SessionId, want: Want) {
        let (sender, seat) = (self.nodes[at].seats[0], self.nodes[to].seats[0]);
        let content = ControlContent::Want(want);
        let frame = Control::new(self.group.id(), session, sender, seat, &content);
        self.send(at, Destination::Seat(seat), frame.as_bytes());
    }
}

fn read_refusal(statement: &Statement) -> Option<Refusal> {
    borsh::from_slice(statement.content()).ok()
}

#[test]
fn a_proposal_is_shown_to_each_member_once_and_repeated_to_none_that_knows_it() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    world.propose(0, &request).unwrap();
    world.open(0, &request, RequestOrigin::Own);
    world.run_for(ms(60));
    for node in 1..3 {
        let shown = world.shown(node);
        assert_eq!(shown.len(), 1);
        assert_eq!((shown[0].by, &shown[0].proposal.request), (world.nodes[0].seats[0], &request));
        world.open(node, &request, RequestOrigin::Proposed);
    }
    assert!(world.run_until_signed(request.session_id(), &[0, 1, 2], secs(30)).is_some());
    world.run_for(secs(600));
    assert_eq!(world.count(StatementKind::Proposal), 2);
    assert!(world.shown(1).is_empty());
}

#[test]
fn a_member_that_was_away_gets_a_proposal_when_it_links() {
    let mut world = World::new(2, &[1; 3]);
    world.crash(2);
    let request = world.request(1, 3_600);
    world.propose(0, &request).unwrap();
    world.run_for(secs(100));
    world.start(2);
    world.run_for(ms(60));
    assert_eq!(world.shown(2).len(), 1);
}

#[test]
fn a_request_that_waits_for_an_hour_costs_few_frames_and_is_signed_at_once_then() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 36_000);
    let session = request.session_id();
    world.propose(0, &request).unwrap();
    world.open(0, &request, RequestOrigin::Own);
    world.run_for(ms(60));
    world.open(1, &request, RequestOrigin::Proposed);
    world.run_for(secs(120));
    world.sent.clear();
    world.run_for(secs(3_600));
    for kind in
        [StatementKind::Proposal, StatementKind::SigningPackage, StatementKind::SignatureShare]
    {
        assert_eq!(world.count(kind), 0, "{kind:?}");
    }
    let quiet = [ControlKind::Ready, ControlKind::Want].map(|kind| world.count_control(kind));
    assert_eq!(quiet, [0, 0]);
    world.open(2, &request, RequestOrigin::Waited);
    let took = world.run_until_signed(session, &[0, 1, 2], secs(30)).unwrap();
    assert!(took < secs(10), "{took:?}");
}

#[test]
fn the_author_of_the_first_proposal_comes_first_in_the_order() {
    let mut world = World::new(2, &[1; 4]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    let first = world.first_in_order(session);
    let author = (first + 1) % 4;
    world.propose(author, &request).unwrap();
    world.run_for(ms(60));
    let later = (first + 2) % 4;
    world.propose(later, &request).unwrap();
    world.run_for(ms(60));
    let node = (first + 3) % 4;
    world.open(node, &request, RequestOrigin::Proposed);
    let member = world.nodes[node].member.as_ref().unwrap();
    let seat = world.nodes[author].seats[0];
    assert_eq!(member.author(session), Some(seat));
    assert_eq!(member.report(session).unwrap().coordinators, [seat]);
}

#[test]
fn the_same_proposal_is_passed_on_as_its_author_has_signed_it() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    world.link(0, 2, false);
    world.propose(0, &request).unwrap();
    world.run_for(ms(60));
    assert_eq!(world.shown(1).len(), 1);
    world.propose(1, &request).unwrap();
    world.run_for(ms(60));
    let shown = world.shown(2);
    assert_eq!(shown.iter().map(|one| one.by).collect::<Vec<_>>(), [world.nodes[0].seats[0]]);
}

#[test]
fn a_request_of_another_group_or_out_of_time_is_not_proposed() {
    let mut world = World::new(2, &[1; 2]);
    let other = World::seeded(2, &[1; 2], 7).request(1, 3_600);
    assert_eq!(world.propose(0, &other), Err(ProposeError::OtherGroup));
    for seconds in [0, MAX_LIFETIME_SECONDS + 1] {
        let request = world.request(1, seconds);
        assert!(matches!(world.propose(0, &request), Err(ProposeError::OutOfTime { .. })));
    }
    world.run_for(secs(1));
    assert_eq!(world.count(StatementKind::Proposal), 0);
}

#[test]
fn a_proposal_that_is_out_of_time_here_is_refused_and_reported() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let request = world.request(1, 60);
    world.nodes[0].wall_offset = 120_000;
    world.run_for(secs(1));
    let statement = world.proposal_of(2, &request);
    for _ in 0..5 {
        world.send(2, Destination::Seat(world.nodes[0].seats[0]), statement.as_bytes());
        world.run_for(secs(1));
    }
    let out = world.nodes[0].events.iter().filter(|one| matches!(one, Event::OutOfTime { .. }));
    assert_eq!(out.count(), 1);
    assert_eq!(world.refusals_received(2), [RefusalReason::Expired], "within 15 s once");
    assert!(world.shown(0).is_empty());
}

#[test]
fn a_refused_request_that_is_proposed_again_gets_the_refusal_again_at_a_pace() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let request = world.request(1, 3_600);
    let statement = world.proposal_of(2, &request);
    let to = Destination::Seat(world.nodes[0].seats[0]);
    world.send(2, to, statement.as_bytes());
    world.run_for(secs(1));
    assert_eq!(world.shown(0).len(), 1);
    world.refuse(0, &request, RefusalReason::Policy);
    for _ in 0..60 {
        world.send(2, to, statement.as_bytes());
        world.run_for(secs(1));
    }
    let refusals = world.refusals_received(2);
    assert!((4..=5).contains(&refusals.len()), "one to all and one in 15 s: {refusals:?}");
    assert!(world.shown(0).is_empty());
}

#[test]
fn a_repeated_proposal_that_waits_is_acknowledged_and_one_that_was_decided_is_asked_about() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    let statement = world.proposal_of(2, &request);
    let to = Destination::Seat(world.nodes[0].seats[0]);
    for _ in 0..2 {
        world.send(2, to, statement.as_bytes());
        world.run_for(secs(1));
    }
    let wants = world.received_controls(2, ControlKind::Want);
    assert_eq!(wants, [ControlContent::Want(Want::Outcome)]);
    world.nodes[0].member.as_mut().unwrap().decided(session);
    world.send(2, to, statement.as_bytes());
    world.run_for(secs(1));
    let asked = world.nodes[0].events.iter().filter(|one| matches!(one, Event::Asked { .. }));
    assert_eq!(asked.count(), 1);
}

#[test]
fn a_signed_request_that_is_proposed_again_is_answered_with_its_signatures() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    let request = world.request(1, 3_600);
    world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    assert!(world.run_until_signed(request.session_id(), &[0, 1], secs(30)).is_some());
    world.run_for(secs(1));
    world.nodes[2].inbox.clear();
    let statement = world.proposal_of(2, &request);
    world.send(2, Destination::Everyone, statement.as_bytes());
    world.run_for(secs(1));
    assert_eq!(world.received(2, StatementKind::Signature).len(), 2);
    assert!(world.shown(0).is_empty());
}

#[test]
fn the_proposals_of_a_member_that_is_barred_are_not_shown() {
    let mut world = World::new(2, &[1; 3]);
    let [first, second] = [0, 1].map(|more| world.request(1, 3_600 + more));
    world.propose(1, &first).unwrap();
    world.run_for(secs(1));
    let barred = world.nodes[1].seats[0];
    world.nodes[0].member.as_mut().unwrap().bar(barred);
    world.propose(1, &second).unwrap();
    // It reaches this node as well through a member that has not barred its author.
    world.run_for(secs(1));
    world.propose(2, &second).unwrap();
    world.run_for(secs(1));
    assert!(world.shown(0).is_empty());
    assert_eq!(world.shown(2).len(), 2);
}

#[test]
fn the_stock_of_an_idle_node_ends_and_a_proposal_has_it_shown_anew() {
    let mut world = World::new(2, &[1; 3]);
    let held = |world: &World| world.nodes[1].member.as_ref().unwrap().live_slots();
    assert!(held(&world) > 0);
    world.run_for(secs(3_600));
    assert_eq!(held(&world), 0);
    let request = world.request(1, 3_600);
    world.propose(0, &request).unwrap();
    world.run_for(ms(60));
    assert!(held(&world) > 0);
}

#[test]
fn a_member_that_refused_and_opens_then_is_ready_and_one_that_opened_and_refuses_is_not() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.crash(2);
    world.open(0, &request, RequestOrigin::Own);
    world.refuse(1, &request, RefusalReason::Operator);
    world.run_for(secs(1));
    let refusals =
        |world: &World| world.nodes[0].member.as_ref().unwrap().report(session).unwrap().refusals;
    assert_eq!(refusals(&world), [(world.nodes[1].seats[0], RefusalReason::Operator)]);
    world.open(1, &request, RequestOrigin::Waited);
    assert!(world.run_until_signed(session, &[0, 1], secs(30)).is_some());
    let [second] = [world.request(1, 3_601)];
    world.open(0, &second, RequestOrigin::Proposed);
    world.refuse(0, &second, RefusalReason::Policy);
    let member = world.nodes[0].member.as_ref().unwrap();
    let stopped = member.stopped(second.session_id());
    assert_eq!(stopped, Some(StopReason::Withdrawn(RefusalReason::Policy)));
    world.run_for(secs(1));
    let told = world.nodes[1].events.iter().filter(
        |one| matches!(one, Event::Refused { session, .. } if *session == second.session_id()),
    );
    assert_eq!(told.count(), 0, "node 1 does not know the second request");
}

#[test]
fn a_refusal_that_came_before_the_session_opened_counts_when_it_opens() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    world.refuse(1, &request, RefusalReason::Policy);
    world.run_for(secs(1));
    world.open(0, &request, RequestOrigin::Waited);
    let report = world.nodes[0].member.as_ref().unwrap().report(request.session_id()).unwrap();
    assert_eq!(report.refusals, [(world.nodes[1].seats[0], RefusalReason::Policy)]);
}

#[test]
fn a_coordinator_that_asks_a_member_that_has_refused_gets_the_refusal_again() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.take_over(2);
    world.refuse(0, &request, RefusalReason::Policy);
    world.run_for(secs(20));
    world.nodes[2].inbox.clear();
    for want in [Want::Ready, Want::Outcome, Want::Ready] {
        world.ask(2, 0, session, want);
    }
    world.run_for(secs(1));
    assert_eq!(world.refusals_received(2), [RefusalReason::Policy]);
}

#[test]
fn a_member_that_does_not_sign_learns_the_outcome_of_a_watched_request() {
    let mut world = World::new(2, &[1; 4]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.watch(2, &request);
    world.crash(3);
    world.refuse(2, &request, RefusalReason::Policy);
    world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    assert!(world.run_until_signed(session, &[0, 1, 2], secs(30)).is_some());
    let signed = world.nodes[2].events.iter().filter(|one| matches!(one, Event::Signed(_)));
    assert_eq!(signed.count(), 1);
    world.verify(2, session);
    // One that was away asks when it links.
    world.start(3);
    world.run_for(secs(1));
    world.watch(3, &request);
    assert!(world.run_until_signed(session, &[3], secs(10)).is_some());
}

#[test]
fn a_link_that_brings_wrong_signatures_is_not_believed_and_the_right_ones_are() {
    let mut world = World::new(2, &[1; 4]);
    let request = world.request(1, 3_600);
    let session = request.session_id();
    world.watch(2, &request);
    world.take_over(3);
    let wrong = roastery_frost::Signature::from_bytes(&[7; 64]);
    let package = crate::BodyHash::from_bytes([0; 32]);
    for _ in 0..3 {
        let content = FinalSignature { package, signatures: vec![wrong] };
        world.say(3, session, &Content::Signature(content));
    }
    world.run_for(secs(1));
    assert!(!world.is_signed(2, session));
    let seat = world.nodes[3].seats[0];
    assert!(world.nodes[2].member.as_ref().unwrap().requests.watches.is_muted(seat));
    world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    assert!(world.run_until_signed(session, &[2], secs(30)).is_some());
}

#[test]
fn an_outcome_that_the_owner_has_stored_is_told_to_a_member_that_asks() {
    let mut world = World::new(2, &[1; 3]);
    let request = world.request(1, 36_000);
    let session = request.session_id();
    world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    world.link(0, 2, false);
    world.link(1, 2, false);
    assert!(world.run_until_signed(session, &[0, 1], secs(30)).is_some());
    let outcome = world.nodes[0].member.as_ref().unwrap().outcome(session).unwrap().clone();
    world.crash(1);
    world.crash(0);
    world.start(0);
    world.link(0, 2, true);
    world.watch(2, &request);
    world.run_for(secs(10));
    let asker = world.nodes[2].seats[0];
    let asked = Event::Asked { session, by: asker };
    assert!(world.nodes[0].events.contains(&asked));
    let now = world.moment(0);
    world.nodes[0].member.as_mut().unwrap().tell_outcome(asker, outcome, now);
    world.drain(0);
    assert!(world.run_until_signed(session, &[2], secs(1)).is_some());
}

#[test]
fn questions_of_one_member_reach_the_owner_at_a_pace() {
    let mut world = World::new(2, &[1; 3]);
    world.take_over(2);
    for number in 0..300u16 {
        let mut id = [1; 32];
        id[..2].copy_from_slice(&number.to_le_bytes());
        world.ask(2, 0, SessionId::from_bytes(id), Want::Outcome);
    }
    world.run_for(ms(60));
    let asked = world.nodes[0].events.iter().filter(|one| matches!(one, Event::Asked { .. }));
    assert_eq!(asked.count(), 256);
    let limited = |one: &&Event| matches!(one, Event::Limited { limit: Limit::Questions, .. });
    assert_eq!(world.nodes[0].events.iter().filter(limited).count(), 1);
}

#[test]
fn a_session_for_which_there_is_no_room_goes_by_its_expiry_at_every_node() {
    let mut world = World::new(2, &[1; 2]);
    world.take_over(1);
    let requests: Vec<_> =
        (0..=MOST_RUNNING as u64).map(|at| world.request(1, 4_000 + at)).collect();
    // All but the one that expires first.
    for request in &requests[1..] {
        world.open(0, request, RequestOrigin::Waited);
    }
    world.run_for(ms(60));
    let last = requests[MOST_RUNNING].session_id();
    world.open(0, &requests[0], RequestOrigin::Waited);
    world.run_for(ms(60));
    let member = world.nodes[0].member.as_ref().unwrap();
    assert_eq!(member.stopped(last), Some(StopReason::Evicted));
    assert_eq!(member.open_sessions().count(), MOST_RUNNING);
    let refused = world.received(1, StatementKind::Refusal);
    let refused: Vec<SessionId> = refused.iter().map(|(_, one)| one.header().session).collect();
    assert_eq!(refused, [last]);
    assert_eq!(world.refusals_received(1), [RefusalReason::Busy]);
    // One that expires last does not take a place.
    let (now, policy) = (world.moment(0), world.nodes[0].policy.clone());
    let further = world.request(1, 9_000);
    let approved = crate::request::ApprovedRequest::obtain(further, &world.group, policy, now);
    let member = world.nodes[0].member.as_mut().unwrap();
    let opened = member.open(approved.unwrap(), RequestOrigin::Waited, now);
    assert_eq!(opened, Err(OpenError::TooManySessions));
    world.drain(0);
    world.run_for(ms(60));
    assert_eq!(world.refusals_received(1).len(), 2);
    let limited = |one: &&Event| matches!(one, Event::Limited { limit: Limit::Sessions, .. });
    assert!(world.nodes[0].events.iter().any(|one| limited(&one)));
}

#[test]
fn of_many_signed_sessions_the_first_are_forgotten_but_for_their_outcome() {
    let mut world = World::new(2, &[1; 2]);
    let requests: Vec<_> =
        (0..=MOST_WHOLE as u64).map(|at| world.request(1, 36_000 + at)).collect();
    for request in &requests {
        world.open(0, request, RequestOrigin::Proposed);
        world.open(1, request, RequestOrigin::Proposed);
        let session = request.session_id();
        assert!(world.run_until_signed(session, &[0, 1], secs(60)).is_some());
    }
    let first = requests[0].session_id();
    let forgotten: Vec<_> = world.nodes[0]
        .events
        .iter()
        .filter_map(|one| match one {
            Event::Forgotten { session, report, .. } => Some((*session, report.phase.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(forgotten.len(), 1);
    assert!(matches!(&forgotten[0], (session, ReportPhase::Signed(_)) if *session == first));
    let member = world.nodes[0].member.as_mut().unwrap();
    assert!(member.outcome(first).is_some() && member.knows(first) && !member.has_open(first));
    assert!(member.report(first).is_none());
    // A member that lacks the signatures still gets them.
    world.take_over(1);
    world.ask(1, 0, first, Want::Outcome);
    world.run_for(ms(110));
    let told = world.received(1, StatementKind::Signature);
    assert_eq!(told.iter().filter(|(_, one)| one.header().session == first).count(), 1);
}

#[test]
fn a_report_tells_who_is_awaited_for_what() {
    let mut world = World::new(3, &[1; 5]);
    let request = world.request(1, 36_000);
    let session = request.session_id();
    world.crash(4);
    world.refuse(3, &request, RefusalReason::Policy);
    world.open(0, &request, RequestOrigin::Own);
    world.open(1, &request, RequestOrigin::Proposed);
    world.run_for(secs(20));
    let report = world.nodes[0].member.as_ref().unwrap().report(session).unwrap();
    assert_eq!(report.phase, ReportPhase::Running);
    let own = world.nodes[0].seats[0];
    let awaited = |at: usize| {
        let of = |one: &&crate::member::machine::Awaited| {
            (one.coordinator, one.seat) == (own, world.nodes[at].seats[0])
        };
        report.awaited.iter().find(of).map(|one| one.thing)
    };
    assert!(matches!(awaited(2), Some(AwaitedThing::Ready | AwaitedThing::Share { .. })));
    assert_eq!(awaited(4), Some(AwaitedThing::Link));
    assert_eq!((awaited(1), awaited(3)), (None, None), "it is ready; it has refused");
    let refused = world.nodes[3].seats[0];
    assert_eq!(report.refusals, [(refused, RefusalReason::Policy)]);
    // What was awaited at the stop can still be told.
    let now = world.moment(0);
    let member = world.nodes[0].member.as_mut().unwrap();
    member.stop(session, StopReason::Deadline, now);
    let stopped = member.report(session).unwrap();
    assert_eq!(stopped.phase, ReportPhase::Stopped(StopReason::Deadline));
    assert_eq!(stopped.awaited, report.awaited);
}

#[test]
fn one_message_for_a_link_lists_all_sessions() {
    let mut world = World::new(2, &[1; 2]);
    world.take_over(1);
    let requests: Vec<_> = (0..300).map(|more| world.request(1, 3_600 + more)).collect();
    world.link(0, 1, false);
    for request in &requests {
        world.open(0, request, RequestOrigin::Waited);
    }
    // By then each coordinator is live.
    world.run_for(secs(20));
    world.nodes[1].inbox.clear();
    world.link(0, 1, true);
    world.run_for(ms(60));
    let lists = world.received_controls(1, ControlKind::Ready);
    let lengths: Vec<usize> = lists
        .iter()
        .map(|list| match list {
            ControlContent::Ready(ready) => ready.sessions.len(),
            _ => 0,
        })
        .collect();
    assert_eq!(lengths, [256, 44]);
}

#[test]
fn a_refusal_before_the_incarnation_is_stored_leaves_when_it_is() {
    let mut world = World::new(2, &[1; 2]);
    let request = world.request(1, 3_600);
    let now = world.moment(0);
    let member = world.nodes[0].member.as_mut().unwrap();
    member.void_stock(now);
    member.refuse(&request, RefusalReason::Policy, now);
    let (mut record, mut sent) = (None, 0);
    let is_refusal = |bytes: &[u8], incarnation: Incarnation| {
        let statement = Statement::parse(bytes).ok();
        let refusal = statement.filter(|one| one.kind() == StatementKind::Refusal);
        let refusal = refusal.as_ref().and_then(read_refusal);
        refusal.is_some_and(|one| one.incarnation == incarnation)
    };
    while let Some(output) = member.poll_output() {
        match output {
            crate::machine::Output::Persist(one) => record = Some(one),
            crate::machine::Output::Send { bytes, .. } => {
                assert!(!is_refusal(&bytes, member.incarnation()));
            }
            crate::machine::Output::Event(_) => {}
        }
    }
    member.persisted(record.unwrap(), true, now);
    while let Some(output) = member.poll_output() {
        if let crate::machine::Output::Send { bytes, .. } = output {
            sent += usize::from(is_refusal(&bytes, member.incarnation()));
        }
    }
    assert_eq!(sent, 1);
}
