use super::*;

const MOST: usize = 785_000;

/// Bytes that cannot be compressed, always the same.
fn file(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn psbt_frames(length: usize) -> Vec<String> {
    frames(&file(length), Coded::Psbt).unwrap()
}

fn joined(frames: &[String]) -> Result<Vec<u8>, Unjoined> {
    join(&frames.join("\n"), MOST)
}

/// Frames of five bytes each, in hexadecimal digits.
fn by_hand(of: usize) -> Vec<String> {
    (0..of).map(|index| format!("B$HP0{of}0{index}707362740{index}")).collect()
}

#[test]
fn a_psbt_of_any_length_comes_back_from_its_frames_in_any_order() {
    for length in [1, 5, 300, 770, 780, 3_000, 30_000] {
        let mut frames = psbt_frames(length);
        frames.reverse();
        frames.push(frames[0].clone());
        assert_eq!(joined(&frames), Ok(file(length)), "{length}");
    }
    // What can be compressed is.
    let zeros = frames(&[0; 20_000], Coded::Psbt).unwrap();
    assert_eq!(zeros.len(), 1);
    assert!(zeros[0].starts_with("B$ZP0100"), "{zeros:?}");
    assert_eq!(joined(&zeros), Ok(vec![0; 20_000]));
}

#[test]
fn frames_that_another_program_has_made_are_joined() {
    // Python: zlib with a window of 10 bits and no header, base32.
    let frames = "B$ZP0301Y4XSAKBEFQRCUJROEEUSKLJDFMT27IFI B$ZP0302USWKFKVGHZONIAIA\r\n\
                  B$ZP0300FMUE4KXZZ7AMRRGMYLFMNTWBZHC43Q6L\n";
    let bytes: Vec<u8> = (0..40).collect();
    assert_eq!(join(frames, MOST), Ok([&b"psbt\xff"[..], &bytes.repeat(6)].concat()));
}

#[test]
fn the_codes_of_a_series_have_one_size_and_neither_their_number_nor_their_size_is_large() {
    for length in [300, 3_000, 30_000] {
        let codes = codes(&file(length), Coded::Transaction).unwrap();
        assert_eq!(codes.len(), frames(&file(length), Coded::Transaction).unwrap().len());
        assert!(codes.len() <= MOST_CODES);
        assert!(codes.iter().all(|code| code.version() == codes[0].version()));
        assert!(codes[0].width() <= 97, "{length}");
    }
    assert_eq!(codes(&file(300), Coded::Psbt).unwrap().len(), 1);
    assert!(codes(&file(100_000), Coded::Psbt).is_none());
    assert!(frames(&file(300), Coded::Transaction).unwrap()[0].starts_with("B$2T0100"));
}

#[test]
fn parts_that_are_missing_are_named_by_their_numbers() {
    let all = psbt_frames(30_000);
    let of = all.len();
    let missing = |missing: &str| Err(Unjoined::Missing { missing: missing.to_owned(), of });
    assert_eq!(joined(&all[1..]), missing("1"));
    assert_eq!(joined(&[&all[..3], &all[4..of - 1]].concat()), missing(&format!("4, {of}")));
    let most = format!("2, 3, 4, 5, 6, 7, 8, 9 and {} more", of - 9);
    assert_eq!(joined(&all[..1]), missing(&most));
    let text = joined(&all[1..]).unwrap_err().to_string();
    assert_eq!(text, format!("Of {of} parts these are missing: 1. Scan them too."));
}

#[test]
fn frames_of_two_sets_are_not_joined() {
    let (mut frames, other) = (by_hand(3), by_hand(4));
    frames[1].clone_from(&other[1]);
    let (begins, first) = ("B$HP04".to_owned(), "B$HP03".to_owned());
    assert_eq!(joined(&frames), Err(Unjoined::OtherSet { at: 2, begins, first }));
    let mut frames = by_hand(3);
    frames[2].replace_range(2..3, "2");
    assert!(matches!(joined(&frames), Err(Unjoined::OtherSet { at: 3, .. })));
}

#[test]
fn a_part_that_was_changed_is_named() {
    let mut twice = by_hand(3);
    twice.push("B$HP03017073627409".to_owned());
    let two = Unjoined::TwoContents { part: 2, of: 3, first: 2, second: 4 };
    assert_eq!(joined(&twice), Err(two));
    let changed = |index: usize, frame: &str| {
        let mut frames = by_hand(3);
        frames[index] = frame.to_owned();
        joined(&frames).unwrap_err()
    };
    let length = |part, length, usual| Unjoined::Length { part, of: 3, length, usual };
    assert_eq!(changed(1, "B$HP030170736274"), length(2, 8, 10));
    assert_eq!(changed(2, "B$HP0302707362740200"), length(3, 12, 10));
    assert_eq!(changed(1, "B$HP0301707362740G"), Unjoined::Unread { part: 2, of: 3 });
    assert_eq!(changed(2, "B$HP0302"), Unjoined::Unread { part: 3, of: 3 });
    assert_eq!(changed(2, "B$HP0302707"), Unjoined::Unread { part: 3, of: 3 });
    assert_eq!(changed(2, "B$HP0303"), Unjoined::NoSuchPart { at: 3, part: 4, of: 3 });
    assert_eq!(joined(&["B$ZP0100AAAAAAAA".to_owned()]), Err(Unjoined::Compressed));
}

#[test]
fn what_is_no_frame_or_of_another_file_is_said_to_be_so() {
    for (text, at) in [
        ("B$", 1),
        ("B$HP010", 1),
        ("B$XP010070", 1),
        ("B$H!010070", 1),
        ("B$HP+10070", 1),
        ("B$HP0200 70", 2),
        ("B$HP02\u{20ac}70", 1),
        ("B$\u{20ac}\u{20ac}\u{20ac}", 1),
        (" ", 1),
    ] {
        assert_eq!(join(text, MOST), Err(Unjoined::NoFrame { at }), "{text}");
    }
    assert_eq!(join("B$HT010070", MOST), Err(Unjoined::OtherFile { kind: 'T' }));
    assert_eq!(join("B$HP0100707362", 2), Err(Unjoined::TooLong { most: 2 }));
    assert!(is_frames(" B$HP") && !is_frames("cHNidP8="));
}

#[test]
fn no_text_of_frames_makes_it_panic() {
    let letters: Vec<char> = "B$HZP2T0123AZ/+=\u{20ac}\u{0} \n".chars().collect();
    let bytes = file(40_000);
    for piece in bytes.chunks(20) {
        let text: String =
            piece.iter().map(|byte| letters[usize::from(*byte) % letters.len()]).collect();
        let _ = join(&text, MOST);
        let _ = join(&format!("B$HP0200{text}"), MOST);
        let _ = join(&format!("B$ZP0100{text}"), MOST);
    }
}

#[test]
fn frames_that_decompress_to_more_than_a_node_takes_are_refused() {
    let frames = frames(&vec![0; 1 << 20], Coded::Psbt).unwrap();
    assert!(frames.concat().len() < 10_000);
    assert_eq!(joined(&frames), Err(Unjoined::TooLong { most: MOST }));
    assert_eq!(join(&bomb(), MOST), Err(Unjoined::TooLong { most: MOST }));
}

/// A frame that decompresses to more than 16 MiB: a byte, and 258 times the last one again and
/// again, in the codes that RFC 1951 fixes.
fn bomb() -> String {
    let mut bits = vec![true, true, false];
    let mut push = |code: u16, length: u16| {
        bits.extend((0..length).rev().map(|at| code >> at & 1 == 1));
    };
    push(0b0011_0000, 8);
    for _ in 0..66_000 {
        push(0b1100_0101, 8);
        push(0, 5);
    }
    push(0, 7);
    let byte = |bits: &[bool]| {
        let set = (0..).zip(bits).filter(|(_, bit)| **bit).map(|(at, _)| 1_u8 << at);
        set.fold(0, |byte, bit| byte | bit)
    };
    let bytes: Vec<u8> = bits.chunks(8).map(byte).collect();
    let digits = bytes.iter().map(|byte| format!("{byte:08b}")).collect::<String>();
    let letters = digits.as_bytes().chunks(5).map(|five| {
        let value = five.iter().fold(0, |value, digit| value << 1 | usize::from(digit - b'0'));
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[value << (5 - five.len())])
    });
    format!("B$ZP0100{}", letters.collect::<String>())
}
