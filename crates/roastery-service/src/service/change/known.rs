//! What the store knows of a key.

use std::collections::BTreeMap;

use roastery_frost::change::Certificate;
use roastery_protocol::{
    ChangeTranscriptHash, KeyId,
    change::{ApprovedNumbers, EpochOrder, Parent, Plan, UsedHostKeys, machine::Record},
    group::{Group, Name, PeerId},
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

impl Known {
    /// The place of a group in the order of epochs, as far as it is known here. Of a plan with two
    /// certificates the greater one is kept: what the other one makes is below it.
    pub(super) fn place_of(&self, group: &Group) -> EpochOrder {
        let made = self.plans.iter().find(|kept| kept.plan.id() == group.epoch().plan());
        let Some((made, greatest)) = made.and_then(|kept| Some((kept, kept.certified().max()?)))
        else {
            return EpochOrder::of_root(group);
        };
        if makes(made, group) {
            return greatest;
        }
        EpochOrder::of(&made.plan, ChangeTranscriptHash::from_bytes([0; 32]))
    }
}

/// Whether the certificate that is kept of a plan makes this group.
fn makes(made: &KeptPlan, group: &Group) -> bool {
    let certificate = made.certificate.as_deref().and_then(|bytes| {
        let params = made.plan.params(&made.parent).ok()?;
        Certificate::parse(&params, bytes).ok()
    });
    certificate.is_some_and(|certificate| {
        Parent::of(&made.plan.group(&made.parent, &certificate)) == Parent::of(group)
    })
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
    for kept in store.groups()? {
        used.add_group(&kept.group);
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
pub(super) fn names_of_key(
    store: &Store,
    key: KeyId,
) -> Result<BTreeMap<PeerId, Name>, StoreError> {
    let mut names = BTreeMap::new();
    for kept in store.groups()? {
        let recovery = kept.recovery.filter(|_| kept.group.key_id() == key);
        let Some(file) = recovery else { continue };
        let of_root = kept.group.members().iter().zip(file.invitation().names());
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roastery_frost::change::{Dealing, Transcript};
    use roastery_protocol::{
        change::{
            Terms,
            machine::{Engine, FrostEngine},
        },
        group::{Member, NamedMember},
        keys::HostKey,
    };
    use roastery_testkit::{Fixture, forge::SigningKeyOf, seat};

    use super::*;

    fn host(at: usize) -> HostKey {
        HostKey::new(SigningKeyOf(110).at(at))
    }

    /// A plan of fresh shares for the same three members.
    fn plan(fixture: &Fixture) -> Plan {
        let named = |(at, old): (usize, &Member)| {
            let binding = host(at).bind(&old.identity_key, &old.peer, 0);
            let member = Member { host_key: host(at).public_key(), binding, ..old.clone() };
            NamedMember { name: format!("member {at}").parse().unwrap(), member }
        };
        let expiry = (fixture.now.wall + Duration::from_secs(3600)).as_secs();
        let members = fixture.group.members().iter().enumerate().map(named).collect();
        let terms = Terms { number: 1, threshold: 2, expiry, excluded: Vec::new(), members };
        Plan::new(Parent::of(&fixture.group), terms).unwrap()
    }

    /// The certificate of a plan whose shares these two have dealt.
    fn certificate(fixture: &Fixture, plan: &Plan, dealers: [usize; 2]) -> Certificate {
        let params = plan.params(&fixture.group).unwrap();
        let dealings = dealers.map(|at| {
            let mut engine = FrostEngine::new(Some(fixture.share(seat(at))), None);
            engine.deal(&params, seat(at)).unwrap()
        });
        let dealings: Vec<&Dealing> = dealings.iter().collect();
        let transcript = Transcript::new(&params, &dealings).unwrap();
        let signatures = (0..3)
            .map(|at| FrostEngine::new(None, Some(host(at))).take(&transcript, &dealings).unwrap());
        Certificate::new(transcript.clone(), signatures.collect()).unwrap()
    }

    #[test]
    fn what_the_lower_certificate_of_a_plan_makes_is_below_the_current_epoch() {
        let fixture = Fixture::new(2, 3);
        let plan = plan(&fixture);
        let hash = |one: &Certificate| ChangeTranscriptHash::from_bytes(*one.transcript().hash());
        let mut two = [[0, 1], [1, 2]].map(|dealers| certificate(&fixture, &plan, dealers));
        two.sort_by_key(hash);
        let [lower, greater] = two;
        // Both were there, the greater one alone, or the lower one alone.
        for (records, kept, is_current) in [
            (vec![&lower, &greater], &greater, [false, true]),
            (vec![&greater], &greater, [false, true]),
            (vec![&lower], &lower, [true, false]),
        ] {
            let records = records.into_iter().map(|one| Record::Certified(hash(one))).collect();
            let kept = KeptPlan {
                plan: plan.clone(),
                parent: fixture.group.clone(),
                name: "treasury".parse().unwrap(),
                records,
                certificate: Some(kept.to_bytes()),
            };
            let current = kept.certified().max().unwrap();
            let (used, approved) = (UsedHostKeys::default(), ApprovedNumbers::default());
            let known = Known { plans: vec![kept], used, current, approved };
            let places = [&lower, &greater].map(|one| {
                let place = known.place_of(&plan.group(&fixture.group, one));
                assert_eq!((place.epoch(), place.plan()), (1, plan.id()));
                assert!(place <= current);
                place == current
            });
            assert_eq!(places, is_current);
            assert_eq!(known.place_of(&fixture.group), EpochOrder::GENERATED);
        }
    }
}
