//! Which seats of the known epochs are this node's, and which peers hold the others.

use std::{collections::BTreeSet, sync::Arc};

use roastery_frost::{Seat, XOnlyPublicKey};

use super::Switch;
use crate::{
    change::{CertifiedEpoch, EpochOrder, Parent},
    clock::Moment,
    group::{Group, Member, PeerId},
    keys::IdentityKey,
};

impl Switch {
    /// The group of an epoch has a newer roster: a member's binding was replaced.
    pub fn rebound(&mut self, group: Arc<Group>) {
        let is_same = |place: &EpochOrder| {
            self.lineage.group(*place).is_some_and(|known| {
                Parent::of(known) == Parent::of(&group)
                    && known.keys().public_shares() == group.keys().public_shares()
            })
        };
        let root = self.lineage.root_order();
        let all = self.lineage.epochs().map(CertifiedEpoch::order).chain([root]);
        if let Some(place) = all.into_iter().find(is_same) {
            self.rosters.insert(place, group);
        }
    }

    /// This node has another identity key, beside those that it has: a newer binding of an own seat
    /// names it.
    pub fn add_identity(&mut self, key: Arc<IdentityKey>, now: Moment) {
        if !self.is_identity(&key.public_key()) {
            self.identities.push(key);
        }
        self.count_own();
        self.progress(now);
    }

    fn is_identity(&self, key: &XOnlyPublicKey) -> bool {
        self.identities.iter().any(|own| own.public_key() == *key)
    }

    /// The roster of this place, with the newest bindings.
    pub(super) fn roster(&self, place: EpochOrder) -> Option<&Arc<Group>> {
        self.rosters.get(&place).or_else(|| self.lineage.group(place))
    }

    /// The seats of this node in a group, with the identity key of each: that of the newest roster.
    pub(super) fn own_seats(&self, place: EpochOrder) -> Vec<(Seat, Arc<IdentityKey>)> {
        let Some(group) = self.roster(place) else { return Vec::new() };
        let own = |seat: Seat| {
            let member = group.member(seat)?;
            let mut keys = self.identities.iter();
            let key = keys.find(|key| key.public_key() == member.identity_key)?;
            Some((seat, key.clone()))
        };
        group.seats().filter_map(own).collect()
    }

    /// The seats of this node in a group: those whose identity key is one of its own, by the newest
    /// roster or by the card. So a newer binding takes no own seat away.
    pub(super) fn own_set(&self, place: EpochOrder) -> BTreeSet<Seat> {
        let rosters = self.roster(place).into_iter().chain(self.lineage.group(place));
        let own = |group: &Arc<Group>| {
            let is_own = |member: &Member| self.is_identity(&member.identity_key);
            let seats = group.seats().zip(group.members());
            let own = seats.filter(|(_, member)| is_own(member)).map(|(seat, _)| seat);
            own.collect::<Vec<_>>()
        };
        rosters.flat_map(own).collect()
    }

    /// Whether this node has a seat in the epoch of this place, also where its identity key there
    /// is not known: it then holds a share or a host key of it.
    pub fn has_seat(&self, place: EpochOrder) -> bool {
        let is_of_plan =
            |held: &EpochOrder| (held.epoch(), held.plan()) == (place.epoch(), place.plan());
        !self.own_set(place).is_empty() || self.held.iter().any(is_of_plan)
    }

    /// The peers of the members of this place, but for this node itself.
    pub(super) fn members_of(&self, place: EpochOrder) -> BTreeSet<PeerId> {
        let Some(group) = self.roster(place) else { return BTreeSet::new() };
        let own = self.own_set(place);
        let others = group.seats().zip(group.members()).filter(|(seat, _)| !own.contains(seat));
        others.map(|(_, member)| member.peer.clone()).collect()
    }
}
