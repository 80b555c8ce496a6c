#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_fuzz::{IDENTITY, INVITATION};
use roastery_protocol::keygen::message::{Body, Envelope};

fuzz_target!(|bytes: &[u8]| {
    let _ = Envelope::peek_keygen(bytes);
    let Ok(envelope) = Envelope::parse(bytes) else { return };
    let _ = envelope.is_signed_by_its_sender(&INVITATION);
    let Some(sender) = envelope.sender(&INVITATION) else { return };
    if let Ok(body) = Body::read(&envelope, INVITATION.params()) {
        let again = Envelope::seal(envelope.header().keygen, sender, &body, &IDENTITY);
        assert_eq!(again.body(), envelope.body());
    }
});
