//! This node returns: it was just made, and takes the seat of the one that is lost.

use std::{fmt, sync::Arc};

use roastery_libp2p::{Whereabouts, peer_of_line};
use roastery_protocol::{
    Seat,
    group::{Name, PeerId},
    keygen::RecoveryFile,
    kit::{Kit, KitWords},
    pairing::{self, Line, Purpose},
    returning::{Given, KitCopy, ReturnEnd},
};
use roastery_store::{KitSecrets, Store, open_kits};

use super::{here::OwnReturn, status::OwnReturnStatus};
use crate::{
    recovering::{RecoveringError, return_seat},
    service::{Service, ServiceError, now, now_ms},
};

/// What has come back.
pub struct Returned {
    /// The group's name here.
    pub group: String,
    /// The name of the seat.
    pub member: String,
    /// The member whose copy of the kit was taken.
    pub taken: String,
    /// The members whose copies did not open, or are of another seat.
    pub altered: Vec<String>,
}

impl fmt::Debug for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returned").field("group", &self.group).finish_non_exhaustive()
    }
}

/// What was given, as far as it is needed to open a kit.
struct Brought {
    file: RecoveryFile,
    seat: Seat,
    through: Seat,
    copies: Vec<(Seat, Vec<KitCopy>)>,
    names: Vec<Name>,
    whereabouts: Vec<(PeerId, pairing::Whereabouts)>,
}

/// A copy that has opened.
struct Opened {
    holder: Seat,
    kit: Kit,
    secrets: KitSecrets,
    altered: Vec<Seat>,
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> ServiceError {
    ServiceError::Invalid(error.into())
}

impl Service {
    /// Takes a line of another member by which this node's seat returns. Nothing is changed by
    /// that.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if it is no such line; [`ServiceError::Conflict`] if this node was
    /// used already, or returns with another line.
    pub async fn join_to_return(&self, text: &str) -> Result<OwnReturnStatus, ServiceError> {
        let line = Line::parse(text).map_err(invalid)?;
        let other = "this line is one to join a new group, and brings no lost member back";
        let inviter = match line.purpose {
            Purpose::Return => peer_of_line(&line),
            Purpose::Join => return Err(ServiceError::Invalid(other.into())),
        };
        let inviter = inviter.filter(|inviter| *inviter != self.peer).ok_or_else(|| {
            ServiceError::Invalid("this line is of this node itself, or was not made by a node: it is for the new machine".into())
        })?;
        if u64::from(line.expiry) <= now() {
            let reason =
                "the time of the line is over: ask for a new one (roastery invite --return)";
            return Err(ServiceError::Invalid(reason.into()));
        }
        if self.shared.store(Store::is_used).await? || self.seats != 1 {
            return Err(used());
        }
        let mut returns = self.returns.lock().await;
        if let Some(own) =
            returns.own.as_ref().filter(|own| own.given.end().is_none() && !own.is_over())
        {
            if own.line == line {
                return Ok(Self::status_of_own(own));
            }
            let reason = "this node returns with another line already: roastery join goes on with it, and roastery join --cancel ends it; then give this line again";
            return Err(ServiceError::Conflict(reason.into()));
        }
        let own = returns.own.insert(OwnReturn::new(line, inviter));
        Ok(Self::status_of_own(own))
    }

    /// Ends this node's own return. Nothing was changed.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Conflict`] if none is under way.
    pub async fn leave_return(&self) -> Result<(), ServiceError> {
        let own = self.returns.lock().await.own.take();
        let own = own.ok_or_else(none_under_way)?;
        self.pairings.calls.close(&own.inviter);
        Ok(())
    }

    pub(super) fn status_of_own(own: &OwnReturn) -> OwnReturnStatus {
        let given = &own.given;
        let name = |seat| given.name(seat).map(ToString::to_string);
        let offer = given.offer();
        let (file, copies) = (given.file(), given.copies());
        let names = |file: &RecoveryFile| {
            file.invitation().names().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        OwnReturnStatus {
            group: file.map(|file| file.invitation().name().to_owned()),
            threshold: file.map_or(0, |file| file.group().threshold()),
            members: file.map(names).unwrap_or_default(),
            member: offer.and_then(|offer| name(offer.seat)),
            through: offer.and_then(|offer| name(offer.through)),
            label: given.label(),
            copies: copies.keys().filter_map(|seat| name(*seat)).collect(),
            ended: given
                .end()
                .or_else(|| own.is_over().then_some(ReturnEnd::Expired))
                .map(|end| end.to_string()),
            note: own.note.clone(),
        }
    }

    /// Opens a copy of the kit with the ten words, and takes the seat: this node starts again with
    /// the keys of the one that is lost. The words leave it for no other one.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if no copy opens, or what opens does not fit the group; then
    /// nothing is changed.
    pub async fn return_with_words(
        self: &Arc<Self>,
        words: KitWords,
    ) -> Result<Returned, ServiceError> {
        let brought = {
            let returns = self.returns.lock().await;
            let own = returns.own.as_ref().ok_or_else(none_under_way)?;
            brought(&own.given)?
        };
        let _opening = self.kits.one_at_a_time().await;
        let kits: Vec<Kit> =
            brought.copies.iter().flat_map(|(_, of)| sealed(of)).cloned().collect();
        let member = brought.file.group().member(brought.seat);
        let host = member.map(|member| member.host_key).ok_or_else(none_under_way)?;
        let opened = self.shared.store(move |_| open_kits(&host, &kits, &words)).await?;
        let opened = pick(&brought, opened)?;
        let name = |seat: &Seat| {
            brought.names.get(seat.index()).map(ToString::to_string).unwrap_or_default()
        };
        let returned = Returned {
            group: brought.file.invitation().name().to_owned(),
            member: name(&brought.seat),
            taken: name(&opened.holder),
            altered: opened.altered.iter().map(name).collect(),
        };
        let (file, through) = (brought.file.clone(), (brought.through, now_ms()));
        // After a crash the node must be able to use what the store has then: it knows where the
        // others are, which their nodes have signed, and has no card of the keys that go. Without
        // one it makes another at its start.
        self.learn_where(&brought);
        match std::fs::remove_file(self.shared.folder.card()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let reason = format!("the card of the keys that go cannot be removed: {error}");
                return Err(ServiceError::Conflict(reason.into()));
            }
            _ => {}
        }
        let put = move |store: &Store| {
            let kit = (&opened.kit, &opened.secrets);
            Ok(return_seat(store, kit, &file, None, Some(through)))
        };
        self.shared.store(put).await?.map_err(|error| match error {
            RecoveringError::Used => used(),
            RecoveringError::Store(error) => error.into(),
            other => ServiceError::Invalid(other.into()),
        })?;
        self.ask_to_start_again();
        Ok(returned)
    }

    fn learn_where(&self, brought: &Brought) {
        for (peer, said) in &brought.whereabouts {
            let said = said.clone();
            let said =
                Whereabouts::check(peer.clone(), said.sequence, said.addresses, said.signature);
            match said.map(|said| self.learn(&said)) {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::error!(%error, "the addresses of a member could not be kept");
                }
                Err(error) => tracing::warn!(%error, "the addresses of a member are not used"),
            }
        }
    }
}

fn brought(given: &Given) -> Result<Brought, ServiceError> {
    if let Some(end) = given.end() {
        return Err(ServiceError::Conflict(end.into()));
    }
    let (Some(offer), Some(file)) = (given.offer(), given.file()) else {
        let reason = "the node that has made the line has not answered yet: the words are asked for when it has";
        return Err(ServiceError::Conflict(reason.into()));
    };
    Ok(Brought {
        file: file.clone(),
        seat: offer.seat,
        through: offer.through,
        copies: given.copies().iter().map(|(seat, of)| (*seat, of.clone())).collect(),
        names: file.invitation().names().to_vec(),
        whereabouts: given.whereabouts().map(|(peer, said)| (peer.clone(), said.clone())).collect(),
    })
}

fn sealed(copies: &[KitCopy]) -> impl Iterator<Item = &Kit> {
    copies.iter().filter_map(|copy| match copy {
        KitCopy::Sealed(kit) => Some(&**kit),
        KitCopy::Foreign => None,
    })
}

/// The first copy that has opened, and whose did not: of a member that keeps several one is enough,
/// for an older paper has another one.
fn pick(brought: &Brought, opened: Vec<Option<KitSecrets>>) -> Result<Opened, ServiceError> {
    let mut opened = opened.into_iter();
    let (mut found, mut altered) = (None, Vec::new());
    for (holder, copies) in &brought.copies {
        let mut opens = false;
        for kit in sealed(copies) {
            if let Some(secrets) = opened.next().flatten() {
                opens = true;
                found.get_or_insert((*holder, kit.clone(), secrets));
            }
        }
        if !opens && !copies.is_empty() {
            altered.push(*holder);
        }
    }
    if let Some((holder, kit, secrets)) = found {
        return Ok(Opened { holder, kit, secrets, altered });
    }
    let others = brought.names.iter().enumerate().filter(|(at, _)| *at != brought.seat.index());
    let (mut here, mut missing) = (Vec::new(), Vec::new());
    for (at, name) in others {
        let has = |(seat, of): &(Seat, Vec<KitCopy>)| seat.index() == at && !of.is_empty();
        if brought.copies.iter().any(has) { &mut here } else { &mut missing }.push(name.as_str());
    }
    let here = if here.is_empty() { "no member".to_owned() } else { here.join(" and ") };
    let missing = match missing[..] {
        [] => String::new(),
        _ => format!(
            " No copy has come from {} yet: their nodes are asked while they run.",
            missing.join(" and ")
        ),
    };
    let reason = format!(
        "no copy of the kit opens, of {here}: these are not its words, or each copy was altered; read the paper again.{missing}"
    );
    Err(ServiceError::Invalid(reason.into()))
}

fn used() -> ServiceError {
    let reason = "this node has been used for a group, a pairing or a change: a seat returns to a node that roastery setup has just made, with one seat";
    ServiceError::Conflict(reason.into())
}

fn none_under_way() -> ServiceError {
    ServiceError::Conflict(
        "no return of this node is under way: give the line to roastery join".into(),
    )
}
