#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_protocol::keygen::RecoveryFile;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = RecoveryFile::decode(bytes) {
        assert_eq!(read.encode(), bytes);
    }
});
