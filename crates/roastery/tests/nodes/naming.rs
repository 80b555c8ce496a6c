//! What groups are called, and which policy holds for them.

use crate::support::Group;

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
    // The running node knows its groups; without it nothing can be said of them.
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
    // The name that it had is its own still.
    group.tell(0, &["group", "rename", "Savings", "local"]).well();
}
