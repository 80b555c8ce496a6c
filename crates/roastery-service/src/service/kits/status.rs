//! How this node's kits are.

use std::sync::Arc;

use roastery_protocol::{group::PeerId, kit::KitLabel};

use crate::service::{Service, ServiceError, group::service::GroupService, kits::making::OwnSeat};

/// The kit of this node's seat in a group that was founded by lines.
#[derive(Clone, Debug)]
pub struct KitStatus {
    /// The group's name here.
    pub group: String,
    /// The number of the epoch.
    pub epoch: u32,
    /// The label on the paper.
    pub label: KitLabel,
    /// Whether the host key is still in the store of this node.
    pub host_key_here: bool,
    /// Whether there is a kit.
    pub made: bool,
    /// Whether words of its paper were typed back.
    pub confirmed: bool,
    /// How many seats of others must keep it before the host key leaves.
    pub needed: usize,
    /// The other members, by seat.
    pub holders: Vec<KitHolder>,
}

/// A member that keeps a kit, or is to.
#[derive(Clone, Debug)]
pub struct KitHolder {
    /// Its name.
    pub name: String,
    /// When it has last shown that it has the kit, in milliseconds since 1970.
    pub held_ms: Option<u64>,
    /// Whether its own kit is kept here.
    pub kept_here: bool,
}

impl Service {
    /// The kits of this node, by the groups' names.
    ///
    /// # Errors
    ///
    /// An error of the store.
    pub async fn kits(&self) -> Result<Vec<KitStatus>, ServiceError> {
        let groups: Vec<Arc<GroupService>> = self.lock_groups().values().cloned().collect();
        let read = |store: &roastery_store::Store| Ok((store.own_kits()?, store.kept_kits()?));
        let (own, kept) = self.shared.store(read).await?;
        let mut found = Vec::new();
        for group in groups {
            let Some(OwnSeat { seat, host, .. }) = self.seat_with_kit(&group).await? else {
                continue;
            };
            let host_key_here = self.shared.store(move |store| store.has_host_key(&host)).await?;
            let of_group = own.iter().find(|own| own.kit.group() == group.group.id());
            let mut others: Vec<(&PeerId, KitHolder)> = Vec::new();
            let mut seats = 0;
            for (number, member) in group.group.seats().zip(group.group.members()) {
                if number == seat {
                    continue;
                }
                seats += 1;
                if others.iter().any(|(peer, _)| **peer == member.peer) {
                    continue;
                }
                let shown =
                    of_group.and_then(|own| own.held.iter().find(|(held, _)| *held == number));
                let holder = KitHolder {
                    name: self.shared.name_of(&member.peer),
                    held_ms: shown.map(|(_, at)| *at),
                    kept_here: kept.iter().any(|(_, kit)| kit.host() == member.host_key),
                };
                others.push((&member.peer, holder));
            }
            found.push(KitStatus {
                group: group.name.clone(),
                epoch: group.group.epoch().number(),
                label: KitLabel::of(&host),
                host_key_here,
                made: of_group.is_some(),
                confirmed: of_group.is_some_and(|own| own.confirmed),
                needed: group.group.threshold().min(seats),
                holders: others.into_iter().map(|(_, holder)| holder).collect(),
            });
        }
        found.sort_by(|one, other| one.group.cmp(&other.group));
        Ok(found)
    }
}
