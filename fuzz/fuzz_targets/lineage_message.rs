#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_protocol::change::message::LineageMessage;

fuzz_target!(|bytes: &[u8]| {
    let peeked = LineageMessage::peek_key(bytes);
    if let Ok(read) = LineageMessage::parse(bytes) {
        assert_eq!(peeked, Some(read.key));
        assert_eq!(read.encode(), bytes);
    }
});
