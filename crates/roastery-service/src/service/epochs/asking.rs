//! Whether a host key may be destroyed.

use roastery_frost::Point;
use roastery_protocol::{
    KeyId,
    change::{EpochOrder, machine::Record},
    group::Member,
};

use crate::service::{Service, ServiceError, epochs::known::place_of_plan};

/// Whether a host key may be destroyed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKeyVerdict {
    /// Whether it may.
    pub may_be_destroyed: bool,
    /// The reasons, each in a line.
    pub reasons: Vec<String>,
}

impl Service {
    /// Whether the host key with this public key may be destroyed: only if it is the one of a group
    /// that is known here, and this node has erased its shares of each epoch that the host key
    /// gives a share of. In doubt it is to be kept.
    ///
    /// # Errors
    ///
    /// An error of the store.
    pub async fn check_host_key(&self, host: Point) -> Result<HostKeyVerdict, ServiceError> {
        let has = move |members: &[Member]| members.iter().any(|one| one.host_key == host);
        let read = move |store: &roastery_store::Store| {
            Ok((store.known_groups()?, store.plans()?, store.keygens()?))
        };
        let (groups, plans, keygens) = self.shared.store(read).await?;
        let (mut reasons, mut keep) = (Vec::new(), false);
        let is_others = |members: &[Member]| {
            members.iter().any(|one| one.host_key == host && one.peer != self.peer)
        };
        if groups.iter().any(|known| is_others(known.group.members()))
            || plans.iter().any(|kept| is_others(kept.plan.members()))
        {
            keep = true;
            reasons.push(
                "it is the host key of another node, which may have shares that are not known here: ask that node"
                    .to_owned(),
            );
        }
        let under_way = keygens.iter().any(|kept| has(kept.invitation.members()));
        if under_way {
            keep = true;
            reasons.push("a key generation that is under way needs it".to_owned());
        }
        for known in groups.iter().filter(|known| has(known.group.members())) {
            let (group, epoch) = (&known.group, known.group.epoch().number());
            let name = self.name_of_key(group.key_id());
            if known.erased {
                reasons.push(format!("{name}: the share of epoch {epoch} is erased here"));
            } else {
                keep = true;
                reasons.push(format!("{name}: it gives the share of epoch {epoch}"));
            }
        }
        for kept in plans.iter().filter(|kept| has(kept.plan.members())) {
            let (plan, key) = (&kept.plan, kept.plan.parent().key);
            let is_here = groups.iter().any(|known| known.group.epoch().plan() == plan.id());
            let is_over = place_of_plan(plan) < self.current_of(key);
            if is_here || (is_over && !kept.records.contains(&Record::Accepted)) {
                continue;
            }
            let erased = is_over && !self.holds(kept.plan.parent().key, place_of_plan(plan));
            let (name, number) = (self.name_of_key(key), plan.number());
            let epoch = plan.epoch();
            if erased {
                reasons.push(format!(
                    "{name}: that of plan number {number} of epoch {epoch} is erased here"
                ));
            } else {
                keep = true;
                reasons.push(format!("{name}: plan number {number} of epoch {epoch} can still take effect, or its share is here"));
            }
        }
        if reasons.is_empty() {
            keep = true;
            reasons.push(
                "it is the host key of no group and no plan that is known here: ask the node whose card had it"
                    .to_owned(),
            );
        }
        Ok(HostKeyVerdict { may_be_destroyed: !keep, reasons })
    }

    /// Whether something that gives the share of this place is in the store.
    fn holds(&self, key: KeyId, place: EpochOrder) -> bool {
        self.key_service(key).is_none_or(|service| service.report().held.contains(&place))
    }
}
