use roastery_protocol::{
    change::{Lineage, LineageRoot, Parent, Plan, Terms},
    group::{Epoch, NamedMember},
    keys::HostKey,
};
use roastery_testkit::{Fixture, forge::SigningKeyOf};

use roastery_store::{Passphrase, PassphraseCost};

use super::*;

fn plan(fixture: &Fixture, number: u32) -> Plan {
    let of = |at: usize, old: &Member| {
        let host = HostKey::new(SigningKeyOf(110).at(at));
        let binding = host.bind(&old.identity_key, &old.peer, 0);
        let member = Member { host_key: host.public_key(), binding, sequence: 0, ..old.clone() };
        NamedMember { name: format!("member {at}").parse().unwrap(), member }
    };
    let members = fixture.group.members().iter().enumerate();
    let members = members.map(|(at, old)| of(at, old)).collect();
    let (expiry, excluded) = (fixture.now.wall_seconds() + 60, Vec::new());
    let terms = Terms { number, threshold: 2, expiry, excluded, members };
    Plan::new(Parent::of(&fixture.group), terms).unwrap()
}

#[test]
fn of_two_epochs_with_one_number_the_one_of_the_greater_plan_is_the_newest() {
    let fixture = Fixture::new(2, 3);
    let old = &fixture.group;
    let plans: Vec<Plan> = (0..4).map(|number| plan(&fixture, number)).collect();
    let places: Vec<EpochOrder> = plans.iter().map(EpochOrder::last_of).collect();
    let of = |plan: &Plan| {
        let epoch = Epoch::new(1, plan.id()).unwrap();
        let keys = old.keys().as_ref().clone();
        Group::in_epoch(epoch, keys, *old.chain_code(), old.members().to_vec()).unwrap()
    };
    let groups: Vec<Group> = plans.iter().map(of).collect();
    assert!(groups.is_sorted_by_key(|group| place_of(group, &places)));
    assert!(place_of(old, &places) < place_of(&groups[0], &places));
    // Their ids alone are in another order.
    assert!(!plans.is_sorted_by_key(Plan::id));
}

#[test]
fn a_recovery_file_without_an_epoch_brings_nothing_into_a_store() {
    let fixture = Fixture::new(2, 3);
    let root = LineageRoot::Group(fixture.group.clone());
    let file = LineageFile::of(root, &Lineage::new(fixture.group.clone())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (words, cost) =
        (Passphrase::new("words".to_owned()), PassphraseCost::new(8, 1, 1).unwrap());
    let store = Store::create(folder.path().join("store"), &words, cost).unwrap();
    let refused = recover_into(&store, &file, vec![SigningKeyOf(110).at(0)], 1);
    assert!(matches!(refused, Err(RecoveringError::NoEpochs)));
    assert!(store.host_key_files().unwrap().is_empty());
}
