#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_protocol::change::EpochFile;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = EpochFile::decode(bytes) {
        assert_eq!(read.encode(), bytes);
    }
});
