#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_protocol::request::SigningRequest;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = SigningRequest::decode(bytes) {
        assert_eq!(read.encode(), bytes);
    }
});
