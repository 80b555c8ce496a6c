//! The bytes of lines and messages: golden vectors, bounds, and what is not read.

use std::{collections::BTreeMap, net::Ipv4Addr, path::Path};

use roastery_protocol::{pairing::*, tags::Tag};

use super::world::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn line(addresses: Vec<LineAddress>) -> Line {
    let secret = Secret::new([2; 16]);
    Line { purpose: Purpose::Join, inviter: [1; 32], secret, expiry: 1_795_711_309, addresses }
}

fn addresses() -> Vec<LineAddress> {
    let host = LineHost::Dns("roastery.anna.example".to_owned());
    vec![
        LineAddress { transports: Transports::Both, host, port: 7400 },
        LineAddress {
            transports: Transports::Tcp,
            host: LineHost::V4(Ipv4Addr::new(203, 0, 113, 7)),
            port: 7400,
        },
        LineAddress {
            transports: Transports::Quic,
            host: LineHost::V6("2001:db8::7".parse().unwrap()),
            port: 7400,
        },
    ]
}

/// All frames of a pairing of three, by sender and kind.
fn frames() -> BTreeMap<String, Vec<u8>> {
    let mut world = World::three().with_words();
    world.compare_all();
    let mut frames = BTreeMap::new();
    for node in world.nodes.values() {
        for (_, bytes) in &node.left {
            let kind = ["hello", "offer", "enter", "roster", "reach", "reveal", "said"];
            let kind = kind[usize::from(bytes[0])];
            frames.entry(format!("frame/{kind} of {}", node.key)).or_insert_with(|| bytes.clone());
        }
    }
    frames
}

#[test]
fn the_golden_vectors_of_pairing_are_these_bytes() {
    let mut vectors = BTreeMap::new();
    for tag in Tag::ALL.into_iter().filter(|tag| tag.as_str().starts_with("roastery/2/pair/")) {
        vectors.insert(format!("tag/{}", tag.as_str()), hex(&tag.hash(&[])));
    }
    for (what, addresses) in [("without addresses", vec![]), ("with three addresses", addresses())]
    {
        vectors.insert(format!("line {what}/bytes"), hex(&line(addresses.clone()).to_bytes()));
        vectors.insert(format!("line {what}/text"), line(addresses).to_string());
    }
    vectors.extend(frames().into_iter().map(|(what, bytes)| (what, hex(&bytes))));
    let mut world = World::three().with_words();
    let roster = world.node(1).machine.roster().unwrap();
    vectors.insert("roster/hash".to_owned(), hex(roster.hash()));
    vectors.insert("invitation".to_owned(), hex(&roster.invitation().encode()));
    for (seat, words) in world.words() {
        vectors.insert(format!("word of seat {seat}"), words.join(" "));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/pairing.json");
    if std::env::var_os("WRITE_VECTORS").is_some() {
        std::fs::write(&file, serde_json::to_string_pretty(&vectors).unwrap() + "\n").unwrap();
    }
    let kept: BTreeMap<String, String> =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(vectors, kept);
}

#[test]
fn a_line_is_read_as_it_was_made_whatever_its_case_and_the_spaces_in_it() {
    for addresses in [vec![], addresses()] {
        let line = line(addresses);
        let text = line.to_string();
        assert!(text.starts_with("roast1"));
        for text in
            [text.clone(), text.to_uppercase(), format!("  {}\r\n{} \n", &text[..30], &text[30..])]
        {
            assert_eq!(Line::parse(&text), Ok(line.clone()));
        }
        let mixed = text[..20].to_owned() + &text[20..].to_uppercase();
        assert_eq!(Line::parse(&mixed), Err(LineError::NotWhole));
    }
}

#[test]
fn a_line_with_any_character_wrong_or_cut_is_refused() {
    let text = line(addresses()).to_string();
    for at in 0..text.len() {
        for other in ['q', 'z', '7', 'l'] {
            let mut wrong: Vec<char> = text.chars().collect();
            if wrong[at] != other {
                wrong[at] = other;
                let wrong: String = wrong.into_iter().collect();
                assert!(Line::parse(&wrong).is_err(), "{wrong}");
            }
        }
        assert!(Line::parse(&text[..at]).is_err());
    }
    assert_eq!(Line::parse(&format!("{text}q")), Err(LineError::NotWhole));
    assert_eq!(Line::parse(&"q".repeat(1 << 20)), Err(LineError::NotWhole));
    assert_eq!(Line::parse("\u{202e}"), Err(LineError::NotWhole));
}

#[test]
fn the_bytes_of_a_line_have_one_form() {
    let bytes = line(addresses()).to_bytes();
    assert_eq!(Line::from_bytes(&bytes).unwrap(), line(addresses()));
    for length in 0..bytes.len() {
        assert!(Line::from_bytes(&bytes[..length]).is_err());
    }
    assert_eq!(Line::from_bytes(&[&bytes[..], &[0]].concat()), Err(LineError::Content));
    let with = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        Line::from_bytes(&bytes)
    };
    assert_eq!(with(0, 0x21), Err(LineError::OtherForm { form: 0x21 }));
    assert_eq!(with(0, 2), Err(LineError::OtherForm { form: 2 }));
    // More addresses than four, and transports and hosts that are none.
    assert_eq!(with(53, 5), Err(LineError::Content));
    for form in [0x00, 0x40, 0x13, 0xff] {
        assert_eq!(with(54, form), Err(LineError::Content));
    }
    // One address more, each of which can be read; and a name that is empty, or not printable.
    let address = addresses().remove(1);
    let made = |addresses| Line::from_bytes(&line(addresses).to_bytes());
    assert!(made(vec![address.clone(); MOST_LINE_ADDRESSES]).is_ok());
    let five = vec![address.clone(); MOST_LINE_ADDRESSES + 1];
    assert_eq!(made(five), Err(LineError::Content));
    let nameless = LineAddress { host: LineHost::Dns(String::new()), ..address };
    assert_eq!(made(vec![nameless]), Err(LineError::Content));
    assert_eq!(with(55, 0), Err(LineError::Content));
    assert_eq!(with(56, 0x1b), Err(LineError::Content));
    let long = LineHost::Dns("x".repeat(255));
    let long = LineAddress { transports: Transports::Both, host: long, port: 1 };
    let longest = line(vec![long; 4]).to_string();
    assert_eq!(longest.len(), MAX_LINE);
    assert!(Line::parse(&longest).is_ok());
}

#[test]
fn a_line_is_not_searched_for_in_a_text_of_any_length() {
    let text = line(addresses()).to_string();
    let spaced = |spaces: usize| Line::parse(&format!("{}{text}", " ".repeat(spaces)));
    assert!(spaced(4 * MAX_LINE - text.len()).is_ok());
    assert_eq!(spaced(4 * MAX_LINE - text.len() + 1), Err(LineError::NotWhole));
}

#[test]
fn terms_that_no_group_can_have_are_not_read() {
    let terms = |change: fn(&mut Terms)| {
        let names = ["anna", "bert"].map(name).to_vec();
        let (group, network) = (name("treasury"), "main".to_owned());
        let mut terms = Terms { pairing: [1; 16], group, threshold: 2, names, network };
        change(&mut terms);
        borsh::from_slice::<Terms>(&borsh::to_vec(&terms).unwrap()).is_ok()
    };
    assert!(terms(|_| {}));
    for change in [
        (|terms| terms.threshold = 1) as fn(&mut Terms),
        |terms| terms.threshold = 3,
        |terms| terms.names[1] = name("Anna"),
        |terms| terms.names.truncate(1),
        |terms| terms.network.clear(),
        |terms| terms.network = "\u{1b}".to_owned(),
        |terms| terms.network = "m".repeat(33),
    ] {
        assert!(!terms(change));
    }
}

#[test]
fn a_message_cut_short_anywhere_or_drawn_out_is_none() {
    for (what, bytes) in frames() {
        let frame = Frame::decode(&bytes, MAX_FRAME).unwrap();
        assert_eq!(frame.encode(), bytes, "{what}");
        for length in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..length], MAX_FRAME).is_err(), "{what}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Frame::decode(&longer, MAX_FRAME).is_err(), "{what}");
    }
    assert!(Frame::decode(&[7], MAX_FRAME).is_err());
    let long = Frame::decode(&vec![0; MAX_FRAME + 1], MAX_FRAME);
    assert!(matches!(long, Err(FrameError::TooLong { .. })));
}

#[test]
fn a_roster_of_128_members_with_the_longest_entries_fits_into_a_message() {
    let addresses = vec!["x".repeat(128); 8];
    let whereabouts = Whereabouts { sequence: 0, addresses, signature: [0; 64] };
    let card = card(1, &name(&"n".repeat(64)));
    let version = "9".repeat(32);
    let entry = Entry { card, whereabouts, version, commitment: [0; 32] };
    let frame = Frame::Roster(AllEntries { attempt: 1, entries: vec![entry; 128] });
    let bytes = frame.encode();
    assert!(bytes.len() <= MAX_FRAME, "{}", bytes.len());
    assert_eq!(Frame::decode(&bytes, MAX_FRAME).unwrap(), frame);
    let Frame::Roster(mut longer) = frame else { unreachable!() };
    longer.entries.push(longer.entries[0].clone());
    let bytes = Frame::Roster(longer).encode();
    assert!(Frame::decode(&bytes, 2 * MAX_FRAME).is_err());
}

#[test]
fn addresses_are_bounded_one_by_one_and_together() {
    let read = |addresses: Vec<String>| {
        let whereabouts = Whereabouts { sequence: 0, addresses, signature: [0; 64] };
        borsh::from_slice::<Whereabouts>(&borsh::to_vec(&whereabouts).unwrap()).is_ok()
    };
    assert!(read(vec!["x".repeat(256); 4]));
    assert!(!read(vec!["x".repeat(257)]));
    assert!(!read(vec!["x".repeat(205); 5]));
    assert!(read(vec!["x".to_owned(); 8]));
    assert!(!read(vec!["x".to_owned(); 9]));
    assert!(!read(vec!["\u{1b}".to_owned()]));
}

#[test]
fn no_secret_and_no_word_is_shown_by_debug() {
    let mut world = World::three().with_words();
    let line = line(vec![]);
    assert!(!format!("{line:?}").contains("2, 2, 2"));
    for node in world.nodes.values_mut() {
        let shown = format!("{:?} {:?}", node.machine, node.events);
        let words = node.machine.own_words();
        assert!(words.iter().all(|word| !shown.contains(&format!("\"{word}\""))));
    }
    let reveal = world.node(2).revealed().remove(0);
    assert!(format!("{reveal:?}").contains("Secret(..)"));
}
