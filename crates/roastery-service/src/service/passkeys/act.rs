/// What a person elsewhere does.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteAct {
    /// To read.
    SignIn,
    /// To approve a request.
    Approve,
    /// To reject a request.
    Reject,
}

impl RemoteAct {
    pub(in crate::service) fn number(self) -> u8 {
        self as u8
    }

    pub(in crate::service) fn numbered(number: u8) -> Option<Self> {
        [Self::SignIn, Self::Approve, Self::Reject].into_iter().find(|act| act.number() == number)
    }
}
