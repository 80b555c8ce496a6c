#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_fuzz::{GROUP, IDENTITY};
use roastery_protocol::message::{Envelope, Shape};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let _ = Envelope::peek_session(bytes);
    let Ok(envelope) = Envelope::parse(bytes) else { return };
    let _ = envelope.is_signed_by_its_sender(&GROUP);
    let header = *envelope.header();
    let shape = Shape::new(&GROUP, header.session, usize::from(first % 4) + 1);
    if let Ok((_, body)) = shape.read(&envelope) {
        assert_eq!(Envelope::seal(header, &body, &IDENTITY).body(), envelope.body());
    }
});
