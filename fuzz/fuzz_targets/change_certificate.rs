#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_frost::change::Certificate;
use roastery_fuzz::{CHANGE, host_keys};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Certificate::parse(&CHANGE, bytes) {
        assert_eq!(read.to_bytes(), bytes);
        assert!(host_keys().iter().all(|key| read.recover(key).is_ok()));
    }
});
