#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_protocol::change::Plan;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Plan::decode(bytes) {
        assert_eq!(read.encode(), bytes);
    }
});
