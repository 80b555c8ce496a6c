//! What an adversary does with the keys that it has stolen, and with two faces.

use roastery_frost::Signature;
use roastery_protocol::change::{
    Party,
    machine::{Change, Record, Rejected},
    message::{Body, Envelope, Kind, RollApproval, RollList},
};
use roastery_testkit::seat;

use super::world::*;

fn deliver(world: &mut World, from: usize, to: usize, envelope: &Envelope) -> Result<(), Rejected> {
    world.deliver(&Packet { from, to, bytes: envelope.as_bytes().clone() })
}

fn has_dealt(world: &World) -> bool {
    let dealt = |record: &Record| matches!(record, Record::Dealt(_));
    !world.sent_of(Kind::Dealing).is_empty()
        || world.nodes.iter().any(|node| node.stored.iter().any(dealt))
}

/// The approval of an old seat, made with its identity key.
fn forged_approval(world: &World, person: usize) -> Envelope {
    let sender = Party::old(seat(person));
    Envelope::seal(world.plan.id(), sender, &Body::Approval, &identity(person))
}

#[test]
fn with_the_identity_keys_of_all_and_no_share_nobody_is_made_to_deal() {
    let mut world = World::new(2, 3, 2, &[0, 1, 2]);
    world.open_all();
    for person in 0..3 {
        world.with(person, Change::accept);
    }
    let approvals = (0..3).map(|person| RollApproval {
        seat: seat(person),
        signature: Signature::from_bytes(&forged_approval(&world, person).signature()),
    });
    let acceptances = (0..3).map(|person| host(person).accept(world.plan.id(), seat(person)));
    let list = RollList { acceptances: acceptances.collect(), approvals: approvals.collect() };
    let sender = Party::old(seat(2));
    let roll = Envelope::seal(world.plan.id(), sender, &Body::Roll(list), &identity(2));
    for to in 0..3 {
        for by in 0..3 {
            let forged = forged_approval(&world, by);
            let _ = deliver(&mut world, 2, to, &forged);
        }
        let _ = deliver(&mut world, 2, to, &roll);
    }
    world.run_with(2 * MINUTE, |_| true);
    assert!(!has_dealt(&world));
    // The people's own word is what it takes.
    (0..3).for_each(|person| world.approve(person));
    world.run();
    world.assert_one_epoch();
}
