//! What a plan may say.

use roastery_frost::change::{ChangeParams, ChangeParamsError};

use crate::behaviour::support::seat;
use crate::change::support::{Change, Group, bytes, host_keys, hostpubkeys};

fn params(t: usize, hostpubkeys: Vec<[u8; 33]>) -> Result<ChangeParams, ChangeParamsError> {
    ChangeParams::new([7; 32], &Group::new(2, 3).keys, &[], hostpubkeys, t)
}

#[test]
fn the_new_threshold_is_from_2_to_the_number_of_new_members_which_is_at_most_128() {
    let keys = hostpubkeys(&host_keys(1, 129));
    let of = |t, n: usize| params(t, keys[..n].to_vec()).map(|params| (params.t(), params.n()));
    for (t, n) in [(2, 2), (2, 3), (3, 3), (2, 128), (128, 128)] {
        assert_eq!(of(t, n), Ok((t, n)));
    }
    for (t, n) in [(0, 0), (0, 2), (1, 1), (1, 2), (2, 1), (3, 2), (128, 127), (129, 128)] {
        assert_eq!(of(t, n), Err(ChangeParamsError::ThresholdOrCount { t, n }));
    }
    for t in [2, 129] {
        assert_eq!(of(t, 129), Err(ChangeParamsError::ThresholdOrCount { t, n: 129 }));
    }
}

#[test]
fn host_public_keys_are_points_and_differ_in_their_x_coordinates() {
    let mut keys = hostpubkeys(&host_keys(1, 4));
    keys[2][0] = 4;
    let no_point = ChangeParamsError::HostPubkey { member: seat(2) };
    assert_eq!(params(2, keys), Err(no_point));
    for parity in [0, 1] {
        let mut keys = hostpubkeys(&host_keys(1, 4));
        keys[3] = keys[1];
        keys[3][0] ^= parity;
        let same = ChangeParamsError::DuplicateHostPubkey { earlier: seat(1), later: seat(3) };
        assert_eq!(params(2, keys), Err(same));
    }
}

#[test]
fn enough_old_seats_are_left_to_deal() {
    let old = Group::new(3, 5);
    let keys = hostpubkeys(&host_keys(1, 3));
    let without = |excluded: &[u32]| {
        let excluded: Vec<_> = excluded.iter().map(|&id| seat(id)).collect();
        let params = ChangeParams::new([7; 32], &old.keys, &excluded, keys.clone(), 2)?;
        Ok(params.dealers().map(|dealer| dealer.to_u16()).collect::<Vec<_>>())
    };
    assert_eq!(without(&[]), Ok(vec![0, 1, 2, 3, 4]));
    assert_eq!(without(&[4, 0]), Ok(vec![1, 2, 3]));
    assert_eq!(without(&[4, 0, 4]), Ok(vec![1, 2, 3]), "named twice, excluded once");
    let few = ChangeParamsError::Dealers { dealers: 2, threshold: 3 };
    assert_eq!(without(&[4, 0, 1]), Err(few));
    let unknown = ChangeParamsError::Excluded { seat: seat(5), n: 5 };
    assert_eq!(without(&[5]), Err(unknown));
}

#[test]
fn the_parameters_say_what_they_were_made_of() {
    let old = Group::new(2, 3);
    let change = Change::new(1, &old, 3, 4);
    assert_eq!(*change.params.plan(), bytes("plan", 1));
    assert_eq!(*change.params.old(), old.keys);
    for (member, key) in change.params.members().zip(change.params.hostpubkeys()) {
        assert_eq!(change.params.member_of(key), Some(member));
    }
    assert_eq!(change.params.member_of(&host_keys(2, 1)[0].hostpubkey_gen()), None);
}
