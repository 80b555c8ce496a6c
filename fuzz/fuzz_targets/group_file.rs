#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_protocol::group::Group;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Group::decode(bytes) {
        assert_eq!(read.encode(), bytes);
    }
});
