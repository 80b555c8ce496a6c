//! The messages of returns: what arrives, what leaves, and what follows.

use std::{sync::Arc, time::Duration};

use roastery_libp2p::{PairEvent, PeerKeys, addresses_of_line};
use roastery_protocol::{
    GroupId, KeyId, Seat,
    group::PeerId,
    kit::Kit,
    pairing::{Frame, MAX_HELLO, Told},
    returning::{Copies, Proven, ReturnFrame, SeatOffer},
};

use super::{
    here::{FIRST_CALL, OpenLine, Returns},
    inviting::text_of,
};
use crate::{
    limits::Limit,
    service::{
        Service, ServiceError, ServiceEvent, group::service::GroupService, now, now_ms,
        pairing::own::moment,
    },
};

/// The longest pause between two calls.
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// The pause before a Hello that brought no seat is said again.
const HELLO: Duration = Duration::from_secs(5);

/// The least time between two answers to the node that has used a line: they are long.
const BETWEEN_ANSWERS: Duration = Duration::from_secs(2);

impl Service {
    /// Takes up the lines to return that could still be used; those that are over are forgotten.
    pub(in crate::service) async fn resume_returns(&self) -> Result<(), ServiceError> {
        for (id, line) in self.shared.store(|store| store.return_lines()).await? {
            if u64::from(line.line.expiry) <= now() {
                self.shared.store(move |store| store.forget_return_line(id)).await?;
                continue;
            }
            self.returns.lock().await.lines.insert(id, OpenLine::new(line));
        }
        Ok(())
    }

    /// Calls the node that has made this node's line, and says Hello again. Whether nodes that this
    /// one does not know may come.
    pub(in crate::service) async fn turn_returns(self: &Arc<Self>) -> bool {
        let mut returns = self.returns.lock().await;
        let now = moment().monotonic;
        if let Some(own) = returns.own.as_mut().filter(|own| own.given.end().is_none()) {
            if own.is_here {
                if own.given.offer().is_none() && own.next_hello <= now {
                    own.next_hello = now + HELLO;
                    let hello = Frame::Hello(own.line.hello(&self.peer, &own.inviter)).encode();
                    self.pairings.calls.send(&own.inviter, hello);
                }
            } else if own.next_call <= now {
                own.next_call = now + own.pause;
                own.pause = (2 * own.pause).min(LONGEST_CALL);
                let (peer, addresses) = (own.inviter.clone(), addresses_of_line(&own.line));
                let calls = self.pairings.calls.clone();
                self.shared.finite("a call of a return", async move {
                    calls.call(&peer, addresses).await;
                });
            }
        }
        let open = returns.lines.values().any(|line| line.line.is_open(self::now()));
        self.kits_collect_for(&returns);
        open
    }

    fn kits_collect_for(&self, returns: &Returns) {
        let open = returns.lines.values().filter(|one| one.line.is_open(now()));
        let hosts: Vec<[u8; 33]> = open
            .filter_map(|one| {
                let group = self.lock_groups().get(&one.line.group).cloned()?;
                let member = group.group.member(one.line.seat)?;
                Some(member.host_key.serialize())
            })
            .collect();
        self.kits.collect_only(&hosts);
    }

    /// Takes what has happened on the connections of pairings, if it is about a return.
    pub(in crate::service) async fn handle_return_event(
        self: &Arc<Self>,
        event: &PairEvent,
    ) -> bool {
        let mut returns = self.returns.lock().await;
        let own = returns.own.as_mut();
        match event {
            PairEvent::Connected { peer, called: true, .. } => {
                let Some(own) = own.filter(|own| own.inviter == *peer) else { return false };
                (own.is_here, own.pause, own.next_hello) = (true, FIRST_CALL, Duration::ZERO);
                own.note.clear();
                let hello = Frame::Hello(own.line.hello(&self.peer, peer)).encode();
                own.next_hello = moment().monotonic + HELLO;
                self.pairings.calls.send(peer, hello);
                true
            }
            PairEvent::Connected { peer, called: false, from } => {
                for line in returns.lines.values_mut() {
                    if line.line.used.as_ref().is_some_and(|(used, _)| used == peer) {
                        line.from.clone_from(from);
                    }
                }
                returns.from.insert(peer.clone(), from.clone());
                false
            }
            PairEvent::Disconnected { peer } => {
                returns.from.remove(peer);
                let own = returns.own.as_mut();
                if let Some(own) = own.filter(|own| own.inviter == *peer) {
                    own.is_here = false;
                }
                false
            }
            PairEvent::NotReached { peer, reason } => {
                let Some(own) = own.filter(|own| own.inviter == *peer) else { return false };
                own.note = format!(
                    "the node that has made the line does not answer: {reason}; is it up, and its port open?"
                );
                true
            }
            PairEvent::Message { peer, bytes } => {
                if let Some(own) = own.filter(|own| own.inviter == *peer) {
                    match own.given.handle(bytes.as_bytes(), &PeerKeys) {
                        Ok(()) => own.note.clear(),
                        Err(error) => own.note = error.to_string(),
                    }
                    if own.given.end().is_some() {
                        self.pairings.calls.close(peer);
                    }
                    return true;
                }
                let Ok(Frame::Hello(hello)) = Frame::decode(bytes.as_bytes(), MAX_HELLO) else {
                    return false;
                };
                let from = returns.from.get(peer).cloned().flatten();
                for (id, open) in &mut returns.lines {
                    let mut line = open.line.clone();
                    match line.hello(&hello, peer, &self.peer, now()) {
                        Proven::Nothing => continue,
                        Proven::First => {
                            let (id, kept) = (*id, line.clone());
                            let stored =
                                self.shared.store(move |store| store.keep_return_line(id, &kept));
                            if let Err(error) = stored.await {
                                // It says Hello again.
                                tracing::error!(%error, "that a line was used is not stored");
                                self.pairings.calls.close(peer);
                                return true;
                            }
                            open.line = line;
                            open.from = from;
                            self.pairings.calls.admit(peer);
                            self.tell_line_used(id, open);
                            self.answer_return(open, peer).await;
                        }
                        Proven::Again => {
                            self.pairings.calls.admit(peer);
                            self.answer_return(open, peer).await;
                        }
                        Proven::Ended(end) => {
                            self.pairings.calls.admit(peer);
                            send(self, peer, &ReturnFrame::End(end));
                        }
                    }
                    return true;
                }
                false
            }
        }
    }

    fn tell_line_used(&self, id: [u8; 8], open: &OpenLine) {
        let Some(group) = self.lock_groups().get(&open.line.group).cloned() else { return };
        let member = group.group.member(open.line.seat);
        let name = member.map(|member| self.shared.name_of(&member.peer)).unwrap_or_default();
        let from = open.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
        let text = format!("the line by which {name} returns was used{from}");
        self.shared.tell(ServiceEvent::new(&group.name, text_of(id), "return-line-used", text));
    }

    /// Says all that the node that has used a line is given, and asks the others for their copies.
    async fn answer_return(self: &Arc<Self>, open: &mut OpenLine, to: &PeerId) {
        let now = moment().monotonic;
        if open.answered.is_some_and(|answered| now < answered + BETWEEN_ANSWERS) {
            self.shared.limits.hit(Limit::PairingMessages, &to.to_string());
            return;
        }
        open.answered = Some(now);
        let group = self.lock_groups().get(&open.line.group).cloned();
        let Some((group, file)) =
            group.and_then(|group| Some((group.clone(), group.recovery.clone()?)))
        else {
            return;
        };
        let Some(host) = group.group.member(open.line.seat).map(|member| member.host_key) else {
            return;
        };
        let Some(own) = group.seats.first().copied() else { return };
        let (seat, through, clock) = (open.line.seat, own, now_ms());
        let offer = SeatOffer { seat, through, clock, recovery: file.encode() };
        send(self, to, &ReturnFrame::Seat(Box::new(offer)));
        for member in group.group.members() {
            if let Some(said) = self.addresses_of(&member.peer) {
                send(self, to, &ReturnFrame::Told(said.peer, said.whereabouts));
            }
        }
        match self.shared.store(move |store| store.kept_kits_of(&host)).await {
            Ok(kits) => {
                open.copies.insert(own, kits);
            }
            Err(error) => tracing::error!(%error, "the kits of a member cannot be read"),
        }
        for (holder, kits) in &open.copies {
            send(self, to, &copies(*holder, kits));
        }
        if !std::mem::replace(&mut open.is_collecting, true) {
            self.collect_copies(&group, host.serialize());
        }
    }

    fn collect_copies(&self, group: &GroupService, host: [u8; 33]) {
        let others = group.group.members().iter();
        let others =
            others.filter(|member| member.peer != self.peer && member.host_key.serialize() != host);
        let others = others.map(|member| member.peer.clone());
        self.kits.collect(group.group.key_id(), host, others);
    }

    /// The signed addresses of a member, or of this node.
    fn addresses_of(&self, peer: &PeerId) -> Option<Told> {
        if *peer == self.peer {
            let card = crate::own_card::current(&self.shared.folder, &self.config)?;
            return Some(card.whereabouts().told());
        }
        self.addresses.of(peer).map(|said| said.told())
    }

    /// A member has given its copies of a kit.
    pub(in crate::service) async fn copies_given(
        &self,
        key: KeyId,
        host: [u8; 33],
        from: &PeerId,
        kits: Vec<Kit>,
    ) {
        let mut returns = self.returns.lock().await;
        for open in returns.lines.values_mut().filter(|one| one.line.is_open(now())) {
            let Some(group) = self.lock_groups().get(&open.line.group).cloned() else { continue };
            let is_of =
                |seat| group.group.member(seat).is_some_and(|one| one.host_key.serialize() == host);
            if group.group.key_id() != key || !is_of(open.line.seat) {
                continue;
            }
            let mut seats = group.group.seats().zip(group.group.members());
            let Some((holder, _)) = seats.find(|(_, member)| member.peer == *from) else {
                continue;
            };
            open.copies.insert(holder, kits.clone());
            if let Some((to, _)) = &open.line.used {
                send(self, to, &copies(holder, &kits));
            }
        }
    }

    /// A seat has said that it came back through this node.
    pub(in crate::service) async fn line_has_served(&self, group: GroupId, seat: Seat, at_ms: u64) {
        let mut returns = self.returns.lock().await;
        for (id, open) in &mut returns.lines {
            let line = &mut open.line;
            let is_its = line.group == group && line.seat == seat && line.used.is_some();
            if !is_its || line.returned_ms.is_some() || line.cancelled {
                continue;
            }
            line.returned_ms = Some(at_ms);
            let (id, kept) = (*id, line.clone());
            if let Err(error) =
                self.shared.store(move |store| store.keep_return_line(id, &kept)).await
            {
                tracing::error!(%error, "that a line has served is not stored");
            }
        }
    }
}

fn copies(holder: Seat, kits: &[Kit]) -> ReturnFrame {
    let kits = kits.iter().map(|kit| *kit.as_bytes()).collect();
    ReturnFrame::Copies(Copies { holder, kits })
}

fn send(service: &Service, to: &PeerId, frame: &ReturnFrame) {
    // Who is not connected any more gets it with the next Hello.
    service.pairings.calls.send(to, frame.encode());
}
