use std::{fmt, io};

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use crate::PlanId;

/// Which epoch of a key a group is: how many changes there were before, and the plan of the last
/// one.
///
/// Encoded as `number u32 | plan 32`. The group of a key generation has the number 0 and 32 zero
/// bytes for the plan; every later one has another number and the id of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub struct Epoch {
    number: u32,
    plan: PlanId,
}

/// A number and a plan that are no epoch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EpochError {
    /// The group of a key generation follows no plan.
    #[error("epoch 0 with a plan; the group of a key generation has none")]
    GeneratedByPlan,
    /// A later epoch without its plan.
    #[error("epoch {number} without a plan; every epoch after 0 has one")]
    WithoutPlan {
        /// The number.
        number: u32,
    },
}

const NO_PLAN: PlanId = PlanId::from_bytes([0; 32]);

impl Epoch {
    /// The epoch of a key generation: 0, without a plan.
    pub const GENERATED: Epoch = Epoch { number: 0, plan: NO_PLAN };

    /// The epoch of this number and plan.
    ///
    /// # Errors
    ///
    /// [`EpochError`] if one of the two is that of a key generation and the other is not.
    pub fn new(number: u32, plan: PlanId) -> Result<Self, EpochError> {
        match (number, plan == NO_PLAN) {
            (0, false) => Err(EpochError::GeneratedByPlan),
            (1.., true) => Err(EpochError::WithoutPlan { number }),
            _ => Ok(Self { number, plan }),
        }
    }

    /// How many changes the key has had before.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The plan that led here; 32 zero bytes for a key generation.
    pub const fn plan(&self) -> PlanId {
        self.plan
    }
}

/// The number alone.
impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

impl BorshDeserialize for Epoch {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let (number, plan) = BorshDeserialize::deserialize_reader(reader)?;
        Self::new(number, plan).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_epoch_of_a_key_generation_has_no_plan() {
        let plan = PlanId::from_bytes([1; 32]);
        assert_eq!(Epoch::new(0, NO_PLAN), Ok(Epoch::GENERATED));
        assert_eq!(Epoch::new(0, plan), Err(EpochError::GeneratedByPlan));
        assert_eq!(Epoch::new(7, NO_PLAN), Err(EpochError::WithoutPlan { number: 7 }));
        let epoch = Epoch::new(u32::MAX, plan).unwrap();
        assert_eq!((epoch.number(), epoch.plan()), (u32::MAX, plan));
    }

    #[test]
    fn an_epoch_is_read_from_its_36_bytes_and_checked() {
        let epoch = Epoch::new(0x0102_0304, PlanId::from_bytes([9; 32])).unwrap();
        let bytes = [&[4, 3, 2, 1][..], &[9; 32]].concat();
        assert_eq!(crate::wire::encode(&epoch), bytes);
        assert_eq!(crate::wire::decode::<Epoch>(&bytes).unwrap(), epoch);
        for (number, plan) in [(0u32, [9u8; 32]), (1, [0; 32])] {
            assert!(crate::wire::decode::<Epoch>(&crate::wire::encode(&(number, plan))).is_err());
        }
    }
}
