//! The seats of this node.

use std::{collections::BTreeMap, sync::Arc};

use roastery_frost::Seat;

use super::{Change, Engine};
use crate::{
    change::{Party, Role},
    group::PeerId,
    keys::IdentityKey,
};

impl<E: Engine> Change<E> {
    pub(super) fn own_side(&self, role: Role) -> &BTreeMap<Seat, Arc<IdentityKey>> {
        match role {
            Role::Old => &self.fixed.old,
            Role::New => &self.fixed.new,
        }
    }

    /// This node's new seats, ascending.
    pub(super) fn own_new(&self) -> Vec<Seat> {
        self.fixed.new.keys().copied().collect()
    }

    /// This node's old seats, ascending.
    pub(super) fn own_old(&self) -> Vec<Seat> {
        self.fixed.old.keys().copied().collect()
    }

    /// This node's old seats without a stored dealing, ascending.
    pub(super) fn undealt(&self) -> Vec<Seat> {
        self.own_old().into_iter().filter(|seat| !self.has_dealt(*seat)).collect()
    }

    /// Whether the plan excludes this old seat.
    pub(super) fn is_excluded(&self, old: Seat) -> bool {
        self.fixed.plan.excluded().contains(&old)
    }

    /// This node's seats, the old ones first.
    pub(super) fn own_parties(&self) -> Vec<Party> {
        let old = self.own_old().into_iter().map(Party::old);
        old.chain(self.own_new().into_iter().map(Party::new)).collect()
    }

    pub(super) fn is_own(&self, party: Party) -> bool {
        self.own_side(party.role).contains_key(&party.seat)
    }

    pub(super) fn peer_of(&self, party: Party) -> Option<&PeerId> {
        let member = match party.role {
            Role::Old => self.fixed.parent.member(party.seat),
            Role::New => self.fixed.plan.member(party.seat),
        };
        member.map(|member| &member.peer)
    }
}
