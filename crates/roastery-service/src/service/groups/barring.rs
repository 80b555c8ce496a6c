//! The operator bars a member: this node does not sign with it any more.

use std::{collections::BTreeSet, sync::Arc};

use bitcoin::hex::DisplayHex as _;
use roastery_protocol::{
    Seat,
    group::{Group, Member, PeerId},
};
use roastery_store::{Durability, KeptBar, Principal, Transaction};

use crate::service::{Service, ServiceError, asking::asked, group::service::GroupService, now_ms};

impl Service {
    /// Bars all seats of a member, named by its name or its peer id: this node neither picks nor
    /// serves them, signs with none of them and takes no proposals of them, now and after each
    /// start, in all epochs of the key, also in those to come. A member that is barred already
    /// stays so.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such group or member,
    /// [`ServiceError::Conflict`] if several members have the name, or it is this node itself,
    /// [`ServiceError::Store`] if it could not be kept: it is in force all the same, and kept when
    /// the disk works again, but a process that ends before that forgets it.
    pub async fn bar(&self, group: &str, member: &str, by: Principal) -> Result<(), ServiceError> {
        let group = self.find_group(group)?;
        let act = asked(by, "bar", &format!("{member} in {}", group.name));
        let peer = self.member(&group, member)?;
        if peer == self.peer {
            let reason = format!("{member:?} is this node itself, which cannot be barred here");
            return Err(ServiceError::Conflict(reason.into()));
        }
        let of_member = group.group.members().iter().filter(|member| member.peer == peer);
        let barred: Vec<Member> = of_member.cloned().collect();
        let (key, time_ms) = (group.group.key_id(), now_ms());
        let epochs: Vec<Arc<GroupService>> =
            self.groups().into_iter().filter(|epoch| epoch.group.key_id() == key).collect();
        let bars = epochs.iter().map(|epoch| {
            let seats = seats_of(&barred, &epoch.group).into_iter();
            (epoch.clone(), seats.map(|seat| KeptBar { seat, time_ms }).collect::<Vec<_>>())
        });
        let bars: Vec<_> = bars.filter(|(_, bars)| !bars.is_empty()).collect();
        // In force first: a disk that fails keeps no operator from it.
        for (epoch, bars) in &bars {
            let id = epoch.group.id();
            self.shared.bars.add(id, bars);
            // The group may have been started anew meanwhile.
            let running = self.lock_groups().get(&id).cloned().unwrap_or_else(|| epoch.clone());
            running.handle.bar(bars.iter().map(|bar| bar.seat).collect()).await;
            let seats: Vec<u16> = bars.iter().map(|bar| bar.seat.to_u16()).collect();
            tracing::warn!(
                group = %epoch.name, epoch = epoch.group.epoch().number(), member, ?seats,
                "the operator has barred this member: this node does not sign with it"
            );
        }
        let keep = move |change: &mut Transaction<'_>| {
            change.append_act(&act)?;
            bars.iter().try_for_each(|(epoch, bars)| change.keep_bars(epoch.group.id(), bars))
        };
        self.shared.write(Durability::Synced, keep).await
    }

    /// The seats of a group that are barred since a member is that holds them in another epoch of
    /// its key: by its identity key or its peer.
    pub(in crate::service) async fn bars_of_epochs(
        &self,
        group: &Group,
    ) -> Result<Vec<KeptBar>, ServiceError> {
        let (key, id) = (group.key_id(), group.id());
        let others = self.shared.store(move |store| {
            let mut others = Vec::new();
            for known in store.known_groups()? {
                if known.group.key_id() == key && known.group.id() != id {
                    let bars = store.bars(known.group.id())?;
                    others.push((known.group, bars));
                }
            }
            Ok(others)
        });
        let mut barred = Vec::new();
        for (other, stored) in others.await? {
            // The disk may have failed to take the others.
            for bar in self.shared.bars.of(other.id()).into_iter().chain(stored) {
                let member: Vec<Member> = other.member(bar.seat).cloned().into_iter().collect();
                let seats = seats_of(&member, group).into_iter();
                barred.extend(seats.map(|seat| KeptBar { seat, ..bar }));
            }
        }
        barred.retain(|bar| group.member(bar.seat).is_some_and(|member| member.peer != self.peer));
        barred.sort_by_key(|bar| bar.time_ms);
        Ok(barred)
    }

    /// The peer of the member with this name or peer id.
    fn member(&self, group: &GroupService, member: &str) -> Result<PeerId, ServiceError> {
        let peers: BTreeSet<&PeerId> =
            group.group.members().iter().map(|member| &member.peer).collect();
        let mut named = peers.into_iter().filter(|peer| {
            self.shared.name_of(peer) == member || peer.as_bytes().to_lower_hex_string() == member
        });
        match (named.next(), named.next()) {
            (Some(peer), None) => Ok(peer.clone()),
            (None, _) => Err(ServiceError::NotFound { what: "member", name: member.to_owned() }),
            (Some(_), Some(_)) => {
                let reason = format!("several members are called {member:?}: say its peer id");
                Err(ServiceError::Conflict(reason.into()))
            }
        }
    }
}

/// The seats of these members in a group: by identity key or peer.
fn seats_of(members: &[Member], group: &Group) -> Vec<Seat> {
    let is_one = |member: &Member| {
        let same =
            |one: &Member| one.identity_key == member.identity_key || one.peer == member.peer;
        members.iter().any(same)
    };
    let seats = group.seats().zip(group.members());
    seats.filter(|(_, member)| is_one(member)).map(|(seat, _)| seat).collect()
}
