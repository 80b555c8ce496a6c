use std::{io, sync::Arc};

use borsh::{BorshDeserialize, BorshSerialize};
use roastery_frost::{
    Point, Seat,
    change::{Certificate, ChangeParams, ChangeParamsError},
};
use thiserror::Error;

use crate::{
    Fingerprint, KeyId, PlanId,
    group::{Epoch, Group, Member, Name, NameError, NamedMember},
    keygen::{InvitationError, check_cards},
    tags::{Tag, VERSION},
    wire,
};

/// The longest plan, in bytes: 128 members with the longest names, 128 old seats excluded.
pub const MAX_PLAN: usize =
    1 + 32 + 36 + 32 + 4 + 4 + 2 + 8 + 4 + 2 * 128 + 4 + 128 * (4 + Name::MAX_LENGTH + 202);

/// The epoch that a plan changes.
///
/// It names the key and not the group id, so that a member's newer binding, which makes another
/// group, leaves a plan what it is. It names the shares, since a plan may come to two certificates,
/// whose epochs differ in nothing else.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Parent {
    /// The key.
    pub key: KeyId,
    /// The key's epoch.
    pub epoch: Epoch,
    /// The hash of threshold and public shares, 32 bytes.
    pub shares: [u8; 32],
}

impl Parent {
    /// The epoch that this group is.
    pub fn of(group: &Group) -> Self {
        let keys = group.keys();
        // A group has at most 128 members, so that both numbers fit.
        let sizes = [keys.threshold() as u16, keys.n() as u16];
        let sizes = sizes.map(u16::to_le_bytes).concat();
        let shares: Vec<u8> = keys.public_shares().iter().flat_map(Point::serialize).collect();
        let shares = Tag::Parent.hash(&[&sizes, &shares]);
        Self { key: group.key_id(), epoch: *group.epoch(), shares }
    }
}

/// What a plan says beside its parent, before it is checked.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Tells plans of one parent apart; a later one has a higher number.
    pub number: u32,
    /// t': how many of the new members must sign.
    pub threshold: usize,
    /// When the plan ends, in seconds since 1970. After it nothing is dealt.
    pub expiry: u64,
    /// The old seats whose dealings do not count, ascending.
    pub excluded: Vec<Seat>,
    /// The new members, by new seat; the host key of each is made for this plan.
    pub members: Vec<NamedMember>,
}

/// A planned change of a group: what all approve, accept and compare before anything is dealt. A
/// value of this type is well-formed in itself.
///
/// Checked when it is made: 2 <= t' <= n' <= 128, names, keys and bindings of the cards as in an
/// [`Invitation`](crate::keygen::Invitation), the epoch is the one after the parent's, and the
/// excluded seats ascend. What depends on a node's state ([`Plan::check`]) is another step. Cloning
/// is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    id: PlanId,
    parent: Parent,
    number: u32,
    threshold: usize,
    expiry: u64,
    excluded: Vec<Seat>,
    names: Vec<Name>,
    members: Vec<Member>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct File {
    version: u8,
    parent: Parent,
    epoch: u32,
    number: u32,
    threshold: u16,
    expiry: u64,
    #[borsh(serialize_with = "wire::put_list", deserialize_with = "wire::take_list")]
    excluded: Vec<Seat>,
    #[borsh(deserialize_with = "wire::take_at_most::<128, _, _>")]
    members: Vec<Line>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Line {
    name: String,
    member: Member,
}

/// Why bytes or values make no plan.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// It is longer than a plan may be.
    #[error("a plan of {length} bytes; at most {MAX_PLAN} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It is of another version.
    #[error("a plan of version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version byte, or 0 if there is none.
        version: u8,
    },
    /// It does not decode.
    #[error("the plan does not decode: {0}")]
    Encoding(#[source] io::Error),
    /// A member's name is not a valid name.
    #[error("the name of member {member}: {source}")]
    MemberName {
        /// The member's position in the list, from 0.
        member: usize,
        /// What is wrong with it.
        source: NameError,
    },
    /// Threshold and cards make no group.
    #[error("{0}")]
    Members(#[source] InvitationError),
    /// The parent is the last epoch that has a number.
    #[error("epoch {} is the last one that a key can have", u32::MAX)]
    LastEpoch,
    /// The epoch is not the one after the parent's.
    #[error("a plan for epoch {epoch} whose parent is epoch {parent}; it must be the one after it")]
    OtherEpoch {
        /// The plan's epoch.
        epoch: u32,
        /// The parent's.
        parent: u32,
    },
    /// The list of excluded seats is not in order, or names one twice.
    #[error("old seat {seat} is excluded after a seat that is not below it")]
    ExcludedOrder {
        /// The first seat out of order.
        seat: Seat,
    },
}

impl Plan {
    /// A plan that changes this epoch.
    ///
    /// # Errors
    ///
    /// [`PlanError`] names the rule that does not hold.
    pub fn new(parent: Parent, terms: Terms) -> Result<Self, PlanError> {
        let Terms { number, threshold, expiry, excluded, members } = terms;
        parent.epoch.number().checked_add(1).ok_or(PlanError::LastEpoch)?;
        if let Some(pair) = excluded.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(PlanError::ExcludedOrder { seat: pair[1] });
        }
        check_cards(threshold, &members).map_err(PlanError::Members)?;
        let (names, members): (Vec<_>, Vec<_>) =
            members.into_iter().map(|named| (named.name, named.member)).unzip();
        let id = PlanId::from_bytes([0; 32]);
        let mut inner = Inner { id, parent, number, threshold, expiry, excluded, names, members };
        inner.id = Self::id_of(&inner.encode());
        Ok(Self(Arc::new(inner)))
    }

    /// Reads a plan and checks that it is well-formed.
    ///
    /// # Errors
    ///
    /// [`PlanError`] names the rule that it breaks.
    pub fn decode(bytes: &[u8]) -> Result<Self, PlanError> {
        if bytes.len() > MAX_PLAN {
            return Err(PlanError::TooLong { length: bytes.len() });
        }
        match bytes.first() {
            Some(&VERSION) => {}
            other => return Err(PlanError::OtherVersion { version: other.copied().unwrap_or(0) }),
        }
        let file: File = wire::decode(bytes).map_err(PlanError::Encoding)?;
        let named = |(member, line): (usize, Line)| {
            let name = line.name.parse();
            let name = name.map_err(|source| PlanError::MemberName { member, source })?;
            Ok(NamedMember { name, member: line.member })
        };
        let members = file.members.into_iter().enumerate().map(named);
        let terms = Terms {
            number: file.number,
            threshold: file.threshold.into(),
            expiry: file.expiry,
            excluded: file.excluded,
            members: members.collect::<Result<_, PlanError>>()?,
        };
        let (epoch, parent) = (file.epoch, file.parent.epoch.number());
        let plan = Self::new(file.parent, terms)?;
        if epoch != plan.epoch() {
            return Err(PlanError::OtherEpoch { epoch, parent });
        }
        Ok(plan)
    }

    /// The id of the plan with these bytes, which are not read.
    pub(super) fn id_of(bytes: &[u8]) -> PlanId {
        PlanId::from_bytes(Tag::Plan.hash(&[bytes]))
    }

    /// The plan's bytes; [`Plan::decode`] reads them.
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode()
    }

    /// The plan id: the hash of its encoding.
    pub fn id(&self) -> PlanId {
        self.0.id
    }

    /// What the members compare, on screen or by voice, before they approve or accept.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.id.as_bytes())
    }

    /// The epoch that it changes.
    pub fn parent(&self) -> &Parent {
        &self.0.parent
    }

    /// The number of the new epoch: the parent's and one.
    pub fn epoch(&self) -> u32 {
        self.0.epoch()
    }

    /// The number that tells it from other plans of its parent.
    pub fn number(&self) -> u32 {
        self.0.number
    }

    /// t': how many of the new members must sign, 2 to n'.
    pub fn threshold(&self) -> usize {
        self.0.threshold
    }

    /// n': the number of new seats, 2 to 128.
    pub fn size(&self) -> usize {
        self.0.members.len()
    }

    /// When it ends, in seconds since 1970.
    pub fn expiry(&self) -> u64 {
        self.0.expiry
    }

    /// The old seats whose dealings do not count, ascending.
    pub fn excluded(&self) -> &[Seat] {
        &self.0.excluded
    }

    /// The new members, by new seat.
    pub fn members(&self) -> &[Member] {
        &self.0.members
    }

    /// The names of the new members, by new seat.
    pub fn names(&self) -> &[Name] {
        &self.0.names
    }

    /// The member of this new seat, if there is one.
    pub fn member(&self, seat: Seat) -> Option<&Member> {
        self.members().get(seat.index())
    }

    /// All new seats in order.
    pub fn seats(&self) -> impl ExactSizeIterator<Item = Seat> + Clone + use<> {
        // A plan has at most 128 members, each of which is a valid seat.
        (0..self.size() as u32).map(|id| Seat::new(id).expect("seats below n' are seats"))
    }

    /// The arithmetic's parameters of a change of this group, which is the plan's parent.
    ///
    /// # Errors
    ///
    /// [`ChangeParamsError`] if the plan does not fit the group.
    pub fn params(&self, parent: &Group) -> Result<ChangeParams, ChangeParamsError> {
        let hosts = self.members().iter().map(|member| member.host_key.serialize()).collect();
        let (id, threshold) = (*self.id().as_bytes(), self.threshold());
        ChangeParams::new(id, parent.keys(), self.excluded(), hosts, threshold)
    }

    /// The group that this certificate of the plan makes of its parent.
    pub fn group(&self, parent: &Group, certificate: &Certificate) -> Group {
        let keys = certificate.transcript().group().clone();
        let (code, members) = (*parent.chain_code(), self.members().to_vec());
        let epoch = Epoch::new(self.epoch(), self.id()).expect("a plan is for an epoch after 0");
        let group = Group::in_epoch(epoch, keys, code, members);
        group.expect("the cards of a plan are the members of a group")
    }

    /// The first new seat with an identity key that the holder of this seat of the parent has in
    /// the parent: it stays with that one, though this seat may be gone. A new seat with its peer
    /// alone is not taken for one of its own: a card can name any peer.
    pub fn successor(&self, old: &Member, parent: &Group) -> Option<Seat> {
        let own = parent.members().iter().filter(|member| member.peer == old.peer);
        let own: Vec<_> = own.map(|member| member.identity_key).collect();
        let mut new = self.seats().zip(self.members());
        new.find(|(_, new)| own.contains(&new.identity_key)).map(|(seat, _)| seat)
    }

    /// Whether the holder of this new seat is a member of the parent: its identity key is in the
    /// parent's roster. Any other joins, whatever its name is.
    pub fn stays(&self, seat: Seat, parent: &Group) -> bool {
        self.member(seat).is_some_and(|member| {
            parent.members().iter().any(|old| old.identity_key == member.identity_key)
        })
    }
}

impl Inner {
    fn epoch(&self) -> u32 {
        self.parent.epoch.number().saturating_add(1)
    }

    fn encode(&self) -> Vec<u8> {
        let line = |(name, member): (&Name, &Member)| Line {
            name: name.as_str().to_owned(),
            member: member.clone(),
        };
        wire::encode(&File {
            version: VERSION,
            parent: self.parent,
            epoch: self.epoch(),
            number: self.number,
            threshold: self.threshold as u16,
            expiry: self.expiry,
            excluded: self.excluded.clone(),
            members: self.names.iter().zip(&self.members).map(line).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::test_plans::*;

    #[test]
    fn a_plan_reads_back_as_it_was_written_and_every_part_makes_it_another_one() {
        let group = group(2, 3);
        let plan = plan(&group, &|_| {});
        let read = Plan::decode(&plan.encode()).unwrap();
        assert_eq!((&read, read.id()), (&plan, plan.id()));
        let changes: [&dyn Fn(&mut Terms); 7] = [
            &|terms| terms.number += 1,
            &|terms| terms.threshold = 3,
            &|terms| terms.expiry += 1,
            &|terms| terms.excluded = vec![seat(1)],
            &|terms| terms.members[0].name = "other".parse().unwrap(),
            &|terms| terms.members[0].member = card(0, 7),
            &|terms| terms.members.swap(0, 1),
        ];
        let mut ids: std::collections::BTreeSet<_> = changes
            .iter()
            .map(|change| super::super::test_plans::plan(&group, change).id())
            .collect();
        ids.insert(plan.id());
        let parent = Parent {
            epoch: Epoch::new(4, PlanId::from_bytes([1; 32])).unwrap(),
            ..Parent::of(&group)
        };
        ids.insert(Plan::new(parent, terms(&group)).unwrap().id());
        assert_eq!(ids.len(), 9);
    }

    #[test]
    fn a_plan_is_for_the_epoch_after_its_parents() {
        let group = group(2, 3);
        let plan = plan(&group, &|_| {});
        assert_eq!(plan.epoch(), 1);
        let mut bytes = plan.encode();
        bytes[1 + 32 + 36 + 32] = 2;
        let refused = Plan::decode(&bytes).unwrap_err();
        assert!(matches!(refused, PlanError::OtherEpoch { epoch: 2, parent: 0 }), "{refused}");
        let last = Epoch::new(u32::MAX, PlanId::from_bytes([1; 32])).unwrap();
        let parent = Parent { epoch: last, ..Parent::of(&group) };
        assert!(matches!(Plan::new(parent, terms(&group)), Err(PlanError::LastEpoch)));
    }

    #[test]
    fn what_makes_no_group_makes_no_plan() {
        let group = group(2, 3);
        let refused = |change: &dyn Fn(&mut Terms)| {
            let mut terms = terms(&group);
            change(&mut terms);
            Plan::new(Parent::of(&group), terms).unwrap_err()
        };
        for threshold in [0, 1, 4] {
            let error = refused(&|terms| terms.threshold = threshold);
            assert!(matches!(error, PlanError::Members(InvitationError::Size { .. })), "{error}");
        }
        let error = refused(&|terms| terms.members[1].member = terms.members[0].member.clone());
        assert!(matches!(error, PlanError::Members(InvitationError::SamePeer { .. })), "{error}");
        let error = refused(&|terms| terms.members[1].member.sequence += 1);
        assert!(matches!(error, PlanError::Members(InvitationError::Members(_))), "{error}");
        for excluded in [vec![seat(1), seat(1)], vec![seat(2), seat(0)]] {
            let error = refused(&|terms| terms.excluded = excluded.clone());
            assert!(matches!(error, PlanError::ExcludedOrder { .. }), "{error}");
        }
    }

    #[test]
    fn the_length_and_the_version_are_looked_at_first() {
        let long = vec![0xff; MAX_PLAN + 1];
        assert!(matches!(Plan::decode(&long), Err(PlanError::TooLong { .. })));
        assert!(matches!(Plan::decode(&long[1..]), Err(PlanError::OtherVersion { version: 255 })));
        assert!(matches!(Plan::decode(&[]), Err(PlanError::OtherVersion { version: 0 })));
        let mut bytes = plan(&group(2, 3), &|_| {}).encode();
        bytes.push(0);
        assert!(matches!(Plan::decode(&bytes), Err(PlanError::Encoding(_))));
    }

    #[test]
    fn a_member_stays_with_a_seat_that_is_left_and_not_by_a_foreign_key_with_its_peer() {
        let group = group(2, 3);
        let old = |at: usize| &group.members()[at];
        let of = |with: &dyn Fn(&mut Terms)| plan(&group, with);
        // Each seat of the parent has another peer: a foreign key that names one is not its own.
        let foreign = of(&|terms| {
            terms.members[2].member = at_peer_of(old(2), 9, 1);
        });
        assert_eq!(foreign.successor(old(0), &group), Some(seat(0)));
        assert_eq!(foreign.successor(old(2), &group), None);
        // With both seats of one member in the parent it stays though one is dropped.
        let mut members = group.members().to_vec();
        members[2] = at_peer_of(&members[0], 2, 0);
        let (keys, code) = ((**group.keys()).clone(), *group.chain_code());
        let several = Group::new(keys, code, members).unwrap();
        let fewer = plan(&several, &|terms| {
            terms.members.pop();
        });
        assert_eq!(fewer.successor(&several.members()[2], &several), Some(seat(0)));
    }

    #[test]
    fn a_member_stays_by_its_identity_key_and_not_by_its_name() {
        let group = group(2, 3);
        let plan = plan(&group, &|terms| {
            let joins = joiner(9);
            terms.members[2] = NamedMember { name: terms.members[2].name.clone(), ..joins };
        });
        let stays: Vec<bool> = plan.seats().map(|seat| plan.stays(seat, &group)).collect();
        assert_eq!(stays, [true, true, false]);
    }
}
