use std::fmt;

/// What a faulty member does. It runs the honest code, keeps everything that it should erase, and
/// the coalition may replace what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Sends nothing.
    Silent,
    /// Deals one new member a wrong share.
    BadShare,
    /// Deals two halves of the members two dealings.
    TwoDealings,
    /// Complains of every dealing.
    FalseComplaints,
    /// Shows two choices to two halves as a coordinator.
    TwoChoices,
    /// Sends its signatures a minute late.
    LateSignatures,
    /// Sends certificates and recovery files to one member only.
    HidesCertificates,
    /// Sends no receipt.
    WithholdsReceipts,
    /// Sends old messages of all again.
    Replays,
    /// Changes a byte of what it sends.
    Garbles,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 10] = [
        Fault::Silent,
        Fault::BadShare,
        Fault::TwoDealings,
        Fault::FalseComplaints,
        Fault::TwoChoices,
        Fault::LateSignatures,
        Fault::HidesCertificates,
        Fault::WithholdsReceipts,
        Fault::Replays,
        Fault::Garbles,
    ];

    /// Whether its receipts reach the others in the end.
    pub fn gives_receipts(self) -> bool {
        !matches!(self, Fault::Silent | Fault::WithholdsReceipts | Fault::Garbles)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Silent => "is silent",
            Fault::BadShare => "deals one member a wrong share",
            Fault::TwoDealings => "deals twice",
            Fault::FalseComplaints => "complains of every dealing",
            Fault::TwoChoices => "shows two choices",
            Fault::LateSignatures => "signs late",
            Fault::HidesCertificates => "shows certificates to one member only",
            Fault::WithholdsReceipts => "sends no receipt",
            Fault::Replays => "replays messages",
            Fault::Garbles => "changes a byte of what it sends",
        })
    }
}
