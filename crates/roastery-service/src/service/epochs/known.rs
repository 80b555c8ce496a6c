//! What the store knows of the epochs of a key, as its switch is opened with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use roastery_frost::change::Certificate;
use roastery_protocol::{
    KeyId, PlanId,
    change::{
        EpochFile, EpochOrder, Lineage, LineageFile, LineageRoot, Parent, PersonsWord, Plan,
        machine::{Decided, Record},
        switch,
    },
    group::Group,
    member::Incarnation,
};
use roastery_store::{KeptEpochs, KeptPlan, KnownGroup, Store, StoreError};

use crate::service::ServiceError;

/// What the switch of a key is opened with.
pub(super) struct Stored {
    pub(super) root: Arc<Group>,
    pub(super) files: Vec<EpochFile>,
    pub(super) held: BTreeSet<EpochOrder>,
    pub(super) words: BTreeMap<PlanId, PersonsWord>,
    pub(super) records: Vec<switch::Record>,
    pub(super) last_incarnation: Option<Incarnation>,
}

/// The keys of which this node has, or had, a share or a certified plan.
pub(super) fn keys(store: &Store) -> Result<BTreeSet<KeyId>, StoreError> {
    let groups = store.known_groups()?.into_iter().map(|known| known.group.key_id());
    let plans = store.plans()?.into_iter().filter(is_certified);
    let plans: Vec<KeyId> = plans.map(|kept| kept.plan.parent().key).collect();
    Ok(groups.chain(plans).collect())
}

/// Reads what is stored of a key; none if this node has neither a group of it nor a certified plan.
pub(super) fn stored(store: &Store, key: KeyId) -> Result<Option<Stored>, StoreError> {
    let mut groups = store.known_groups()?;
    groups.retain(|known| known.group.key_id() == key);
    let mut plans = store.plans()?;
    plans.retain(|kept| kept.plan.parent().key == key);
    let KeptEpochs { mut files, records } = store.epochs(key)?;
    files.extend(plans.iter().filter_map(file_of));
    let Some(root) = root_of(&groups, &plans) else { return Ok(None) };
    let lineage = lineage_of(root.clone(), &files);
    let root_place = (lineage.root_order(), root.clone());
    let places = lineage.epochs().map(|epoch| (epoch.order(), epoch.group().clone()));
    let here: Vec<Parent> =
        groups.iter().filter(|known| !known.erased).map(|known| Parent::of(&known.group)).collect();
    let places = std::iter::once(root_place).chain(places);
    let shares = places.filter(|(_, group)| here.contains(&Parent::of(group)));
    let mut held: BTreeSet<EpochOrder> = shares.map(|(place, _)| place).collect();
    let with_keys = store.plans_with_host_keys()?;
    let of_lineage = lineage.epochs().map(|epoch| epoch.plan());
    let known_plans = plans.iter().map(|kept| &kept.plan).chain(of_lineage);
    held.extend(known_plans.filter(|plan| with_keys.contains(&plan.id())).map(place_of_plan));
    let words = plans.iter().filter_map(|kept| Some((kept.plan.id(), word_of(&kept.records)?)));
    let (words, last_incarnation) = (words.collect(), store.switch_incarnation(key)?);
    Ok(Some(Stored { root, files, held, words, records, last_incarnation }))
}

fn is_certified(kept: &KeptPlan) -> bool {
    kept.certified().next().is_some()
}

/// The recovery file of a certified plan.
fn file_of(kept: &KeptPlan) -> Option<EpochFile> {
    let params = kept.plan.params(&kept.parent).ok()?;
    let certificate = Certificate::parse(&params, kept.certificate.as_deref()?).ok()?;
    Some(EpochFile::new(kept.plan.clone(), &certificate))
}

/// The group with which the lineage begins at this node: that of the key generation, or where this
/// node has joined later the parent of the first plan that made an epoch here.
fn root_of(groups: &[KnownGroup], plans: &[KeptPlan]) -> Option<Arc<Group>> {
    let first = groups.iter().map(|known| &known.group).min_by_key(|group| group.epoch().number());
    let first = first.cloned();
    if first.as_ref().is_some_and(|group| group.epoch().number() == 0) {
        return first;
    }
    let certified = plans.iter().filter(|kept| is_certified(kept));
    let certified = certified.min_by_key(|kept| kept.plan.epoch());
    certified.map(|kept| kept.parent.clone()).or(first)
}

/// The lineage of these files, as far as they lead.
fn lineage_of(root: Arc<Group>, files: &[EpochFile]) -> Lineage {
    let mut files: Vec<&EpochFile> = files.iter().collect();
    files.sort_by_key(|file| file.plan().epoch());
    let mut lineage = Lineage::new(root);
    for file in files {
        if let Ok(epoch) = lineage.verify(file) {
            lineage.add(epoch);
        }
    }
    lineage
}

/// The recovery files of all epochs that lead to the greatest one that is stored of a key; none if
/// no epoch follows the first one.
pub(in crate::service) fn lineage_file(
    store: &Store,
    key: KeyId,
) -> Result<Option<LineageFile>, ServiceError> {
    let Some(Stored { root, files, .. }) = stored(store, key)? else { return Ok(None) };
    let lineage = lineage_of(root.clone(), &files);
    if lineage.epochs().next().is_none() {
        return Ok(None);
    }
    let known = store.known_groups()?;
    let recovery = known.into_iter().find(|known| known.group.id() == root.id());
    let root = match recovery.and_then(|known| known.recovery) {
        Some(file) => LineageRoot::Generated(Box::new(file)),
        None => LineageRoot::Group(root),
    };
    let file = LineageFile::of(root, &lineage);
    file.map(Some).map_err(|error| ServiceError::Internal(error.into()))
}

/// What this node's person has done for a plan, by the records of its change. An approval in a
/// store from a backup may have been taken back after it, and is none.
fn word_of(records: &[Record]) -> Option<PersonsWord> {
    let by_rule = |what| Record::is_by_rule(records, what);
    if records.contains(&Record::Accepted) && !by_rule(Decided::Acceptance) {
        return Some(PersonsWord::Accepted);
    }
    let approved = |record: &Record| matches!(record, Record::Approved | Record::ApprovedAgain);
    let last = records.iter().rposition(approved);
    let restored = records.iter().rposition(|record| *record == Record::Restored);
    let stands = last.is_some() && last > restored && !records.contains(&Record::Withdrawn);
    let stands = stands && !by_rule(Decided::Approval);
    stands.then_some(PersonsWord::Approved)
}

/// The place of the host keys of a plan: as good as the share of any epoch that it can make.
pub(super) fn place_of_plan(plan: &Plan) -> EpochOrder {
    EpochOrder::last_of(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_has_decided_is_no_persons_word_until_the_person_decides_as_well() {
        use Record::{Accepted, Approved, ByPerson, ByRule};
        let (approval, acceptance) = (Decided::Approval, Decided::Acceptance);
        for (records, word) in [
            (vec![ByRule(acceptance), Accepted], None),
            (vec![ByRule(acceptance), Accepted, ByPerson(acceptance)], Some(PersonsWord::Accepted)),
            (vec![Approved, ByRule(acceptance), Accepted], Some(PersonsWord::Approved)),
            (vec![ByRule(approval), Approved], None),
            (vec![ByRule(approval), Approved, Accepted], Some(PersonsWord::Accepted)),
            (vec![ByRule(approval), Approved, ByPerson(approval)], Some(PersonsWord::Approved)),
        ] {
            assert_eq!(word_of(&records), word, "{records:?}");
        }
    }

    #[test]
    fn an_approval_is_a_persons_word_until_it_is_taken_back_or_the_store_is_from_a_backup() {
        use Record::{Accepted, Approved, ApprovedAgain, Restored, Withdrawn};
        for (records, word) in [
            (vec![], None),
            (vec![Approved], Some(PersonsWord::Approved)),
            (vec![Approved, Withdrawn], None),
            (vec![Approved, Restored], None),
            (vec![Approved, Restored, ApprovedAgain], Some(PersonsWord::Approved)),
            (vec![Accepted, Restored], Some(PersonsWord::Accepted)),
        ] {
            assert_eq!(word_of(&records), word, "{records:?}");
        }
    }
}
