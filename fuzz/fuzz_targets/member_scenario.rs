#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_sim::{
    signing::{Scenario, play},
    trace::Detail,
};

fuzz_target!(|bytes: &[u8]| {
    let scenario = Scenario::from_bytes(bytes);
    let played = play(&scenario, Detail::Hash);
    if let Some(violation) = played.violation {
        panic!("{violation}\n{scenario}");
    }
});
