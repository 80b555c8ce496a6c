#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_protocol::pairing::{Frame, Line, MAX_FRAME};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Frame::decode(bytes, MAX_FRAME) {
        assert_eq!(read.encode(), bytes);
    }
    if let Ok(read) = Line::from_bytes(bytes) {
        assert_eq!(read.to_bytes(), bytes);
        assert_eq!(Line::parse(&read.to_string()), Ok(read));
    }
});
