#![no_main]

use libfuzzer_sys::fuzz_target;
use roastery_fuzz::{GROUP, IDENTITY};
use roastery_protocol::{
    Seat,
    member::frame::{Control, Form, Frame, Header, Shape, Statement},
};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let Ok((kind, _)) = Frame::peek(bytes) else { return };
    // Whichever group it names, it is read as a frame of this one.
    let mut bytes = bytes.to_vec();
    let at = match kind.form() {
        Form::Control => 3,
        Form::Statement => 67,
    };
    bytes[at..at + 32].copy_from_slice(GROUP.id().as_bytes());
    let Ok((sender, frame)) = Frame::parse(&bytes, &GROUP) else { return };
    match frame {
        Frame::Statement(statement) => {
            let _ = statement.is_signed_by_its_sender(&GROUP);
            let shape = Shape::new(&GROUP, usize::from(first % 4) + 1);
            if let Ok(content) = shape.read(&statement) {
                let Header { group, session, .. } = *statement.header();
                let again = Statement::seal(group, session, sender, &content, &IDENTITY);
                assert_eq!(again.body(), statement.body());
            }
        }
        Frame::Control(control) => {
            if let (Ok(content), Ok(to)) = (control.read(), Seat::new(control.to().into())) {
                let Header { group, session, .. } = *control.header();
                assert_eq!(Control::new(group, session, sender, to, &content), control);
            }
        }
    }
});
