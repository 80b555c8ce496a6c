use roastery_protocol::{
    request::RefusalReason,
    request::{MessageToSign, Policy, SigningRequest, Step},
};

/// Allows the messages that the user typed, and no others.
#[derive(Debug)]
pub(super) struct AsTyped(pub(super) Vec<MessageToSign>);

impl Policy for AsTyped {
    fn judge(&self, request: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
        if request.messages() == self.0 { Ok(()) } else { Err(RefusalReason::Policy) }
    }
}
