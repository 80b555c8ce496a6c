#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_protocol::keygen::Invitation;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Invitation::decode(bytes) {
        assert_eq!(read.encode(), bytes);
    }
});
