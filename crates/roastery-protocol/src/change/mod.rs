//! A change of a group: fresh shares, other members or another threshold, and the key stays.
//!
//! The members agree on a [`Plan`], compare its fingerprint, and approve it (as old members) or
//! accept it (as new ones). When all new members have accepted and at least t old ones approve
//! ([`Roll`]), t old members deal their shares anew with the arithmetic of
//! [`roastery_frost::change`], all new members sign the outcome, and the new epoch exists with that
//! certificate. `docs/keylife.md` specifies it.
//!
//! A rule of its own is a value of its own: what a plan is ([`Plan`]) and what a node checks of it
//! ([`Plan::check`], [`UsedHostKeys`], [`ApprovedNumbers`], [`ChangePolicy`]); who has approved and
//! accepted ([`RollCall`]); which epochs exist ([`Lineage`]) and which of two is greater
//! ([`EpochOrder`]); how far the members are ([`Receipts`]); and when shares of an epoch may be
//! erased ([`Erasing`]). [`message`] has the bytes on the wire. Two machines put it together:
//! [`machine`] is one change at one node, up to the certificate, and [`switch`] is what comes
//! after it, for all epochs of one key.

mod checking;
mod epoch_file;
mod erasing;
mod journal;
mod lineage;
mod lineage_file;
pub mod machine;
pub mod message;
mod numbers;
mod order;
mod party;
mod plan;
mod policy;
mod receipt;
mod roll;
pub mod switch;
#[cfg(test)]
mod test_plans;

pub use self::{
    checking::{MAX_PLAN_SECONDS, PlanRefused, UsedBy, UsedHostKeys},
    epoch_file::{
        CertifiedEpoch, EpochFile, EpochFileError, MAX_CERTIFICATE, MAX_EPOCH_FILE, NotCertified,
    },
    erasing::{Erasing, Missing, PersonsWord, SecondCopy},
    lineage::{Added, EpochRefused, Lineage, MAX_FORKS},
    lineage_file::{LineageFile, LineageFileError, LineageRoot, MAX_LINEAGE_FILE, RecoveredShare},
    numbers::{ApprovedNumbers, MAX_NUMBERS_AHEAD, NumberRefused},
    order::EpochOrder,
    party::{Party, Role},
    plan::{MAX_PLAN, Parent, Plan, PlanError, Terms},
    policy::{AcceptedBy, ApprovedBy, ChangePolicy, PolicyRefused},
    receipt::{Holding, Question, Receipt, Receipts},
    roll::{Roll, RollCall, RollError},
};
