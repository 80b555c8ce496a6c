//! The names of groups, and which policy applies to them.

use crate::nodes::support::{Group, roastery, until};

#[test]
fn a_section_for_no_group_is_a_warning_in_the_status_and_the_policy_in_force_is_shown() {
    let group = Group::start("sections", 2, 2);
    let status = group.status(0);
    let id = status["groups"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(status["warnings"].as_array().unwrap().len(), 0);
    assert_eq!(status["groups"][0]["policy"]["section"], "[policy]");
    let sections = format!(
        "[group.locl.policy]\nmost_per_hour = 3\n[group.{id}.policy]\nmost_per_hour = 5\n[policy]\n"
    );
    group.edit(0, "[policy]\n", &sections);
    // Only the running node knows its groups.
    let checked = group.tell(0, &["config", "check"]);
    assert_eq!(checked.status, 2, "{checked:?}");
    assert!(checked.err.contains("[group.locl]"), "{checked:?}");
    group.stop(0);
    assert_eq!(group.tell(0, &["config", "check"]).status, 0);
    group.restart(0, &[]);
    let status = group.status(0);
    let policy = &status["groups"][0]["policy"];
    assert_eq!(policy["section"], format!("[group.{id}.policy]"));
    assert_eq!((&policy["approval"], &policy["most_per_hour"]), (&"manual".into(), &5.into()));
    let warning = status["warnings"][0].as_str().unwrap().to_owned();
    assert!(
        warning.starts_with("[group.locl] in the configuration is about no group"),
        "{warning}"
    );
    let shown = group.tell(0, &["status"]).well();
    assert!(shown.contains("Warning       [group.locl] in the configuration"), "{shown}");
}

#[test]
fn a_group_is_renamed_from_the_next_start_on_and_its_policy_goes_by_the_new_name() {
    let group = Group::start("renamed", 2, 2);
    let id = group.status(0)["groups"][0]["id"].as_str().unwrap().to_owned();
    let refused = group.tell(0, &["group", "rename", "local", &"ab".repeat(32)]);
    assert_eq!(refused.status, 2, "{refused:?}");
    group.tell(0, &["group", "rename", "local", "Savings"]).well();
    group.edit(0, "[policy]\n", "[group.Savings.policy]\nmost_per_hour = 5\n[policy]\n");
    group.stop(0);
    group.restart(0, &[]);
    let named = &group.status(0)["groups"][0];
    assert_eq!((&named["name"], &named["id"]), (&"Savings".into(), &id.into()));
    assert_eq!(named["policy"]["section"], "[group.Savings.policy]");
    // Its former name is still bound to it.
    group.tell(0, &["group", "rename", "Savings", "local"]).well();
}

#[test]
fn a_second_group_of_a_name_is_joined_under_another_one_and_policies_stay_with_their_groups() {
    let group = Group::start("namesakes", 2, 2);
    let first = group.status(1)["groups"][0]["id"].as_str().unwrap().to_owned();
    let file = group.path("second.toml");
    let cards = [0, 1].map(|node| group.node(node).join("card.toml").display().to_string());
    let new = ["group", "new", "--name", "Local", "--threshold", "2", "--out", &file];
    roastery(&[&new[..], &[&cards[0], &cards[1]]].concat(), &[]).well();

    // Without a choice it is not joined, and the answer says what to do.
    let refused = group.tell(1, &["group", "join", &file]);
    assert_eq!(refused.status, 2, "{refused:?}");
    let said = format!("the name \"Local\" belongs to the group {first} here");
    assert!(refused.err.contains(&said) && refused.err.contains("--name NAME"), "{refused:?}");
    assert_eq!(group.status(1)["ceremonies"].as_array().unwrap().len(), 0);
    let taken = group.tell(1, &["group", "join", &file, "--name", "local"]);
    assert_eq!(taken.status, 2, "{taken:?}");

    // Each node chooses for itself, and the choice outlives a restart before the key is made.
    for (node, name) in [(0, "Zero"), (1, "A new one")] {
        let joined = group.tell(node, &["group", "join", &file, "--name", name]).well();
        assert!(joined.contains("--fingerprint \"FINGERPRINT\""), "{joined}");
    }
    let policies = "[group.local.policy]\napproval = \"automatic\"\n[group.\"A new one\".policy]\napproval = \"manual\"\n[policy]\n";
    group.edit(1, "[policy]\n", policies);
    group.stop(1);
    group.restart(1, &[]);
    let fingerprint = group.status(1)["ceremonies"][0]["fingerprint"].as_str().unwrap().to_owned();
    let keygen = |node, name| {
        group.tell(node, &["keygen", name, "--fingerprint", &fingerprint, "--no-wait"]).well()
    };
    keygen(0, "Zero");
    keygen(1, "A new one");
    let second = until("there are two groups", || {
        let groups = group.status(1)["groups"].clone();
        let second = groups.as_array().unwrap().iter().find(|group| group["id"] != first.as_str());
        second.map(|group| group["id"].as_str().unwrap().to_owned())
    });

    for _ in 0..2 {
        let status = group.status(1);
        let called = |id: &str| {
            let groups = status["groups"].as_array().unwrap();
            let group = groups.iter().find(|group| group["id"] == id).unwrap();
            (group["name"].clone(), group["policy"]["section"].clone())
        };
        assert_eq!(called(&first), ("local".into(), "[group.local.policy]".into()));
        assert_eq!(called(&second), ("A new one".into(), "[group.\"A new one\".policy]".into()));
        let automatic = group.propose(0, "by the rules alone");
        group.request_in(0, &automatic, "signed");
        let sign = ["sign", "--group", "Zero", "--text", "by hand", "--wait", "0", "--json"];
        let manual = group.tell(0, &sign).json()["session"].as_str().unwrap().to_owned();
        // Rules that approve do so before the proposal is answered for: time enough for them.
        assert_eq!(group.tell(0, &["approve", &manual, "--yes", "--wait", "2"]).status, 1);
        assert_eq!(group.request(1, &manual)["state"], "proposed");
        group.approve(1, &manual);
        group.request_in(0, &manual, "signed");
        group.stop(1);
        group.restart(1, &[]);
    }
}

#[test]
fn a_group_whose_key_is_made_and_that_cannot_be_started_is_seen_and_not_only_logged() {
    let group = Group::start("unstarted", 2, 2);
    let file = group.path("second.toml");
    let cards = [0, 1].map(|node| group.node(node).join("card.toml").display().to_string());
    let new = ["group", "new", "--name", "second", "--threshold", "2", "--out", &file];
    roastery(&[&new[..], &[&cards[0], &cards[1]]].concat(), &[]).well();
    group.edit(1, "[policy]\n", "[group.second]\nscripts = \"tr(none)\"\n[policy]\n");
    group.stop(1);
    group.restart(1, &[]);
    for node in [0, 1] {
        group.tell(node, &["group", "join", &file]).well();
    }
    let fingerprint = group.status(1)["ceremonies"][0]["fingerprint"].as_str().unwrap().to_owned();
    let keygen = ["keygen", "second", "--fingerprint", &fingerprint, "--no-wait"];
    group.tell(0, &keygen).well();
    group.tell(1, &keygen);
    let failed = until("the ceremony has failed", || {
        let keygen = group.status(1)["ceremonies"][0].clone();
        (keygen["state"] == "failed").then_some(keygen)
    });
    let said = "the key is made and stored, and the group does not run here: group second: ";
    assert!(failed["text"].as_str().unwrap().starts_with(said), "{failed}");
    assert_eq!(group.status(1)["groups"].as_array().unwrap().len(), 1);
    // A start logs it as well, and does not go on without the group.
    group.stop(1);
    let ended = group.run(1, &[]);
    assert!(ended.status != 0 && ended.err.contains("group second: "), "{ended:?}");
    group.edit(1, "scripts = \"tr(none)\"\n", "");
    group.restart(1, &[]);
    assert_eq!(group.status(1)["groups"].as_array().unwrap().len(), 2);
}
