//! Cards with fresh host keys, and plans that are shown to this node.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use getrandom::SysRng;
use roastery_frost::SigningKey;
use roastery_libp2p::TransportKey;
use roastery_node::driver::ChangePhase;
use roastery_protocol::{
    KeyId,
    change::{Parent, Plan, machine::Record},
    clock::Moment,
    group::{Group, Member, Name, PeerId},
    keys::HostKey,
};
use roastery_store::Store;

use crate::{
    files::{NodeCard, PlanFile},
    own_card,
    service::{
        Service, ServiceError,
        change::{
            known::{known_of, names_of_key},
            running::ChangeService,
            status::ChangeStatus,
        },
        exactly_one,
        groups::naming::name_of_group,
        now_ms,
    },
};

/// The wall clock, for the expiry of a plan. Its deadline is made by the driver's own clocks.
pub(super) fn moment() -> Moment {
    Moment { monotonic: Duration::ZERO, wall: Duration::from_millis(now_ms()) }
}

/// Whether each member is called in the plan what it is called in this key, and no other one is:
/// who compares a fingerprint and reads names must not take one member for another. What other
/// groups call a member does not matter: its card for them may have another name.
fn check_names(
    plan: &Plan,
    parent: &Group,
    names: &BTreeMap<PeerId, Name>,
) -> Result<(), ServiceError> {
    for (member, name) in plan.members().iter().zip(plan.names()) {
        if let Some(known) = names.get(&member.peer).filter(|known| *known != name) {
            let (name, known) = (name.as_str(), known.as_str());
            let reason = format!(
                "the plan calls a member {name:?} that is called {known:?} here: ask for a card with the name \
                 {known:?} (name in its configuration), and a plan with that"
            );
            return Err(ServiceError::Invalid(reason.into()));
        }
        let is_called_so = |other: &Member| {
            let known = names.get(&other.peer);
            known.is_some_and(|known| known.as_str().eq_ignore_ascii_case(name.as_str()))
        };
        let mut others = parent.members().iter().filter(|other| other.peer != member.peer);
        if others.any(is_called_so) {
            let name = name.as_str();
            let reason = format!(
                "the plan calls a member {name:?} and another member of the group is called so here: ask for a \
                 card with another name, and a plan with that"
            );
            return Err(ServiceError::Invalid(reason.into()));
        }
    }
    Ok(())
}

/// A plan that has expired here.
fn expired() -> ServiceError {
    let reason = "the plan has expired here, and is not taken up again: make one with the next number, and with \
                  fresh cards of those that have accepted it";
    ServiceError::Conflict(reason.into())
}

impl Service {
    /// A card of this node with a fresh host key for each of so many seats, for one plan. The host
    /// keys are in the store before the card leaves. Without a number it has as many seats as the
    /// node holds in its groups, or as it was made with if it is in none.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if a card cannot have so many seats, or without a number where the
    /// node holds one number of seats in one group and another one in another.
    pub async fn change_card(&self, seats: Option<usize>) -> Result<NodeCard, ServiceError> {
        let seats = match seats {
            Some(seats) => seats,
            None => self.usual_seats()?,
        };
        if !(1..=self.identities.len()).contains(&seats) {
            let reason = format!("{seats} seats: a card has 1 to {}", self.identities.len());
            return Err(ServiceError::Invalid(reason.into()));
        }
        let mut members = Vec::with_capacity(seats);
        for identity in &self.identities[..seats] {
            let key = SigningKey::generate(&mut SysRng)
                .map_err(|_| ServiceError::Internal("the system gave no randomness".into()))?;
            let keeping = SigningKey::from_bytes(key.expose_bytes())
                .map_err(|error| ServiceError::Internal(error.into()))?;
            self.shared.store(move |store| store.keep_host_key(&keeping)).await?;
            let member = own_card::member(&HostKey::new(key), identity, self.peer.clone());
            members.push((member, &**identity));
        }
        let keys = self.shared.store(|store| store.keys()).await?;
        let keys = keys.ok_or_else(|| ServiceError::Internal("the store has no keys".into()))?;
        let transport = TransportKey::from_secret(&mut keys.transport.expose_bytes());
        let announced = &self.config.transport.announce;
        let whereabouts = transport.whereabouts(now_ms(), announced);
        let whereabouts = whereabouts.map_err(|error| ServiceError::Invalid(error.into()))?;
        Ok(NodeCard::sign(self.config.name.clone(), members, whereabouts, &transport))
    }

    /// How many seats this node holds in the newest epoch of each of its keys, or was made with if
    /// it is in no group.
    fn usual_seats(&self) -> Result<usize, ServiceError> {
        let mut newest: BTreeMap<KeyId, Arc<Group>> = BTreeMap::new();
        for group in self.groups() {
            let known = newest.entry(group.group.key_id()).or_insert_with(|| group.group.clone());
            if known.epoch().number() < group.group.epoch().number() {
                *known = group.group.clone();
            }
        }
        let own = |group: &Arc<Group>| {
            group.members().iter().filter(|member| member.peer == self.peer).count()
        };
        let held: BTreeSet<usize> = newest.values().map(own).filter(|seats| *seats > 0).collect();
        match (held.first(), held.len()) {
            (None, _) => Ok(self.seats),
            (Some(seats), 1) => Ok(*seats),
            (Some(_), _) => {
                let reason = "this node does not hold as many seats in one group as in another: say how many the \
                              card is to have (--seats)";
                Err(ServiceError::Invalid(reason.into()))
            }
        }
    }

    /// Takes up a plan from its file: keeps it, and opens its change. Nothing is said to others
    /// before this node approves or accepts.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if the file is no plan, or one that this node cannot take part in,
    /// the name in it could be taken for an id, or it calls a member
    /// otherwise than this node does: the reason says why.
    pub async fn take_up_plan(self: &Arc<Self>, text: &str) -> Result<ChangeStatus, ServiceError> {
        let _joining = self.joining.lock().await;
        let file = PlanFile::parse(text).map_err(|error| ServiceError::Invalid(error.into()))?;
        let plan = file.plan().clone();
        let known = self.lock_changes().get(&plan.id()).cloned();
        if let Some(known) = known {
            if matches!(known.report().phase, ChangePhase::Expired { .. }) {
                return Err(expired());
            }
            self.know_addresses(&file);
            return Ok(self.status_of_change(&known));
        }
        name_of_group(file.name().as_str())?;
        let (parent, name) = self.parent_of(&file);
        let key = plan.parent().key;
        let names = self.shared.store(move |store| names_of_key(store, key)).await?;
        check_names(&plan, &parent, &names)?;
        self.check_plan(&plan, &parent).await?;
        self.check_kept(&plan).await?;
        // One that is refused is not kept: the cards in it may be in another plan.
        self.own_part(&plan, &parent).await?;
        self.know_addresses(&file);
        let id = plan.id();
        // It may have been taken up before, and not have been opened at this start.
        let keep = move |store: &Store| {
            store.keep_plan(&plan, &parent, &name)?;
            store.plan(id)
        };
        let kept = self.shared.store(keep).await?;
        let kept = kept.ok_or_else(|| ServiceError::Internal("the plan is not kept".into()))?;
        self.run_change(kept).await?;
        self.change(&id.to_string())
    }

    /// Whether a plan may be opened by what the store knows of it: one that has expired here stays
    /// expired, whatever the clock says now, and its number must be one that can be approved here,
    /// if this node is a member of the group that it changes.
    async fn check_kept(&self, plan: &Plan) -> Result<(), ServiceError> {
        let asked = plan.clone();
        let known = self.shared.store(move |store| known_of(store, &asked)).await?;
        let own = known.plans.iter().find(|kept| kept.plan.id() == plan.id());
        if own.is_some_and(|kept| kept.records.contains(&Record::Expired)) {
            return Err(expired());
        }
        let mut numbers = known.approved;
        numbers.approve(plan).map_err(|error| ServiceError::Invalid(error.into()))
    }

    /// The group that a plan changes as this node has it, and its name here; that of the file, if
    /// this node is no member of it.
    fn parent_of(&self, file: &PlanFile) -> (Arc<Group>, Name) {
        let groups = self.groups();
        let own = groups.iter().find(|group| Parent::of(&group.group) == *file.plan().parent());
        let name = own.and_then(|group| group.name.parse().ok());
        let parent = own.map(|group| group.group.clone());
        let parent = parent.unwrap_or_else(|| file.parent().clone());
        (parent, name.unwrap_or_else(|| file.name().clone()))
    }

    /// Whether this node can take part in a plan.
    pub(super) async fn check_plan(&self, plan: &Plan, parent: &Group) -> Result<(), ServiceError> {
        let key = plan.parent().key;
        let newer = self.groups().into_iter().find(|group| {
            group.group.key_id() == key && group.group.epoch().number() > parent.epoch().number()
        });
        if let Some(newer) = newer {
            let (planned, epoch) = (parent.epoch().number(), newer.group.epoch().number());
            let reason = format!(
                "the plan changes epoch {planned} of the group; this node is in epoch {epoch}: make a plan of that"
            );
            return Err(ServiceError::Conflict(reason.into()));
        }
        let asked = plan.clone();
        let known = self.shared.store(move |store| known_of(store, &asked)).await?;
        if self.place_of(parent) < known.current.max(self.current_of(plan.parent().key)) {
            let reason = "the plan is superseded: another epoch of the group than the one that it changes is the \
                          current one here; make a plan of that";
            return Err(ServiceError::Conflict(reason.into()));
        }
        let checked = plan.check(parent, &known.used, moment());
        checked.map(drop).map_err(|error| ServiceError::Invalid(error.into()))
    }

    /// Learns the addresses of the new members. Their names are known with the epoch.
    fn know_addresses(&self, file: &PlanFile) {
        for card in file.cards().iter().filter(|card| *card.peer() != self.peer) {
            if let Err(error) = self.learn(card.whereabouts()) {
                let name = card.name();
                tracing::error!(%name, %error, "the addresses of a member could not be kept");
            }
            self.reach(card.peer().clone());
        }
    }

    /// The changes that this node has taken up.
    pub fn changes(&self) -> Vec<ChangeStatus> {
        let changes: Vec<_> = self.lock_changes().values().cloned().collect();
        changes.iter().map(|change| self.status_of_change(change)).collect()
    }

    /// A change, by the id of its plan or the first 8 digits of it or more.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`] and [`ServiceError::Ambiguous`].
    pub fn change(&self, id: &str) -> Result<ChangeStatus, ServiceError> {
        Ok(self.status_of_change(&*self.find_change(id)?))
    }

    pub(super) fn find_change(&self, id: &str) -> Result<Arc<ChangeService>, ServiceError> {
        let (changes, digits) = (self.lock_changes(), id.to_ascii_lowercase());
        let meant = changes
            .iter()
            .filter(|(plan, _)| digits.len() >= 8 && plan.to_string().starts_with(&digits))
            .map(|(_, change)| change.clone());
        exactly_one("change", id, meant)
    }
}
