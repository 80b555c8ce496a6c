//! A seat comes back at a new machine: the others are asked for their copies of its kit, and are
//! told that it is back.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use roastery_frost::Point;
use roastery_protocol::{
    KeyId, Seat,
    group::{Group, PeerId},
    kit::{Asking, Kit, KitContent},
};
use roastery_store::{Durability, Principal, ReturnNoted, SeatReturn, Store};

use super::making::HostBytes;
use crate::{
    limits::Limit,
    service::{Service, asking::asked, now_ms},
};

/// How often it is written down that a member is given the kits of one host key.
const TOLD_AGAIN: Duration = Duration::from_secs(60 * 60);

/// To whom the kits of which host key were given, and when that was written down.
#[derive(Debug, Default)]
pub(super) struct Given(BTreeMap<(PeerId, HostBytes), Instant>);

/// That this node's seat came back, for those who do not know yet.
pub(super) struct OwnNews {
    pub(super) asking: Asking,
    of: SeatReturn,
    group: Arc<Group>,
}

impl OwnNews {
    /// Who is to be told now.
    pub(super) fn due(&mut self) -> Vec<(PeerId, KitContent)> {
        let SeatReturn { seat, through, at_ms, .. } = self.of;
        let due = self.asking.due(now_ms(), nonce).into_iter();
        due.map(|(peer, nonce)| (peer, KitContent::Returned { nonce, seat, through, at_ms }))
            .collect()
    }
}

impl Service {
    /// What the members are to be told of this node's own return, if it came back.
    pub(super) async fn own_news(&self, key: KeyId) -> Option<OwnNews> {
        let read = move |store: &Store| {
            let own = store.own_kits()?;
            let is_own =
                |one: &SeatReturn| own.iter().any(|own| own.kit.host().serialize() == one.host);
            let of = store.returns()?.into_iter().find(|one| one.key == key && is_own(one));
            let Some(of) = of else { return Ok(None) };
            let known = store.known_groups()?.into_iter().map(|known| known.group);
            let group = known.into_iter().find(|group| {
                group.key_id() == key
                    && group.member(of.seat).is_some_and(|own| own.host_key.serialize() == of.host)
            });
            Ok(group.map(|group| (of, group)))
        };
        let (of, group) = match self.shared.store(read).await {
            Ok(found) => found?,
            Err(error) => {
                tracing::error!(%key, %error, "whom this node has told that it came back cannot be read");
                return None;
            }
        };
        let others = group.seats().zip(group.members());
        let others = others
            .filter(|(seat, member)| member.peer != self.peer && !of.told.contains(seat))
            .map(|(_, member)| member.peer.clone());
        Some(OwnNews { asking: Asking::new(others.collect::<Vec<_>>()), of, group })
    }

    /// A member has written down that this node's seat came back.
    pub(super) async fn is_noted(
        &self,
        news: &mut Option<OwnNews>,
        from: &PeerId,
        nonce: &[u8; 32],
    ) {
        let Some(news) = news.as_mut() else { return };
        if !news.asking.answered(from, nonce) {
            return;
        }
        let mut seats = news.group.seats().zip(news.group.members());
        let Some((to, _)) = seats.find(|(_, member)| member.peer == *from) else { return };
        let host = news.of.host;
        let told = self.shared.store(move |store| store.return_is_told(&host, to)).await;
        if let Err(error) = told {
            tracing::error!(%error, "whom this node has told that it came back is not stored");
        }
    }

    /// Who is to be asked now for copies of a kit.
    pub(super) fn copies_due(&self, key: KeyId) -> Vec<(PeerId, KitContent)> {
        let mut collecting = self.kits.collecting();
        let of_key = collecting.get_mut(&key).into_iter().flatten();
        let due = of_key.flat_map(|(host, asking)| {
            let due = asking.due(now_ms(), nonce).into_iter();
            due.map(|(peer, nonce)| (peer, KitContent::Give { nonce, host: *host }))
        });
        due.collect()
    }

    /// A member gives its copies of a kit.
    pub(super) async fn take_given(
        &self,
        key: KeyId,
        from: &PeerId,
        nonce: &[u8; 32],
        kits: Vec<Kit>,
    ) {
        let host = {
            let mut collecting = self.kits.collecting();
            let of_key = collecting.get_mut(&key).into_iter().flatten();
            let mut answered =
                of_key.filter_map(|(host, asking)| asking.answered(from, nonce).then_some(*host));
            answered.next()
        };
        // What was asked for no more is not taken.
        if let Some(host) = host {
            self.copies_given(key, host, from, kits).await;
        }
    }

    /// A member of the group asks for the copies of another one's kit, for a return: it gets them,
    /// as it has got that kit itself when it was made. That it has asked is written down.
    pub(super) async fn give(
        &self,
        key: KeyId,
        from: &PeerId,
        nonce: [u8; 32],
        host: HostBytes,
        given: &mut Given,
    ) -> Option<KitContent> {
        let groups = self.groups();
        let mut of_key = groups.iter().filter(|group| group.group.key_id() == key);
        let (owner, group) = of_key.find_map(|group| {
            let members = group.group.members();
            let is_member = members.iter().any(|member| member.peer == *from);
            let owner = members.iter().find(|member| member.host_key.serialize() == host);
            owner.filter(|_| is_member).map(|owner| (owner.clone(), group.clone()))
        })?;
        let point = Point::from_slice(&host).ok()?;
        let kits = match self.shared.store(move |store| store.kept_kits_of(&point)).await {
            Ok(kits) => kits,
            Err(error) => {
                tracing::error!(%error, "the kits of a member cannot be read");
                return None;
            }
        };
        // Its own kit brings no member back, and of nothing there is nothing to write down.
        let own = group.group.seats().zip(group.group.members());
        let mut own = own.filter(|(seat, _)| group.seats.contains(seat)).map(|(_, member)| member);
        let is_own = own.any(|member| member.peer == owner.peer);
        let kits = if owner.peer == *from || is_own { Vec::new() } else { kits };
        let told = given.0.get(&(from.clone(), host));
        if !kits.is_empty() && told.is_none_or(|told| told.elapsed() >= TOLD_AGAIN) {
            let (whose, to) = (self.shared.name_of(&owner.peer), self.shared.name_of(from));
            let text = format!("the sealed kit of {whose} was given to {to}, for a return");
            let act = asked(Principal::Node, "kit given", &format!("{}: {text}", group.name));
            let written =
                self.shared.write(Durability::Synced, move |change| change.append_act(&act));
            if let Err(error) = written.await {
                tracing::error!(%error, "a kit is not given: that it is asked for is not written down");
                return None;
            }
            given.0.insert((from.clone(), host), Instant::now());
            self.tell_of_kit(key, "kit-given", text);
        }
        Some(KitContent::Given { nonce, kits })
    }

    /// A member says that its seat came back at a new machine. Whether that is written down.
    pub(super) async fn note_return(
        &self,
        key: KeyId,
        from: &PeerId,
        (seat, through, at_ms): (Seat, Seat, u64),
    ) -> bool {
        let groups = self.groups();
        let of_key = groups.iter().filter(|group| group.group.key_id() == key);
        let found = of_key.filter_map(|group| {
            let member = group.group.member(seat).filter(|member| member.peer == *from)?;
            let other = group.group.member(through).filter(|_| through != seat)?;
            Some((group.clone(), member.clone(), other.clone()))
        });
        let Some((group, member, other)) = found.into_iter().next() else {
            tracing::warn!(%key, peer = %from, "a return that is not of its sender's seat is not noted");
            return false;
        };
        let (name, through_name) = (self.shared.name_of(from), self.shared.name_of(&other.peer));
        let text = format!("{name} came back at a new machine, through {through_name}");
        let act = asked(Principal::Node, "return", &format!("{}: {text}", group.name));
        let (host, noted_ms) = (member.host_key.serialize(), now_ms());
        let news = SeatReturn { host, key, seat, through, at_ms, noted_ms, told: Vec::new() };
        match self.shared.store(move |store| store.note_return(&news, &act)).await {
            Ok(ReturnNoted::TooSoon) => {
                self.shared.limits.hit(Limit::KitMessages, &from.to_string());
                return false;
            }
            Ok(ReturnNoted::New) => self.tell_of_kit(key, "member-returned", text),
            Ok(ReturnNoted::Known) => {}
            Err(error) => {
                tracing::error!(%error, "that a member came back is not written down");
                return false;
            }
        }
        if other.peer == self.peer {
            self.line_has_served(group.group.id(), seat, at_ms).await;
        }
        true
    }
}

pub(super) fn nonce() -> Option<[u8; 32]> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).ok()?;
    Some(nonce)
}
