use borsh::{BorshDeserialize, BorshSerialize};

use super::Plan;
use crate::{ChangeTranscriptHash, Fingerprint, PlanId, group::Group};

/// The place of a certified epoch in the one total order of the epochs of a key: compared by epoch,
/// then by the plan's number, the plan id and the transcript hash.
///
/// The greatest one that a node knows is its current epoch, approved there or not. So two certified
/// plans of one parent need no agreement: all nodes that know both take the same.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct EpochOrder {
    epoch: u32,
    number: u32,
    plan: PlanId,
    transcript: ChangeTranscriptHash,
}

impl EpochOrder {
    /// The epoch of the key generation, which is below all others.
    pub const GENERATED: EpochOrder = EpochOrder {
        epoch: 0,
        number: 0,
        plan: PlanId::from_bytes([0; 32]),
        transcript: ChangeTranscriptHash::from_bytes([0; 32]),
    };

    /// The epoch that this transcript of this plan makes.
    pub fn of(plan: &Plan, transcript: ChangeTranscriptHash) -> Self {
        Self { epoch: plan.epoch(), number: plan.number(), plan: plan.id(), transcript }
    }

    /// The place of the first group that a node knows, whatever made it: below every epoch that
    /// follows it. Its number and transcript are those of a key generation, zero.
    pub fn of_root(group: &Group) -> Self {
        let epoch = group.epoch();
        Self { epoch: epoch.number(), plan: epoch.plan(), ..Self::GENERATED }
    }

    /// Above all epochs that the plan can make. A host key of it is as good as any of their
    /// shares.
    pub fn last_of(plan: &Plan) -> Self {
        Self::of(plan, ChangeTranscriptHash::from_bytes([0xff; 32]))
    }

    /// What a person compares and types to acknowledge the epoch: it stands for plan and shares.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.transcript.as_bytes())
    }

    /// The number of the epoch.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Its plan; 32 zero bytes for a key generation.
    pub const fn plan(&self) -> PlanId {
        self.plan
    }

    /// The hash of its transcript; 32 zero bytes for a key generation.
    pub const fn transcript(&self) -> ChangeTranscriptHash {
        self.transcript
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        change::{Parent, test_plans::*},
        group::Epoch,
    };

    #[test]
    fn epochs_are_ordered_by_epoch_number_plan_and_transcript_in_turn() {
        let group = group(2, 3);
        let numbered = |number| plan(&group, &move |terms| terms.number = number);
        let hash = |byte| ChangeTranscriptHash::from_bytes([byte; 32]);
        let later = Epoch::new(1, PlanId::from_bytes([1; 32])).unwrap();
        let later =
            Plan::new(Parent { epoch: later, ..Parent::of(&group) }, terms(&group)).unwrap();
        let other = plan(&group, &|terms| (terms.number, terms.threshold) = (2, 3));
        let second = numbered(2);
        let (low, high) = if other.id() < second.id() { (other, second) } else { (second, other) };
        let ascending = [
            EpochOrder::GENERATED,
            EpochOrder::of(&numbered(1), hash(9)),
            EpochOrder::of(&low, hash(9)),
            EpochOrder::of(&high, hash(1)),
            EpochOrder::of(&high, hash(2)),
            EpochOrder::of(&later, hash(0)),
        ];
        assert!(ascending.is_sorted_by(|a, b| a < b), "{ascending:?}");
    }
}
