//! The recovery files of all epochs of a key in one file.

use roastery_protocol::{
    change::{
        EpochFile, EpochRefused, Lineage, LineageFile, LineageFileError, LineageRoot,
        MAX_LINEAGE_FILE, NotCertified,
    },
    keys::HostKey,
};
use roastery_testkit::seat;

use super::world::*;

/// 2-of-3, a refresh as 3-of-3, and a change in which one leaves and one joins.
fn chain() -> (World, Vec<Epoch>) {
    let mut world = World::new(2, 3, 4);
    let root = world.root();
    let first = world.certify(&root, 1, 3, &[0, 1, 2]);
    let second = world.certify(&first, 1, 2, &[0, 1, 3]);
    (world, vec![first, second])
}

fn lineage(world: &World, epochs: &[Epoch]) -> Lineage {
    let mut lineage = Lineage::new(world.fixture.group.clone());
    for epoch in epochs {
        let file = EpochFile::new(epoch.plan.clone(), &epoch.certificate);
        lineage.add(lineage.verify(&file).unwrap());
    }
    lineage
}

fn file(world: &World, epochs: &[Epoch]) -> LineageFile {
    let root = LineageRoot::Group(world.fixture.group.clone());
    LineageFile::of(root, &lineage(world, epochs)).unwrap()
}

#[test]
fn a_host_key_of_any_epoch_gives_the_share_of_its_seat_with_the_file_of_the_lineage() {
    let (world, epochs) = chain();
    let bytes = file(&world, &epochs).encode();
    let read = LineageFile::decode(&bytes).unwrap();
    assert_eq!(read.encode(), bytes);
    assert_eq!(read.current_group().id(), epochs[1].group.id());
    for (epoch, is_superseded) in [(&epochs[0], true), (&epochs[1], false)] {
        for (at, person) in epoch.people.iter().enumerate() {
            let recovered = read.recover(host_of(*person, epoch)).unwrap();
            assert_eq!(recovered.group.id(), epoch.group.id());
            assert_eq!(recovered.seat, seat(at));
            assert_eq!(recovered.share.expose_bytes().to_vec(), epoch.share_of(*person));
            assert_eq!(recovered.is_superseded, is_superseded);
        }
    }
}

#[test]
fn a_host_key_of_the_first_group_or_of_no_seat_gives_nothing_and_is_told_why() {
    let (world, epochs) = chain();
    let read = file(&world, &epochs);
    // The first group is of a dealer: no certificate of it is in the file.
    let first = HostKey::new(roastery_testkit::forge::SigningKeyOf(100).at(0));
    let refused = read.recover(first).unwrap_err();
    assert!(matches!(refused, LineageFileError::NoCertificate { epoch: 0 }), "{refused}");
    let other = HostKey::new(roastery_testkit::forge::SigningKeyOf(77).at(0));
    let refused = read.recover(other).unwrap_err();
    assert!(refused.to_string().contains("epochs 0 to 2"), "{refused}");
    // A file from before the epoch of the host key.
    let older = file(&world, &epochs[..1]);
    let refused = older.recover(host_of(3, &epochs[1])).unwrap_err();
    assert!(matches!(refused, LineageFileError::OtherHostKey { .. }), "{refused}");
}

#[test]
fn each_epoch_of_a_file_is_verified_under_the_group_before_it_and_nothing_may_be_left_out() {
    let (world, epochs) = chain();
    let whole = file(&world, &epochs).encode();
    for cut in [0, 7, 9, whole.len() / 2, whole.len() - 1] {
        LineageFile::decode(&whole[..cut]).unwrap_err();
    }
    LineageFile::decode(&[&whole[..], &[0]].concat()).unwrap_err();
    for at in (0..whole.len()).step_by(41).filter(|at| *at >= 8) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        // What is under no signature is in the first group, which another plan than its own
        // follows then.
        assert!(LineageFile::decode(&changed).is_err(), "{at}");
    }
    // The second epoch does not follow the first group.
    let one = |epoch: &Epoch| EpochFile::new(epoch.plan.clone(), &epoch.certificate).encode();
    let alone = file(&world, &[]).encode();
    let with = |epochs: &[&Epoch]| {
        let mut bytes = alone.clone();
        let count = bytes.len() - 4;
        bytes[count] = epochs.len() as u8;
        for epoch in epochs {
            let file = one(epoch);
            bytes.extend((file.len() as u32).to_le_bytes());
            bytes.extend(file);
        }
        LineageFile::decode(&bytes)
    };
    assert!(with(&[&epochs[0], &epochs[1]]).is_ok());
    let refused = with(&[&epochs[1]]).unwrap_err();
    let unknown = EpochRefused::UnknownParent { epoch: 2 };
    let is_unknown = matches!(
        &refused,
        LineageFileError::Refused { at: 1, source } if *source == unknown
            || matches!(source, EpochRefused::NotCertified(NotCertified::OtherParent))
    );
    assert!(is_unknown, "{refused}");
    // A fork beside the chain has no place in a file.
    let mut world = World::new(2, 3, 3);
    let base = world.root();
    let (low, high) =
        (world.certify(&base, 1, 2, &[0, 1, 2]), world.certify(&base, 2, 2, &[0, 1, 2]));
    let forks = lineage(&world, &[low.clone(), high.clone()]);
    let chain = LineageFile::of(LineageRoot::Group(world.fixture.group.clone()), &forks).unwrap();
    assert_eq!(chain.lineage().epochs().count(), 1);
    let mut bytes = chain.encode();
    let at = bytes.len() - one(&high).len() - 8;
    bytes[at] = 2;
    let file = one(&low);
    bytes.extend((file.len() as u32).to_le_bytes());
    bytes.extend(file);
    let refused = LineageFile::decode(&bytes).unwrap_err();
    assert!(matches!(refused, LineageFileError::NotNext { at: 2 }), "{refused}");
}

#[test]
fn a_file_that_is_too_long_or_another_one_is_refused_before_it_is_decoded() {
    let long = LineageFile::decode(&vec![0; MAX_LINEAGE_FILE + 1]).unwrap_err();
    assert!(matches!(long, LineageFileError::TooLong { .. }), "{long}");
    assert!(matches!(LineageFile::decode(&[1; 40]), Err(LineageFileError::OtherFile)));
    let (world, epochs) = chain();
    let mut bytes = file(&world, &epochs).encode();
    bytes[8] = 2;
    let other = LineageFile::decode(&bytes).unwrap_err();
    assert!(matches!(other, LineageFileError::OtherVersion { version: 2 }), "{other}");
    assert!(LineageFile::begins(&bytes));
    // Many epochs are announced and none follows.
    let mut many = file(&world, &[]).encode();
    let count = many.len() - 4;
    many[count..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(LineageFile::decode(&many), Err(LineageFileError::Encoding(_))));
}
