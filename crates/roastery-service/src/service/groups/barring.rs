//! The operator bars a member: this node does not sign with it any more.

use std::collections::BTreeSet;

use bitcoin::hex::DisplayHex as _;
use roastery_protocol::group::PeerId;
use roastery_store::KeptBar;

use crate::service::{Service, ServiceError, group::service::GroupService, now_ms};

impl Service {
    /// Bars all seats of a member, named by its name or its peer id: this node neither picks nor
    /// serves them, signs with none of them and takes no proposals of them, now and after each
    /// start. A member that is barred already stays so.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] if there is no such group or member,
    /// [`ServiceError::Conflict`] if several members have the name, or it is this node itself,
    /// [`ServiceError::Store`] if it could not be kept: it is in force all the same, and kept when
    /// the disk works again, but a process that ends before that forgets it.
    pub async fn bar(&self, group: &str, member: &str) -> Result<(), ServiceError> {
        let group = self.find_group(group)?;
        let peer = self.member(&group, member)?;
        if peer == self.peer {
            let reason = format!("{member:?} is this node itself, which cannot be barred here");
            return Err(ServiceError::Conflict(reason.into()));
        }
        let time_ms = now_ms();
        let members = group.group.seats().zip(group.group.members());
        let bars: Vec<KeptBar> = members
            .filter(|(_, member)| member.peer == peer)
            .map(|(seat, _)| KeptBar { seat, time_ms })
            .collect();
        // In force first: a disk that fails keeps no operator from it.
        let id = group.group.id();
        self.shared.bars.add(id, &bars);
        // The group may have been started anew meanwhile.
        let running = self.lock_groups().get(&id).cloned().unwrap_or_else(|| group.clone());
        running.handle.bar(bars.iter().map(|bar| bar.seat).collect()).await;
        let seats: Vec<u16> = bars.iter().map(|bar| bar.seat.to_u16()).collect();
        tracing::warn!(
            group = %group.name, member, ?seats,
            "the operator has barred this member: this node does not sign with it"
        );
        self.shared.store(move |store| store.keep_bars(id, &bars)).await
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
