use std::fmt;

use super::strategies::{
    BadShare, Cannot, Drain, Dribble, EndlessRuns, Equivocate, EquivocateThenRun,
    FalseIncarnations, FalseProofs, Flood, Garbage, HoldBack, Malformed, OtherSlots,
    ReadyWithoutEnd, Refuse, Relay, RepeatNonces, SameSlots, Silent, Stall, Strategy, TwoShares,
    Undecodable, Withhold, WrongSum,
};

/// What one member of a coalition does. A coalition may mix all of them; unless a behaviour states
/// otherwise, the member also runs the honest code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Behaviour {
    /// Shows slots, and sends no statement.
    Silent,
    /// As a signer: no shares.
    Withholds,
    /// Gives no share for a package that no other member of the coalition stalls.
    Stalls,
    /// Taken when a package picks it, and gives no share for that one.
    StallsAdaptively,
    /// As a signer: each share is late, by one interval more or less.
    Dribbles,
    /// As a signer: wrong shares.
    BadShare,
    /// As a signer: two shares with different scalars for each package.
    TwoShares,
    /// Statements whose content breaks a structural rule.
    Malformed,
    /// As the coordinator: two packages of each number, one to each half.
    Equivocates,
    /// As the coordinator: two packages of one number, and then newer runs.
    EquivocatesThenRuns,
    /// As the coordinator: a second package, with the next number, that names the same slots.
    SameSlots,
    /// As the coordinator: aggregate nonces that are not the sums.
    WrongSum,
    /// As the coordinator: packages that name the index of one slot and the hash of another.
    OtherSlots,
    /// As the coordinator: a new run every 60 ms.
    EndlessRuns,
    /// As the coordinator: packages and signatures reach half of the members.
    HoldsBack,
    /// Shows slots that are no points.
    Undecodable,
    /// Shows each nonce under two indexes, and other nonces under an index that it has shown.
    RepeatsNonces,
    /// Names another incarnation every now and then.
    FalseIncarnations,
    /// Asks for slots without end.
    Drains,
    /// Says Ready without end, and gives no shares.
    ReadyWithoutEnd,
    /// Answers each package with Ready and `cannot`.
    Cannot,
    /// Says Ready and refuses, by turns.
    Refuses,
    /// Asks for everything that it has heard of, without end.
    Floods,
    /// Passes on old statements of others, and says its own control frames again.
    Relays,
    /// Proofs against honest members: made of their statements, and altered ones.
    FalseProofs,
    /// Bytes that are no frame, and frames in the name of others.
    Garbage,
}

impl Behaviour {
    /// Every behaviour.
    pub const ALL: [Behaviour; 26] = [
        Behaviour::Silent,
        Behaviour::Withholds,
        Behaviour::Stalls,
        Behaviour::StallsAdaptively,
        Behaviour::Dribbles,
        Behaviour::BadShare,
        Behaviour::TwoShares,
        Behaviour::Malformed,
        Behaviour::Equivocates,
        Behaviour::EquivocatesThenRuns,
        Behaviour::SameSlots,
        Behaviour::WrongSum,
        Behaviour::OtherSlots,
        Behaviour::EndlessRuns,
        Behaviour::HoldsBack,
        Behaviour::Undecodable,
        Behaviour::RepeatsNonces,
        Behaviour::FalseIncarnations,
        Behaviour::Drains,
        Behaviour::ReadyWithoutEnd,
        Behaviour::Cannot,
        Behaviour::Refuses,
        Behaviour::Floods,
        Behaviour::Relays,
        Behaviour::FalseProofs,
        Behaviour::Garbage,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Behaviour::Silent => "silent",
            Behaviour::Withholds => "static",
            Behaviour::Stalls => "coordinated",
            Behaviour::StallsAdaptively => "adaptive",
            Behaviour::Dribbles => "dribbles",
            Behaviour::BadShare => "bad-share",
            Behaviour::TwoShares => "two-shares",
            Behaviour::Malformed => "malformed",
            Behaviour::Equivocates => "equivocates",
            Behaviour::EquivocatesThenRuns => "equivocates-then-runs",
            Behaviour::SameSlots => "same-slots",
            Behaviour::WrongSum => "wrong-sum",
            Behaviour::OtherSlots => "other-slots",
            Behaviour::EndlessRuns => "endless-runs",
            Behaviour::HoldsBack => "holds-back",
            Behaviour::Undecodable => "undecodable",
            Behaviour::RepeatsNonces => "repeats-nonces",
            Behaviour::FalseIncarnations => "false-incarnations",
            Behaviour::Drains => "drains",
            Behaviour::ReadyWithoutEnd => "ready-without-end",
            Behaviour::Cannot => "cannot",
            Behaviour::Refuses => "refuses",
            Behaviour::Floods => "floods",
            Behaviour::Relays => "relays",
            Behaviour::FalseProofs => "false-proofs",
            Behaviour::Garbage => "garbage",
        }
    }

    /// What does it.
    pub(super) fn strategy(self) -> Box<dyn Strategy> {
        match self {
            Behaviour::Silent => Box::new(Silent),
            Behaviour::Withholds => Box::new(Withhold),
            Behaviour::Stalls => Box::new(Stall::default()),
            Behaviour::StallsAdaptively => Box::new(Withhold),
            Behaviour::Dribbles => Box::new(Dribble),
            Behaviour::BadShare => Box::new(BadShare),
            Behaviour::TwoShares => Box::new(TwoShares),
            Behaviour::Malformed => Box::new(Malformed),
            Behaviour::Equivocates => Box::new(Equivocate),
            Behaviour::EquivocatesThenRuns => Box::new(EquivocateThenRun::default()),
            Behaviour::SameSlots => Box::new(SameSlots),
            Behaviour::WrongSum => Box::new(WrongSum),
            Behaviour::OtherSlots => Box::new(OtherSlots::default()),
            Behaviour::EndlessRuns => Box::new(EndlessRuns::default()),
            Behaviour::HoldsBack => Box::new(HoldBack),
            Behaviour::Undecodable => Box::new(Undecodable),
            Behaviour::RepeatsNonces => Box::new(RepeatNonces),
            Behaviour::FalseIncarnations => Box::new(FalseIncarnations),
            Behaviour::Drains => Box::new(Drain),
            Behaviour::ReadyWithoutEnd => Box::new(ReadyWithoutEnd::default()),
            Behaviour::Cannot => Box::new(Cannot::default()),
            Behaviour::Refuses => Box::new(Refuse::default()),
            Behaviour::Floods => Box::new(Flood),
            Behaviour::Relays => Box::new(Relay),
            Behaviour::FalseProofs => Box::new(FalseProofs),
            Behaviour::Garbage => Box::new(Garbage),
        }
    }
}

impl fmt::Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
