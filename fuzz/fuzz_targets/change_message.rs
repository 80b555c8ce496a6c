#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_fuzz::{CHANGE, IDENTITY};
use roastery_protocol::change::message::Envelope;

fuzz_target!(|bytes: &[u8]| {
    let _ = Envelope::peek_plan(bytes);
    let Ok(envelope) = Envelope::parse(bytes) else { return };
    let _ = envelope.is_signed_with(&IDENTITY.public_key());
    let Some(sender) = envelope.header().party() else { return };
    if let Ok(body) = envelope.read(&CHANGE) {
        let again = Envelope::seal(envelope.header().plan, sender, &body, &IDENTITY);
        assert_eq!(again.body(), envelope.body());
    }
});
