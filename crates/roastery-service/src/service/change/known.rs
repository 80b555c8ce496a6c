//! What the store knows of a key.

use std::collections::BTreeMap;

use roastery_protocol::{
    KeyId,
    change::{ApprovedNumbers, EpochOrder, Plan, UsedHostKeys, machine::Record},
    group::{Name, PeerId},
};
use roastery_store::{KeptPlan, Store, StoreError};

/// What the store knows of a key: all of its plans, and which epochs exist.
pub(super) struct Known {
    pub(super) plans: Vec<KeptPlan>,
    pub(super) used: UsedHostKeys,
    /// The greatest certified epoch of the key.
    pub(super) current: EpochOrder,
    /// The plans that were approved here.
    pub(super) approved: ApprovedNumbers,
}

/// Reads what the store knows of the key that this plan changes.
pub(super) fn known_of(store: &Store, plan: &Plan) -> Result<Known, StoreError> {
    let key = plan.parent().key;
    let (mut used, mut current) = (UsedHostKeys::default(), EpochOrder::GENERATED);
    let plans = store.plans()?;
    for kept in &plans {
        used.add_group(&kept.parent);
        used.add_plan(&kept.plan);
        if kept.plan.parent().key == key {
            current = kept.certified().fold(current, EpochOrder::max);
        }
    }
    for known in store.known_groups()? {
        used.add_group(&known.group);
    }
    let mut by_number: Vec<&Plan> = plans
        .iter()
        .filter(|kept| kept.records.contains(&Record::Approved))
        .map(|kept| &kept.plan)
        .collect();
    by_number.sort_by_key(|plan| plan.number());
    let mut approved = ApprovedNumbers::default();
    for plan in by_number {
        // Each was allowed when it was approved.
        let _ = approved.approve(plan);
    }
    Ok(Known { plans, used, current, approved })
}

/// What the members of a key are called: by the recovery file of its generation, then by its
/// certified plans in their order. No invitation of another group says what a member is called in
/// this one.
pub(in crate::service) fn names_of_key(
    store: &Store,
    key: KeyId,
) -> Result<BTreeMap<PeerId, Name>, StoreError> {
    let mut names = BTreeMap::new();
    for known in store.known_groups()? {
        let recovery = known.recovery.filter(|_| known.group.key_id() == key);
        let Some(file) = recovery else { continue };
        let of_root = known.group.members().iter().zip(file.invitation().names());
        names.extend(of_root.map(|(member, name)| (member.peer.clone(), name.clone())));
    }
    let mut plans = store.plans()?;
    plans.retain(|kept| kept.plan.parent().key == key && kept.certified().next().is_some());
    plans.sort_by_key(|kept| kept.certified().max());
    for KeptPlan { plan, .. } in plans {
        let of_plan = plan.members().iter().zip(plan.names());
        names.extend(of_plan.map(|(member, name)| (member.peer.clone(), name.clone())));
    }
    Ok(names)
}
