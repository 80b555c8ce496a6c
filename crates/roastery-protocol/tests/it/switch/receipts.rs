//! What members tell each other of how far they are.

use roastery_protocol::{
    change::{
        Holding, Party, Receipt, SecondCopy,
        message::{Body, Envelope},
        switch::{Event, Rejected, Wish},
    },
    member::Incarnation,
};
use roastery_testkit::seat;

use super::world::*;

fn adopted() -> (World, Epoch) {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    world.certified(0, &epoch);
    world.run();
    (world, epoch)
}

fn receipt(epoch: &Epoch, of: usize, counter: u32, holding: Holding) -> Envelope {
    let transcript = epoch.order.transcript();
    let incarnation = Incarnation::after(None, 7, [0; 8]);
    let receipt = Receipt { transcript, incarnation, counter, holding };
    let sender = Party::new(seat(of));
    Envelope::seal(epoch.plan.id(), sender, &Body::Receipt(receipt), &identity(of))
}

#[test]
fn each_member_says_that_it_has_adopted_and_all_hear_it() {
    let (world, _) = adopted();
    for person in 0..3 {
        let receipts = world.machine(person).receipts().unwrap();
        for other in 0..3 {
            assert_eq!(receipts.get(seat(other)), Some(Holding::Adopted), "{person} of {other}");
        }
    }
}

#[test]
fn a_receipt_counts_on_the_link_of_its_own_peer_only() {
    let (mut world, epoch) = adopted();
    let said = receipt(&epoch, 2, 0, Holding::Lacking);
    let refused = world.deliver(1, 0, said.as_bytes());
    assert!(matches!(refused, Err(Rejected::NotItsLink(_))));
    assert!(world.deliver(2, 0, said.as_bytes()).is_ok());
    let told = Event::Receipt { seat: seat(2), holding: Holding::Lacking };
    assert!(world.nodes[0].events.contains(&told));
}

#[test]
fn a_receipt_of_an_epoch_that_is_not_current_is_not_counted() {
    let (mut world, epoch) = adopted();
    let next = world.certify(&epoch, 1, 2, &[0, 1, 2]);
    world.certified(0, &next);
    let refused = world.deliver(2, 0, receipt(&epoch, 2, 0, Holding::Adopted).as_bytes());
    assert!(matches!(refused, Err(Rejected::OtherEpoch)));
    assert_eq!(world.machine(0).receipts().unwrap().get(seat(2)), None);
}

#[test]
fn a_member_without_share_and_host_key_says_that_it_lacks_its_share_and_adopts_when_it_is_found() {
    let mut world = World::new(2, 3, 3);
    let root = world.root();
    let epoch = world.certify(&root, 1, 2, &[0, 1, 2]);
    world.nodes[2].lacks = true;
    world.certified(0, &epoch);
    world.run();
    assert!(world.nodes[2].events.contains(&Event::Lacking(epoch.order)));
    assert_eq!(world.machine(0).receipts().unwrap().get(seat(2)), Some(Holding::Lacking));
    world.approve(0, &epoch);
    let wish = Wish { second_copy: Some(SecondCopy::SingleCopy), ..Wish::default() };
    world.erase(0, wish);
    world.run();
    assert!(world.machine(0).is_erasing());
    world.nodes[2].lacks = false;
    world.with(2, |machine, now| machine.adopt_again(now));
    world.run();
    assert!(world.has_adopted(2, &epoch) && !world.machine(0).is_erasing());
}
