#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_protocol::change::LineageFile;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = LineageFile::decode(bytes) {
        let written = read.encode();
        assert_eq!(LineageFile::decode(&written).unwrap().encode(), written);
    }
});
