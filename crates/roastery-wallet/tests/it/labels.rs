use roastery_wallet::{LabelError, LabelKind, Labels, MAX_LABELS_FILE, MOST_LABELS};

#[test]
fn labels_come_back_as_they_were_with_fields_that_are_not_used_here() {
    let file = concat!(
        "{\"type\":\"addr\",\"ref\":\"bc1q34aq5drpuwy3wgl9lhup9892qp6svr8ldzyy7c\",\"label\":\"ACME\"}\n",
        "\n",
        "{\"type\":\"output\",\"ref\":\"aa:1\",\"label\":\"cold\",\"spendable\":false,\"rate\":{\"USD\":1.5}}\r\n",
        "{\"type\":\"tx\",\"ref\":\"bb\",\"origin\":\"wpkh([d34db33f/84'/0'/0'])\"}",
    );
    let mut labels = Labels::default();
    assert_eq!(labels.import(file).unwrap(), 3);
    assert_eq!(labels.of(LabelKind::Output, "aa:1"), Some("cold"));
    assert_eq!(labels.of(LabelKind::Tx, "bb"), None);
    let exported = labels.export();
    let mut again = Labels::default();
    assert_eq!(again.import(&exported).unwrap(), 3);
    assert_eq!(again, labels);
    assert!(exported.contains("\"spendable\":false") && exported.contains("\"USD\":1.5"));
    // One for each thing: the later one counts.
    labels.import("{\"type\":\"output\",\"ref\":\"aa:1\",\"label\":\"warm\"}").unwrap();
    assert_eq!((labels.count(), labels.of(LabelKind::Output, "aa:1")), (3, Some("warm")));
}

#[test]
fn a_file_with_a_line_that_is_no_label_changes_nothing_and_the_line_is_named() {
    let mut labels = Labels::default();
    labels.import("{\"type\":\"tx\",\"ref\":\"aa\",\"label\":\"one\"}").unwrap();
    let before = labels.clone();
    let long = format!("{{\"type\":\"tx\",\"ref\":\"aa\",\"label\":\"{}\"}}", "x".repeat(256));
    let longer = format!("{{\"type\":\"tx\",\"ref\":\"{}\"}}", "x".repeat(5000));
    for wrong in [
        "{",
        "[]",
        "{\"type\":\"tx\"}",
        "{\"type\":\"coin\",\"ref\":\"aa\"}",
        "{\"type\":\"tx\",\"ref\":\"\"}",
        "{\"type\":\"tx\",\"ref\":7}",
        &long,
        &longer,
    ] {
        let file = format!("{{\"type\":\"tx\",\"ref\":\"bb\"}}\n{wrong}");
        let error = labels.import(&file).unwrap_err();
        assert!(matches!(error, LabelError::Line { line: 2, .. }), "{wrong}: {error}");
        assert_eq!(labels, before);
    }
}

#[test]
fn a_wallet_has_a_bounded_number_of_labels() {
    let line = |number: usize| format!("{{\"type\":\"tx\",\"ref\":\"{number}\"}}\n");
    let full: String = (0..MOST_LABELS).map(line).collect();
    let mut labels = Labels::default();
    labels.import(&full).unwrap();
    assert_eq!(labels.import(&line(MOST_LABELS)), Err(LabelError::TooMany));
    assert_eq!(labels.import(&line(0)), Ok(1));
    let wide = |number: usize| {
        let text = "\u{1f600}".repeat(255);
        format!("{{\"type\":\"tx\",\"ref\":\"{number}\",\"label\":\"{text}\"}}\n")
    };
    let before = labels.clone();
    for part in [0..3000, 3000..6000] {
        let file: String = part.map(wide).collect();
        match labels.import(&file) {
            Ok(_) => assert!(labels.export().len() <= MAX_LABELS_FILE),
            Err(error) => {
                assert!(matches!(error, LabelError::Together(_)), "{error}");
                assert_eq!(labels.count(), before.count());
                assert!(Labels::default().import(&labels.export()).is_ok());
                break;
            }
        }
    }
    assert!(labels.export().len() <= MAX_LABELS_FILE);
    let long = " ".repeat(MAX_LABELS_FILE + 1);
    assert_eq!(labels.import(&long), Err(LabelError::File(MAX_LABELS_FILE + 1)));
}
