//! Members that an operator has barred.

use serde_json::{Value, json};

use super::support::{Group, until};

#[test]
fn a_member_that_is_barred_is_not_signed_with_and_its_requests_are_not_taken_also_after_a_restart()
{
    let group = Group::start("barred", 3, 2);
    group.stop(2);
    let bar = |member: &str| group.tell(0, &["group", "bar", member, "--group", "local", "--yes"]);
    let shown = bar("node-1").well();
    assert!(shown.contains("barred    node-1"), "{shown}");
    assert_eq!(barred(&group, 0), [1]);
    // Connected, and not one that signs.
    until("the node that has stopped is missed", || {
        (group.tell(0, &["health", "--ready"]).status != 0).then_some(())
    });
    let session = group.propose(0, "not with node 1");
    group.approve(1, &session);

    let since = |node: usize| group.status(node)["groups"][0]["members"][1]["barred_since"].clone();
    let first = since(0);
    group.stop(0);
    group.restart(0, &[]);
    group.restart(2, &[]);
    until("all nodes are connected", || {
        (group.status(0)["groups"][0]["reachable"] == json!(3)).then_some(())
    });
    bar("node-1").well();
    assert_eq!((barred(&group, 0), since(0)), (vec![1], first));
    assert_eq!(barred(&group, 2), [] as [u64; 0]);

    // The others sign with it, and show its request to the node that has barred it.
    let other = group.propose(1, "with node 2");
    group.approve(2, &other);
    group.request_in(1, &other, "signed");
    group.request_in(2, &other, "signed");
    let unknown = group.tell(0, &["requests", &other, "--json"]);
    assert_ne!(unknown.status, 0, "{unknown:?}");

    // It has approved and is connected, and nothing was signed with it.
    for node in [0, 1] {
        assert_eq!(group.request(node, &session)["state"], "approved");
    }
    // A package of its own, which is for node 2 as soon as that is back, has its own share.
    let coordinators = group.log(0, &session).into_iter().map(|entry| entry["coordinator"].clone());
    assert!(coordinators.collect::<Vec<_>>().iter().all(|coordinator| *coordinator == json!(0)));
    group.stop(1);
    group.approve(2, &session);
    let signed = group.request_in(0, &session, "signed");
    assert_eq!(signed["signers"], json!([0, 2]));
}

#[test]
fn a_bar_that_the_disk_does_not_take_is_in_force_at_once_and_kept_when_the_disk_works_again() {
    let group = Group::start("bar-on-a-full-disk", 2, 2);
    group.stop(0);
    group.restart_ignoring_file_limits(0);
    group.limit_files(0, "4096");
    let said = group.tell(0, &["group", "bar", "node-1", "--group", "local", "--yes"]);
    assert_ne!(said.status, 0, "{said:?}");
    group.limit_files(0, "unlimited");
    until("the store is open again", || (group.tell(0, &["health"]).status == 0).then_some(()));
    assert_eq!(barred(&group, 0), [1]);
    group.stop(0);
    group.restart(0, &[]);
    assert_eq!(barred(&group, 0), [1]);
}

#[test]
fn a_member_that_is_not_there_and_the_node_itself_are_not_barred_and_nothing_is_without_an_answer()
{
    let group = Group::start("not-barred", 2, 2);
    let peer = group.peer(1);
    let bar = |more: &[&str]| group.tell(0, &[&["group", "bar", "--group"], more].concat());
    for (arguments, reason) in [
        (&["local", "nobody", "--yes"][..], "there is no member \"nobody\" here"),
        (&["local", "node-0", "--yes"], "is this node itself"),
        (&["other", "node-1", "--yes"], "there is no group \"other\" here"),
        (&["local", "node-1"], "no terminal"),
    ] {
        let refused = bar(arguments);
        assert_ne!(refused.status, 0, "{refused:?}");
        assert!(refused.err.contains(reason), "{refused:?}");
    }
    assert_eq!(barred(&group, 0), [] as [u64; 0]);
    let too_few = bar(&["local", &peer, "--yes"]);
    assert!(too_few.err.contains("1 seats are not barred and 2 must sign"), "{too_few:?}");
    assert_eq!(barred(&group, 0), [1]);
}

/// The seats that a node has barred.
fn barred(group: &Group, node: usize) -> Vec<u64> {
    let status = group.status(node);
    let members = status["groups"][0]["members"].as_array().unwrap();
    let barred = members.iter().filter(|member| member["barred_since"] != Value::Null);
    barred.map(|member| member["seat"].as_u64().unwrap()).collect()
}
