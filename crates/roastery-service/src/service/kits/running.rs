//! The task of a key that gives this node's kit to the others, and keeps theirs.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use roastery_node::bus::{
    Bus as _, BusEvent, Destination,
    mux::{Channel, Topic},
};
use roastery_protocol::{
    KeyId,
    group::PeerId,
    kit::{Heard, Holders, Kit, KitContent, KitId, KitMessage},
};
use roastery_store::{KeptKit, OwnKit, Store};
use tokio::sync::Notify;

use super::news::{Given, OwnNews, nonce};
use crate::{
    limits::Limit,
    service::{Service, ServiceError, ServiceEvent, now_ms},
};

/// How often it is looked at what is to be sent.
const TURN: Duration = Duration::from_secs(1);

/// The least time between two requests of one member about kits that are answered.
const LEAST_BETWEEN: Duration = Duration::from_millis(250);

impl Service {
    /// Opens the channel of a key's kits, and runs it. If it is open the members are taken into it.
    pub(in crate::service) fn open_kits(
        self: &Arc<Self>,
        key: KeyId,
        members: Vec<PeerId>,
    ) -> Result<(), ServiceError> {
        if self.mux.extend(Topic::Kits(key), members.clone(), None) {
            self.kits.wake_of(key).notify_one();
            return Ok(());
        }
        let channel = self.open_channel(Topic::Kits(key), members)?;
        let (this, wake) = (self.clone(), self.kits.wake_of(key));
        self.shared.finite(format!("the kits of key {key}"), async move {
            this.keep_kits(key, channel, wake).await;
        });
        Ok(())
    }

    async fn keep_kits(self: Arc<Self>, key: KeyId, mut channel: Channel, wake: Arc<Notify>) {
        let mut turn = tokio::time::interval(TURN);
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut own = self.own_kit(key).await;
        let mut news = self.own_news(key).await;
        let mut given = Given::default();
        // Of a member's own kit, and of returns: a node that came back asks both at once.
        let mut answered: BTreeMap<(PeerId, bool), Instant> = BTreeMap::new();
        loop {
            tokio::select! {
                event = channel.receive() => match event {
                    None => return,
                    Some(BusEvent::Connected(peer)) => {
                        if let Some((holders, _)) = &mut own {
                            holders.connected(&peer);
                        }
                        if let Some(news) = &mut news {
                            news.asking.connected(&peer);
                        }
                        for asking in self.kits.collecting().get_mut(&key).into_iter().flatten() {
                            asking.1.connected(&peer);
                        }
                    }
                    Some(BusEvent::Disconnected(peer)) => {
                        answered.retain(|(known, _), _| *known != peer);
                    }
                    Some(BusEvent::Message { from, bytes }) => {
                        let Ok(message) = KitMessage::decode(&bytes) else { continue };
                        let answer = match &message.content {
                            KitContent::Keep { .. }
                            | KitContent::Ask { .. }
                            | KitContent::Give { .. }
                            | KitContent::Returned { .. } => {
                                let now = Instant::now();
                                let kind = (from.clone(), is_of_return(&message.content));
                                let last = answered.insert(kind, now);
                                if last.is_some_and(|last| now - last < LEAST_BETWEEN) {
                                    self.shared.limits.hit(Limit::KitMessages, &from.to_string());
                                    continue;
                                }
                                match message.content {
                                    KitContent::Give { nonce, host } => {
                                        self.give(key, &from, nonce, host, &mut given).await
                                    }
                                    content => self.answer(key, &from, content).await,
                                }
                            }
                            KitContent::Given { nonce, .. } | KitContent::Noted { nonce } => {
                                let nonce = *nonce;
                                match message.content {
                                    KitContent::Given { kits, .. } => {
                                        self.take_given(key, &from, &nonce, kits).await;
                                    }
                                    _ => self.is_noted(&mut news, &from, &nonce).await,
                                }
                                None
                            }
                            KitContent::Held { .. } | KitContent::Lacking { .. } => {
                                if let Some((holders, _)) = &mut own {
                                    self.hear(key, holders, &from, &message.content).await;
                                }
                                None
                            }
                        };
                        if let Some(content) = answer {
                            send(&mut channel, key, from, content);
                        }
                    }
                },
                () = wake.notified() => {
                    own = self.own_kit(key).await;
                }
                _ = turn.tick() => {}
            }
            for (peer, content) in self.copies_due(key) {
                send(&mut channel, key, peer, content);
            }
            for (peer, content) in news.iter_mut().flat_map(OwnNews::due) {
                send(&mut channel, key, peer, content);
            }
            let Some((holders, is_here)) = &mut own else { continue };
            if *is_here && holders.are_enough(now_ms()) {
                *is_here = !self.release(key, holders.kit()).await;
            }
            for (peer, content) in holders.due(now_ms(), *is_here, nonce) {
                send(&mut channel, key, peer, content);
            }
        }
    }

    /// This node's kit of a key, and whether its host key is to leave the store.
    async fn own_kit(&self, key: KeyId) -> Option<(Holders, bool)> {
        let read = move |store: &Store| {
            let own = store.own_kits()?.into_iter().find(|own| own.key == key);
            let Some(OwnKit { kit, confirmed, held, .. }) = own else { return Ok(None) };
            let known = store.known_groups()?;
            let group = known.into_iter().find(|known| known.group.id() == kit.group());
            let is_here = confirmed && store.has_host_key(&kit.host())?;
            Ok(group.map(|known| (kit, held, known.group, is_here)))
        };
        match self.shared.store(read).await {
            Ok(found) => found.map(|(kit, held, group, is_here)| {
                (Holders::new(kit, &group, &self.peer, &held), is_here)
            }),
            Err(error) => {
                tracing::error!(%key, %error, "the kit of this node cannot be read");
                None
            }
        }
    }

    /// What is answered to a member that asks for its kit.
    async fn answer(&self, key: KeyId, from: &PeerId, asked: KitContent) -> Option<KitContent> {
        match asked {
            KitContent::Keep { nonce, kit } => {
                let group = self.lock_groups().get(&kit.group()).cloned()?;
                let member = group.group.member(kit.seat())?;
                let is_its = group.group.key_id() == key
                    && group.group.epoch().number() == kit.epoch()
                    && member.peer == *from
                    && member.host_key == kit.host();
                if !is_its {
                    tracing::warn!(%key, peer = %from, "a kit that is not of its sender's seat is not kept");
                    return None;
                }
                let proof = kit.held(&nonce);
                let seat = kit.seat();
                match self.shared.store(move |store| store.keep_kit(key, &kit)).await {
                    Ok(KeptKit::Refused) => {
                        self.shared.limits.hit(Limit::KitMessages, &from.to_string());
                        Some(KitContent::Lacking { nonce })
                    }
                    Ok(kept) => {
                        if kept == KeptKit::New {
                            let name = self.shared.name_of(from);
                            let text =
                                format!("the sealed kit of {name}, seat {seat}, is kept here");
                            self.tell_of_kit(key, "kit-kept", text);
                        }
                        Some(KitContent::Held { nonce, proof })
                    }
                    Err(error) => {
                        tracing::error!(%error, "the kit of a member is not kept");
                        None
                    }
                }
            }
            KitContent::Ask { nonce, kit } => match self.kept_kit(key, from, kit).await {
                Ok(Some(kept)) => Some(KitContent::Held { nonce, proof: kept.held(&nonce) }),
                Ok(None) => Some(KitContent::Lacking { nonce }),
                Err(error) => {
                    tracing::error!(%error, "the kits of members cannot be read");
                    None
                }
            },
            KitContent::Returned { nonce, seat, through, at_ms } => self
                .note_return(key, from, (seat, through, at_ms))
                .await
                .then_some(KitContent::Noted { nonce }),
            _ => None,
        }
    }

    /// The kit of a member that is kept here under this hash.
    async fn kept_kit(
        &self,
        key: KeyId,
        from: &PeerId,
        id: KitId,
    ) -> Result<Option<Kit>, ServiceError> {
        let groups: Vec<_> = self.lock_groups().values().cloned().collect();
        let of_key = groups.iter().filter(|group| group.group.key_id() == key);
        let members = of_key.flat_map(|group| group.group.members().to_vec());
        let hosts: Vec<_> =
            members.filter(|member| member.peer == *from).map(|member| member.host_key).collect();
        let find = move |store: &Store| {
            for host in &hosts {
                let kits = store.kept_kits_of(host)?;
                if let Some(kit) = kits.into_iter().find(|kit| kit.id() == id) {
                    return Ok(Some(kit));
                }
            }
            Ok(None)
        };
        self.shared.store(find).await
    }

    /// A member has answered about this node's kit.
    async fn hear(&self, key: KeyId, holders: &mut Holders, from: &PeerId, said: &KitContent) {
        let before = holders.held().count();
        let heard = holders.handle(from, said, now_ms());
        // What is as it was is neither written nor told.
        if matches!(heard, Heard::Nothing | Heard::StillLacks) {
            return;
        }
        let (kit, held) = (holders.kit().clone(), holders.held().collect::<Vec<_>>());
        let is_known = heard == Heard::Holds && held.len() == before;
        if let Err(error) =
            self.shared.store(move |store| store.keep_kit_holders(&kit, &held)).await
        {
            tracing::error!(%key, %error, "who keeps the kit of this node is not written down");
        }
        if is_known {
            return;
        }
        let name = self.shared.name_of(from);
        match heard {
            Heard::Holds => {
                self.tell_of_kit(key, "kit-held", format!("{name} keeps the sealed kit"))
            }
            _ => self.tell_of_kit(
                key,
                "kit-lacking",
                format!("{name} lacks the sealed kit, or has another one: it is sent again"),
            ),
        }
    }

    /// The host key leaves the store: its kit was typed back, and enough members keep it. Whether
    /// it has left.
    async fn release(&self, key: KeyId, kit: &Kit) -> bool {
        let leaving = kit.clone();
        match self.shared.store(move |store| store.release_host_key(&leaving)).await {
            Ok(()) => {
                self.tell_of_kit(
                    key,
                    "host-key-gone",
                    "the host key has left this machine".to_owned(),
                );
                true
            }
            Err(error) => {
                tracing::error!(%key, %error, "the host key has not left this machine");
                false
            }
        }
    }

    pub(super) fn tell_of_kit(&self, key: KeyId, kind: &str, text: String) {
        let name = self.name_of_key(key);
        self.shared.tell(ServiceEvent::new(&name, key.to_string(), kind, text));
    }
}

fn send(channel: &mut Channel, key: KeyId, to: PeerId, content: KitContent) {
    // Who is not connected gets it later.
    let _ = channel.send(Destination::Peer(to), &KitMessage { key, content }.encode());
}

/// Whether a message is about a seat that comes back.
fn is_of_return(content: &KitContent) -> bool {
    matches!(content, KitContent::Give { .. } | KitContent::Returned { .. })
}
