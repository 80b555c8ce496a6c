//! Much of one thing pushes no other out of sight.

use super::*;

/// What stands on the page before all details.
fn before_details(html: &str) -> &str {
    html.split("id=\"details\"").next().unwrap()
}

fn warning(code: &str, level: &str, text: &str) -> Value {
    json!({ "code": code, "level": level, "text": text })
}

#[test]
fn many_outputs_are_the_largest_and_the_sum_of_the_rest_and_the_details_have_all() {
    let html = with(|request| {
        let mut outputs: Vec<Value> =
            (1..=500).map(|n| json!({ "amount": n, "to": format!("bc1qto{n}x") })).collect();
        outputs.extend(
            (0..40).map(|n| json!({ "amount": 1, "to": TO, "own_path": format!("1/{n}") })),
        );
        request["payment"]["outputs"] = outputs.into();
    });
    let shown = before_details(&html);
    assert_eq!(shown.matches("pays another").count(), 12, "{shown}");
    assert_eq!(shown.matches("comes back: this wallet").count(), 12, "{shown}");
    assert!(shown.contains("488 more") && shown.contains("28 more"), "{shown}");
    // 1 to 488.
    assert!(shown.contains("0.00119316"), "{shown}");
    let at = |text: &str| shown.find(text).unwrap_or_else(|| panic!("{text}: {shown}"));
    let largest = "<span>bc1q</span><span>to50</span><span>0x</span>";
    assert!(at(largest) < at("<span>bc1q</span><span>to49</span><span>9x</span>"));
    assert!(html.contains("<dt>Output 539</dt>"), "{html}");
    assert!(html.contains("<bdi>bc1qto1x</bdi>"), "{html}");
    assert!(shown.contains("id=\"whole\" type=\"checkbox\" required"), "{shown}");
    assert!(!with(|_| {}).contains("id=\"whole\""));
}

#[test]
fn a_long_script_is_cut_as_on_a_terminal_and_the_details_have_it_whole() {
    let script = "6a".repeat(5_000);
    let html = with(|request| request["payment"]["outputs"][0]["to"] = script.clone().into());
    let shown = before_details(&html);
    assert!(shown.contains(&"<span>6a6a</span>".repeat(19)), "{shown}");
    assert!(!shown.contains(&"<span>6a6a</span>".repeat(21)), "{shown}");
    assert!(shown.contains("its rest is in “All details”"), "{shown}");
    assert!(shown.contains("id=\"whole\" type=\"checkbox\" required"), "{shown}");
    assert!(html.contains(&script), "the details have it");
}

#[test]
fn many_warnings_of_one_code_hide_no_other_and_the_details_have_all() {
    let html = with(|request| {
        let dust = (0..50).map(|n| warning("dust", "look", &format!("output {n} is dust")));
        let mut warnings: Vec<Value> = dust.collect();
        warnings.push(warning("coin_twice", "look", "one"));
        request["warnings"] = warnings.into();
    });
    let shown = before_details(&html);
    assert_eq!(shown.matches("DUST").count(), 4, "{shown}");
    assert!(shown.contains("and 46 more of these") && shown.contains("COIN TWICE"), "{shown}");
    assert_eq!(html.matches("DUST").count(), 4 + 50, "{html}");
}

#[test]
fn what_stops_stands_beside_the_button_once_more() {
    let html = with(|request| {
        let mut warnings = vec![warning("dust", "look", "small"); 3];
        warnings.extend(vec![warning("spent_twice", "stop", &"long words ".repeat(100)); 5]);
        warnings.extend((0..20).map(|n| warning(&format!("kind_{n}"), "stop", "another")));
        request["warnings"] = warnings.into();
    });
    let decision = html.split("id=\"decide\"").nth(1).unwrap();
    let form = decision.split("id=\"approve\"").next().unwrap();
    assert_eq!(form.matches("pill bad").count(), 7, "{form}");
    assert!(form.contains("SPENT TWICE</bdi></strong> (5): "), "{form}");
    assert!(form.contains("and 14 more kinds of warnings"), "{form}");
    assert!(!form.contains("DUST") && form.len() < 3_000, "{form}");
    let none = with(|request| request["warnings"] = json!([warning("dust", "look", "small")]));
    let decision = none.split("id=\"decide\"").nth(1).unwrap();
    assert!(!decision.split("id=\"details\"").next().unwrap().contains("DUST"));
}

#[test]
fn blank_lines_of_a_text_are_one_remark() {
    let html = with(|request| {
        request["payment"] = Value::Null;
        let text = format!("first{}last\n(7 blank lines)", "\n  ".repeat(5_000) + "\n");
        request["subject"] = json!({ "kind": "text", "text": text });
    });
    let shown = before_details(&html);
    assert!(shown.contains("<p class=\"remark\">5000 blank lines</p>"), "{shown}");
    assert!(shown.len() < 10_000);
    // No line of the text looks like it.
    assert!(shown.contains("<p><bdi>(7 blank lines)</bdi></p>"), "{shown}");
}

fn waiting(requests: &[(u16, usize)]) -> Vec<roastery_service::view::Request> {
    let names = ["anna", "bert", "cleo"];
    let all = requests.iter().flat_map(|(seat, count)| (0..*count).map(move |n| (*seat, n)));
    all.map(|(seat, number)| {
        let mut request = payment();
        request["session"] = format!("{seat:04x}{number:04x}{:056}", 0).into();
        request["proposer"] = seat.into();
        request["proposer_name"] = names[usize::from(seat)].into();
        from_value(request).unwrap()
    })
    .collect()
}

#[test]
fn the_overview_has_a_request_of_each_member_in_turn_and_says_how_many_more_there_are() {
    let mut around = frame(status());
    around.counts.waiting = 48;
    let waiting = waiting(&[(1, 44), (2, 3), (0, 1)]);
    let page =
        overview::Overview { waiting, signing: Vec::new(), signed: None, pairings: Vec::new() };
    let html = page.page(&around, &friday()).into_string();
    let ids: Vec<&str> = html
        .split("<span class=\"id\">")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap())
        .collect();
    assert_eq!(ids, ["00010000", "00020000", "00000000", "00010001", "00020001"], "{html}");
    let more = "43 more requests</a>: of <bdi>bert</bdi> 42 more, of <bdi>cleo</bdi> 1 more";
    assert!(html.contains(more), "{html}");
}
