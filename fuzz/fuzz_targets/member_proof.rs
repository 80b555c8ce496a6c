#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_protocol::member::proof::Proof;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Proof::decode(bytes) {
        assert_eq!(read.encode(), bytes);
    }
});
