//! The host key and a public file bring everything back.

use roastery_frost::chilldkg::RecoverError;
use roastery_protocol::{
    GroupId,
    group::RebindError,
    keygen::{MAX_RECOVERY_FILE, RecoveryError, RecoveryFile, recover_group},
};

use super::{binding::newer_card, world::*};
use roastery_testkit::seat;

fn finished(t: usize, n: usize) -> (World, Vec<u8>) {
    let mut world = World::new(t, n);
    world.run();
    let file = world.node(0).recovery_file().unwrap().encode();
    (world, file)
}

#[test]
fn every_member_gets_its_share_and_the_group_back_from_the_file_of_any_member() {
    for (t, n) in [(2, 2), (3, 5)] {
        let (mut world, _) = finished(t, n);
        for at in 0..n {
            let file = world.node((at + 1) % n).recovery_file().unwrap().encode();
            let group = world.node(at).group().unwrap().clone();
            let recovered = recover_group(host(at), &file, Some(group.id())).unwrap();
            let share = world.node_mut(at).take_share().unwrap();
            assert_eq!(recovered.share.expose_bytes(), share.expose_bytes());
            assert_eq!(recovered.seat, seat(at));
            assert_eq!(recovered.group.id(), group.id());
            assert_eq!(recovered.group.encode(), group.encode());
        }
    }
}

#[test]
fn a_flipped_byte_anywhere_is_refused() {
    let (_, file) = finished(2, 2);
    let invitation = u32::from_le_bytes(file[1..5].try_into().unwrap()) as usize;
    let lengths = [1..5, 5 + invitation..9 + invitation];
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        let error = recover_group(host(0), &changed, None).unwrap_err();
        match at {
            0 => assert!(matches!(error, RecoveryError::OtherVersion { .. }), "{error}"),
            // A changed length field may announce more bytes.
            _ if lengths.iter().any(|range| range.contains(&at)) => {
                assert!(matches!(error, RecoveryError::Damaged | RecoveryError::CutOff));
            }
            _ => assert!(matches!(error, RecoveryError::Damaged), "byte {at}: {error}"),
        }
    }
}

#[test]
fn a_file_that_is_cut_off_or_too_long_is_refused() {
    let (_, file) = finished(2, 2);
    for length in 1..file.len() {
        let error = recover_group(host(0), &file[..length], None).unwrap_err();
        assert!(matches!(error, RecoveryError::CutOff), "{length}: {error}");
    }
    let error = recover_group(host(0), &[], None).unwrap_err();
    assert!(matches!(error, RecoveryError::OtherVersion { version: 0 }));
    let error = RecoveryFile::decode(&vec![1; MAX_RECOVERY_FILE + 1]).unwrap_err();
    assert!(matches!(error, RecoveryError::TooLong { .. }));
    assert!(matches!(
        RecoveryFile::decode(&vec![1; MAX_RECOVERY_FILE]).unwrap_err(),
        RecoveryError::CutOff
    ));
}

/// A file with something changed and the hash at its end made to fit.
fn resealed(file: &[u8], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut content = file[..file.len() - 32].to_vec();
    change(&mut content);
    let check = roastery_protocol::tags::Tag::RecoveryFile.hash(&[&content]);
    [content, check.to_vec()].concat()
}

#[test]
fn a_change_that_was_made_on_purpose_is_refused_where_anything_is_signed() {
    let (world, file) = finished(2, 2);
    let group = world.node(0).group().unwrap().id();
    // The offset of the name: version and length of the invitation, its version, the length of the
    // name.
    let group_name = 5 + 5..5 + 5 + 4 + 4;
    let member_names = [b"member 0", b"member 1"].map(|name| {
        let at = file.windows(name.len()).position(|window| window == name).unwrap();
        at..at + name.len()
    });
    let names = [&[group_name][..], &member_names].concat();
    for at in 1..file.len() - 32 {
        let changed = resealed(&file, |bytes| bytes[at] ^= 1);
        if names.iter().any(|name| name.contains(&at)) {
            // No member has signed names and number. They make another group of it.
            if let Err(error) = recover_group(host(0), &changed, Some(group)) {
                assert!(
                    matches!(
                        error,
                        RecoveryError::OtherGroup { .. } | RecoveryError::Invitation(_)
                    ),
                    "byte {at}: {error}"
                );
                continue;
            }
            panic!("byte {at}");
        }
        assert!(recover_group(host(0), &changed, None).is_err(), "byte {at}");
    }
}

#[test]
fn each_part_is_refused_by_its_own_name() {
    let (world, file) = finished(2, 2);
    let error = recover_group(host(7), &file, None).unwrap_err();
    assert!(matches!(error, RecoveryError::Share(RecoverError::HostSeckey(_))), "{error}");
    let expected = GroupId::from_bytes([1; 32]);
    let error = recover_group(host(0), &file, Some(expected)).unwrap_err();
    let found = world.node(0).group().unwrap().id();
    assert!(
        matches!(error, RecoveryError::OtherGroup { found: is, expected: was }
            if is == found && was == expected),
        "{error}"
    );
    // The last byte of the certificate stands before the empty list of newer bindings.
    let broken = resealed(&file, |bytes| {
        let at = bytes.len() - 5;
        bytes[at] ^= 1;
    });
    let error = recover_group(host(0), &broken, None).unwrap_err();
    assert!(matches!(error, RecoveryError::Data(_)), "{error}");
    let longer = resealed(&file, |bytes| bytes.push(0));
    let error = recover_group(host(0), &longer, None).unwrap_err();
    assert!(matches!(error, RecoveryError::Encoding(_)), "{error}");
    // The transcript of three with the invitation of two.
    let (other, _) = finished(2, 3);
    let data = other.node(0).recovery_file().unwrap().data().to_bytes();
    let mixed = resealed(&file, |bytes| {
        let invitation = 5 + u32::from_le_bytes(bytes[1..5].try_into().unwrap()) as usize;
        bytes.truncate(invitation);
        bytes.extend(borsh::to_vec(&data).unwrap());
        bytes.extend([0; 4]);
    });
    let error = recover_group(host(0), &mixed, None).unwrap_err();
    assert!(matches!(error, RecoveryError::OtherMembers), "{error}");
}

#[test]
fn newer_bindings_are_part_of_the_file_and_older_ones_are_refused() {
    let (world, _) = finished(2, 3);
    let file = world.node(0).recovery_file().unwrap().clone();
    let group = file.group().clone();
    let file = file.rebind(newer_card(2, 51, 3)).unwrap().rebind(newer_card(0, 50, 1)).unwrap();
    let read = RecoveryFile::decode(&file.encode()).unwrap();
    assert_eq!(read.encode(), file.encode());
    assert_eq!(read.group().id(), file.group().id());
    assert_ne!(read.group().id(), group.id());
    assert_eq!(read.group().chain_code(), group.chain_code());
    assert_eq!(read.invitation(), world.node(0).invitation());
    let recovered = recover_group(host(2), &file.encode(), Some(file.group().id())).unwrap();
    assert!(recovered.share.matches(group.keys(), seat(2)));
    let refused = file.rebind(newer_card(2, 52, 3)).unwrap_err();
    assert!(matches!(refused, RebindError::NotNewer { .. }));
}

#[test]
fn two_certificates_of_one_transcript_make_one_group() {
    // A node that has come back signs with the same bytes; a foreign one may not. The group knows
    // the transcript only.
    let (world, file) = finished(2, 2);
    let data = world.node(0).recovery_file().unwrap().data().clone();
    let host = roastery_frost::SigningKey::from_bytes(zeroize::Zeroizing::new({
        let mut bytes = [100; 32];
        bytes[31] = 1;
        bytes
    }))
    .unwrap();
    let message = [b"BIP DKG/certeq message".to_vec(), vec![0; 11], vec![0, 0, 0, 1]].concat();
    let message = [&message[..], data.transcript().as_bytes()].concat();
    let other = host.sign(&message, &[9; 32]).to_bytes();
    let changed = resealed(&file, |bytes| {
        let end = bytes.len() - 4;
        bytes[end - 64..end].copy_from_slice(&other);
    });
    assert_ne!(changed, file);
    let group = RecoveryFile::decode(&changed).unwrap().group().id();
    assert_eq!(group, world.node(0).group().unwrap().id());
}
