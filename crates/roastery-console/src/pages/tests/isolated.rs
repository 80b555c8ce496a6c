//! A word of a member that is read from the right takes nothing beside it along.

use super::*;

/// Letters that are read from the right, and digits after them.
const TURNED: &str = "שלום 12";

/// Without what is isolated, no letter that is read from the right is left.
#[track_caller]
fn is_isolated(html: &str) {
    assert!(html.contains("שלום"), "{html}");
    let mut parts = html.split("<bdi>");
    let mut around = parts.next().unwrap().to_owned();
    for part in parts {
        let (inside, after) = part.split_once("</bdi>").unwrap();
        assert!(!inside.contains("part 1 of 2"), "{inside}");
        assert!(!inside.contains("too few"), "{inside}");
        around += after;
    }
    // Attributes have no lines of their own to disturb, and the picture isolates by its style.
    let visible: Vec<&str> = around.split('>').filter_map(|part| part.split('<').next()).collect();
    assert!(!visible.concat().contains("שלום"), "{around}");
}

#[test]
fn names_and_problems_in_alerts_are_isolated() {
    let mut all = status();
    all["groups"][0]["name"] = TURNED.into();
    all["peers"][0]["name"] = TURNED.into();
    all["peers"][0]["clock_differs"] = true.into();
    all["groups"][0]["policy"]["problem"] = TURNED.into();
    all["warnings"] = json!([TURNED]);
    let mut around = frame(all);
    around.health.problems = vec![TURNED.to_owned()];
    let page = overview::Overview {
        waiting: Vec::new(),
        signing: Vec::new(),
        signed: None,
        pairings: Vec::new(),
    };
    let html = page.page(&around, &friday()).into_string();
    for text in [
        "</bdi> cannot sign: 1 too few are here",
        "The clock of <bdi>",
        "The approval command of <bdi>",
    ] {
        assert!(html.contains(text), "{text}: {html}");
    }
    is_isolated(&html.replace(&format!("The members of {TURNED}"), ""));
}

#[test]
fn the_subject_of_a_request_is_isolated_from_the_words_around_it() {
    let request = |change: &dyn Fn(&mut Value)| {
        let mut request = payment();
        request["summary"]["part"] = json!({ "number": 1, "of": 2 });
        change(&mut request);
        from_value::<roastery_service::view::Request>(request).unwrap()
    };
    let to = request(&|request| request["summary"]["pays"][0]["to"] = TURNED.into());
    let text = request(&|request| {
        request["subject"] = json!({ "kind": "text" });
        request["summary"]["words"] = TURNED.into();
    });
    let proof = request(&|request| {
        request["summary"]["words"] = TURNED.into();
        request["summary"]["proves"] = 5.into();
    });
    for one in [&to, &text, &proof] {
        is_isolated(&requests::list(std::slice::from_ref(one), &friday()).into_string());
        let page = overview::Overview {
            waiting: Vec::new(),
            signing: Vec::new(),
            signed: Some((*one).clone()),
            pairings: Vec::new(),
        };
        is_isolated(&page.page(&frame(status()), &friday()).into_string());
    }
    let html = requests::about(&to).into_string();
    assert_eq!(html, format!("pays 0.12000000 to <bdi>{TURNED}</bdi>, part 1 of 2"));
}

#[test]
fn a_problem_of_the_node_is_isolated() {
    let problem = json!({ "code": "conflict", "message": TURNED });
    let error = ClientError::Problem(from_value(problem).unwrap());
    is_isolated(&problem::problem(&error).into_string());
}
