//! A lost member returns: lines that work once, and what a new machine takes of what it is given.

use roastery_protocol::{
    GroupId,
    group::PeerId,
    keygen::RecoveryFile,
    kit::{KIT_LENGTH, Kit, SEALED_LENGTH},
    pairing::{
        Frame, Line, MAX_FRAME, Pairing, PairingError, Purpose, Secret, Whereabouts, fake,
        whereabouts_digest,
    },
    returning::{
        Copies, Given, GivenError, KitCopy, Proven, ReturnEnd, ReturnFrame, ReturnLine, SeatOffer,
    },
};
use roastery_testkit::{peer, seat};

use super::{
    keygen::world::World,
    pairing::world::{at, own},
};

const NOW: u64 = 1_000_000;

fn line() -> Line {
    Line {
        purpose: Purpose::Return,
        inviter: [1; 32],
        secret: Secret::new([2; 16]),
        expiry: NOW as u32 + 600,
        addresses: Vec::new(),
    }
}

fn open() -> ReturnLine {
    ReturnLine::new(line(), GroupId::from_bytes([3; 32]), seat(2))
}

/// A group of 2 of 3 and its recovery file.
fn file() -> RecoveryFile {
    let mut world = World::new(2, 3);
    world.run();
    world.node(0).recovery_file().unwrap().clone()
}

fn offer(file: &RecoveryFile) -> ReturnFrame {
    let (seat, through) = (seat(2), seat(1));
    ReturnFrame::Seat(Box::new(SeatOffer { seat, through, clock: 5, recovery: file.encode() }))
}

/// The kit of seat 2, as it should be but for its seal.
fn kit(file: &RecoveryFile) -> Kit {
    let host = file.group().member(seat(2)).unwrap().host_key;
    Kit::new((file.group().id(), 0, seat(2)), &host, &[1; 24], &[7; SEALED_LENGTH])
}

fn take(given: &mut Given, frame: &ReturnFrame) -> Result<(), GivenError> {
    given.handle(&frame.encode(), &fake::FakeTransport)
}

#[test]
fn a_line_to_return_serves_the_node_that_proves_it_first_and_no_other_one_ever() {
    let (own, cleo, thief) = (peer(seat(1)), peer(seat(2)), peer(seat(3)));
    let mut line = open();
    let hello = |from: &PeerId| line.line.hello(from, &own);
    let (of_cleo, of_thief) = (hello(&cleo), hello(&thief));
    // The Hello of another node, and one to another node.
    assert_eq!(line.hello(&of_cleo, &thief, &own, NOW), Proven::Nothing);
    assert_eq!(line.hello(&of_cleo, &cleo, &thief, NOW), Proven::Nothing);
    assert_eq!(line.hello(&of_thief, &thief, &own, NOW), Proven::First);
    assert_eq!(line.hello(&of_thief, &thief, &own, NOW + 1), Proven::Again);
    let used = Proven::Ended(ReturnEnd::Used { at: NOW });
    assert_eq!(line.hello(&of_cleo, &cleo, &own, NOW + 2), used);
    // As it was stored, it is the same line.
    let mut stored = ReturnLine::decode(&line.encode()).unwrap();
    assert_eq!(stored, line);
    assert_eq!(stored.hello(&of_cleo, &cleo, &own, NOW + 3), used);
    assert_eq!(stored.hello(&of_thief, &thief, &own, NOW + 3), Proven::Again);
    assert!(ReturnLine::decode(&line.encode()[1..]).is_none());
}

#[test]
fn a_line_to_return_that_is_cancelled_over_or_has_served_gives_nothing() {
    let (own, cleo) = (peer(seat(1)), peer(seat(2)));
    let hello = line().hello(&cleo, &own);
    let mut cancelled = ReturnLine { cancelled: true, ..open() };
    assert!(!cancelled.is_open(NOW));
    let ended = Proven::Ended(ReturnEnd::Cancelled);
    assert_eq!(cancelled.hello(&hello, &cleo, &own, NOW), ended);
    let ended = Proven::Ended(ReturnEnd::Expired);
    assert_eq!(open().hello(&hello, &cleo, &own, NOW + 600), ended);
    assert_eq!(open().hello(&hello, &cleo, &own, NOW + 599), Proven::First);
    let mut served = ReturnLine { returned_ms: Some(1), used: Some((cleo.clone(), 1)), ..open() };
    assert!(!served.is_open(NOW));
    assert_eq!(served.hello(&hello, &cleo, &own, NOW), ended);
}

#[test]
fn a_line_to_return_is_read_as_it_was_written_and_begins_no_pairing() {
    let text = line().to_string();
    assert_eq!(Line::parse(&text), Ok(line()));
    let joins = Line { purpose: Purpose::Join, ..line() };
    assert_ne!(joins.to_string(), text);
    let refused = Pairing::join(line(), peer(seat(1)), own(2, 1), at(0));
    assert!(matches!(refused, Err(PairingError::ToReturn)));
    // Its Hello is that of the line to join with the same secret: a node asks its own lines which.
    let hello = line().hello(&peer(seat(2)), &peer(seat(1)));
    assert!(Frame::decode(&Frame::Hello(hello).encode(), 128).is_ok());
}

#[test]
fn the_messages_of_a_return_are_read_in_their_bounds_and_whole_only() {
    let file = file();
    let kits = |count| vec![[1; KIT_LENGTH]; count];
    let copies = |count| ReturnFrame::Copies(Copies { holder: seat(1), kits: kits(count) });
    let (whereabouts, mut given) = (said(&peer(seat(1)), 1), Given::new(peer(seat(1))));
    let told = ReturnFrame::Told(peer(seat(1)), whereabouts);
    let all = [offer(&file), copies(16), told];
    for (kind, frame) in [16, 17, 18].into_iter().zip(&all) {
        let bytes = frame.encode();
        assert_eq!(bytes[0], kind);
        for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            let refused = given.handle(&bytes[..cut], &fake::FakeTransport);
            assert!(matches!(refused, Err(GivenError::Encoding(_))), "{kind} {cut}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(given.handle(&longer, &fake::FakeTransport).is_err());
    }
    let refused = take(&mut given, &copies(17));
    assert!(matches!(refused, Err(GivenError::Encoding(_))), "{refused:?}");
    let refused = given.handle(&vec![17; MAX_FRAME + 1], &fake::FakeTransport);
    assert!(matches!(refused, Err(GivenError::TooLong { .. })));
    assert!(given.offer().is_none() && given.copies().is_empty());
    take(&mut given, &ReturnFrame::End(ReturnEnd::Cancelled)).unwrap();
    assert_eq!(given.end(), Some(ReturnEnd::Cancelled));
}

fn said(peer: &PeerId, sequence: u64) -> Whereabouts {
    let addresses = vec!["/ip4/192.0.2.1/tcp/7400".to_owned()];
    let digest = whereabouts_digest(peer, sequence, &addresses);
    Whereabouts { sequence, addresses, signature: fake::sign(peer, &digest) }
}

#[test]
fn a_new_machine_takes_a_recovery_file_that_verifies_and_one_seat_of_it() {
    let file = file();
    let mut given = Given::new(peer(seat(1)));
    // A file that was altered.
    let mut recovery = file.encode();
    recovery[100] ^= 1;
    let altered = SeatOffer { seat: seat(2), through: seat(1), clock: 1, recovery };
    let refused = take(&mut given, &ReturnFrame::Seat(Box::new(altered)));
    assert!(matches!(refused, Err(GivenError::Recovery(_))), "{refused:?}");
    // A seat that is none or that of the node that has made the line; another member's name for it.
    for (of, through) in [(3, 1), (2, 3), (1, 1), (2, 0)] {
        let recovery = file.encode();
        let wrong = SeatOffer { seat: seat(of), through: seat(through), clock: 1, recovery };
        let refused = take(&mut given, &ReturnFrame::Seat(Box::new(wrong)));
        assert!(matches!(refused, Err(GivenError::NoSeat)), "{refused:?}");
    }
    assert!(given.file().is_none() && given.label().is_none());
    take(&mut given, &offer(&file)).unwrap();
    assert_eq!(given.label(), Some(kit(&file).label()));
    assert_eq!(given.name(seat(2)), file.invitation().names().get(2));
    // The same again with another clock; never another seat.
    let again =
        |of| SeatOffer { seat: seat(of), through: seat(1), clock: 9, recovery: file.encode() };
    take(&mut given, &ReturnFrame::Seat(Box::new(again(2)))).unwrap();
    let refused = take(&mut given, &ReturnFrame::Seat(Box::new(again(0))));
    assert!(matches!(refused, Err(GivenError::OtherSeat)), "{refused:?}");
}

#[test]
fn copies_of_a_kit_are_taken_of_other_members_and_what_is_of_no_such_seat_is_foreign() {
    let file = file();
    let mut given = Given::new(peer(seat(1)));
    let right = kit(&file);
    let copies = |holder, kits: &[&Kit]| {
        let kits = kits.iter().map(|kit| *kit.as_bytes()).collect();
        ReturnFrame::Copies(Copies { holder: seat(holder), kits })
    };
    let early = take(&mut given, &copies(1, &[&right]));
    assert!(matches!(early, Err(GivenError::NoMember)), "{early:?}");
    take(&mut given, &offer(&file)).unwrap();
    for holder in [2, 3] {
        let refused = take(&mut given, &copies(holder, &[&right]));
        assert!(matches!(refused, Err(GivenError::NoMember)), "{holder} {refused:?}");
    }
    // Of another group, epoch, seat and host key.
    let host = |at| file.group().member(seat(at)).unwrap().host_key;
    let of = |group, epoch, at, of| {
        Kit::new((group, epoch, seat(at)), &host(of), &[1; 24], &[7; SEALED_LENGTH])
    };
    let id = file.group().id();
    let foreign = [
        of(GroupId::from_bytes([0; 32]), 0, 2, 2),
        of(id, 1, 2, 2),
        of(id, 0, 1, 2),
        of(id, 0, 2, 1),
    ];
    for foreign in &foreign {
        take(&mut given, &copies(1, &[foreign, &right])).unwrap();
        let expected = [KitCopy::Foreign, KitCopy::Sealed(Box::new(right.clone()))];
        assert_eq!(given.copies()[&seat(1)], expected, "{foreign:?}");
    }
    take(&mut given, &copies(0, &[])).unwrap();
    assert_eq!(given.copies().len(), 2);
}

#[test]
fn addresses_are_taken_of_other_members_that_have_signed_them_and_the_newest_counts() {
    let file = file();
    let mut given = Given::new(peer(seat(1)));
    let peer_of = |at| file.group().member(seat(at)).unwrap().peer.clone();
    let (anna, bert, cleo) = (peer_of(0), peer_of(1), peer_of(2));
    let told = |peer: &PeerId, said: &Whereabouts| ReturnFrame::Told(peer.clone(), said.clone());
    let early = take(&mut given, &told(&anna, &said(&anna, 5)));
    assert!(matches!(early, Err(GivenError::NoMember)), "{early:?}");
    take(&mut given, &offer(&file)).unwrap();
    for sequence in [5, 7, 6] {
        take(&mut given, &told(&anna, &said(&anna, sequence))).unwrap();
    }
    let kept: Vec<_> = given.whereabouts().map(|(peer, said)| (peer, said.sequence)).collect();
    assert_eq!(kept, [(&anna, 7)]);
    // Of another one's key, of the own seat, of no member.
    let refused = take(&mut given, &told(&bert, &said(&anna, 5)));
    assert!(matches!(refused, Err(GivenError::Unsigned)), "{refused:?}");
    for other in [cleo, PeerId::new("mallory").unwrap()] {
        let refused = take(&mut given, &told(&other, &said(&other, 5)));
        assert!(matches!(refused, Err(GivenError::NoMember)), "{refused:?}");
    }
}
