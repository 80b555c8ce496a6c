#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_frost::change::{Dealing, open};
use roastery_fuzz::{CHANGE, host_keys};

fuzz_target!(|bytes: &[u8]| {
    for dealer in CHANGE.dealers() {
        if let Ok(read) = Dealing::parse(&CHANGE, dealer, bytes) {
            assert_eq!(read.to_bytes(), bytes);
            assert!(host_keys().iter().all(|key| open(key, &read).is_ok()));
        }
    }
});
