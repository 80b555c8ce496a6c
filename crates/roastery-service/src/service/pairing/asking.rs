//! What the operator does with pairings.

use std::{collections::BTreeMap, sync::Arc};

use roastery_libp2p::{line_addresses, peer_of_line};
use roastery_protocol::{
    Seat,
    group::{Name, PeerId},
    pairing::{
        Checked, CompareError, Invite, LEAST_LINE_SECONDS, Line, LineAddress, MOST_LINE_SECONDS,
        Pairing, PairingError, Purpose,
    },
};

use crate::service::{
    Service, ServiceError,
    groups::naming::name_of_group,
    pairing::{
        own::moment,
        running::text_of,
        status::{PairingStatus, status_of},
        under_way::Running,
    },
};

/// The most pairings under way.
const MOST_PAIRINGS: usize = 4;

/// How long lines can be used if nothing is said, in seconds.
const DAY: u32 = 24 * 60 * 60;

/// Why a line that was joined before is not joined again.
const LINE_IS_OVER: &str = "the pairing of this line has ended here, and a line is good for one: ask for a new line (roastery invite --again, or a new roastery invite)";

/// What a node that invites says of the group.
#[derive(Clone, Debug)]
pub struct NewPairing {
    /// The group's name.
    pub group: String,
    /// The other members' names, in the order of their seats.
    pub others: Vec<String>,
    /// How many must sign; more than half if absent.
    pub threshold: Option<u16>,
    /// How long the lines can be used, in minutes: 10 to 10,080; a day if absent.
    pub minutes: Option<u32>,
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> ServiceError {
    ServiceError::Invalid(error.into())
}

fn refused(error: PairingError) -> ServiceError {
    match error {
        PairingError::NotNow(_) | PairingError::Agreed | PairingError::AgreedThere(_) => {
            ServiceError::Conflict(error.into())
        }
        PairingError::Randomness | PairingError::Stored(_) => ServiceError::Internal(error.into()),
        _ => ServiceError::Invalid(error.into()),
    }
}

fn named(text: &str) -> Result<Name, ServiceError> {
    text.parse()
        .map_err(|error| ServiceError::Invalid(format!("the name {text:?}: {error}").into()))
}

impl Service {
    /// Begins a pairing as the node that invites.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] names what is wrong with names, threshold or times;
    /// [`ServiceError::NameTaken`] and [`ServiceError::Conflict`].
    pub async fn invite(self: &Arc<Self>, new: NewPairing) -> Result<PairingStatus, ServiceError> {
        let group = name_of_group(&new.group)?;
        self.check_free(&group, None).await?;
        let others = new.others.iter().map(|name| named(name));
        let mut names = vec![self.config.name.clone()];
        names.extend(others.collect::<Result<Vec<_>, _>>()?);
        let threshold = match new.threshold {
            Some(threshold) => threshold,
            None => u16::try_from(names.len() / 2 + 1).unwrap_or(u16::MAX),
        };
        let seconds = new.minutes.map_or(DAY, |minutes| minutes.saturating_mul(60));
        if !(LEAST_LINE_SECONDS..=MOST_LINE_SECONDS).contains(&seconds) {
            let reason = "lines can be used for 10 minutes to 7 days (10080 minutes)";
            return Err(ServiceError::Invalid(reason.into()));
        }
        let invite = self.invite_of(group, threshold, names, seconds)?;
        let mut all = self.pairings.all.lock().await;
        check_room(&all)?;
        let id = new_id()?;
        let machine = Pairing::invite(&invite, self.own(id).await?, moment());
        self.put(&mut all, id, machine).await
    }

    fn invite_of(
        &self,
        group: Name,
        threshold: u16,
        names: Vec<Name>,
        seconds: u32,
    ) -> Result<Invite, ServiceError> {
        let addresses = self.addresses_for_lines()?;
        let key = self.pairings.key.line_key();
        Ok(Invite { group, threshold, names, key, addresses, seconds })
    }

    /// Where this node is dialled, for a line.
    pub(in crate::service) fn addresses_for_lines(&self) -> Result<Vec<LineAddress>, ServiceError> {
        let addresses = line_addresses(&self.config.transport.announce);
        if addresses.is_empty() {
            let reason = "the others call the node that invites, and this one announces no address: set transport.announce in its configuration and start it again, or have another member invite";
            return Err(ServiceError::NotReady(reason.into()));
        }
        Ok(addresses)
    }

    /// Begins a pairing with a line.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Invalid`] if it is no line, has expired, or is of this node;
    /// [`ServiceError::Conflict`] if another one of the same node is under way, or that of this
    /// line has ended.
    pub async fn join_line(self: &Arc<Self>, text: &str) -> Result<PairingStatus, ServiceError> {
        let line = Line::parse(text).map_err(invalid)?;
        if line.purpose == Purpose::Return {
            return Err(invalid(PairingError::ToReturn));
        }
        let inviter = peer_of_line(&line).ok_or_else(|| {
            ServiceError::Invalid("this line was not made by a node: ask for another one".into())
        })?;
        let mut all = self.pairings.all.lock().await;
        if let Some(status) = self.joined_with(&all, &line, &inviter)? {
            return Ok(status);
        }
        check_room(&all)?;
        let id = new_id()?;
        let machine = Pairing::join(line, inviter, self.own(id).await?, moment());
        self.put(&mut all, id, machine).await
    }

    /// The pairing that goes on with this line, if it was joined before.
    fn joined_with(
        &self,
        all: &BTreeMap<[u8; 8], Running>,
        line: &Line,
        inviter: &PeerId,
    ) -> Result<Option<PairingStatus>, ServiceError> {
        let joined = |running: &Running| {
            running.machine.invited_by().is_some_and(|(known, _)| known == line)
        };
        if let Some((id, running)) = all.iter().find(|(_, running)| joined(running)) {
            // A further pairing of this line would begin at its first attempt again.
            return match self.is_over(&running.machine) {
                true => Err(ServiceError::Conflict(LINE_IS_OVER.into())),
                false => Ok(Some(status_of(*id, running))),
            };
        }
        // Messages do not name their pairing.
        let mut under_way = all.values().filter(|running| !self.is_over(&running.machine));
        match under_way.find(|running| running.has(inviter)) {
            Some(running) => Err(ServiceError::Conflict(with_same_peer(running).into())),
            None => Ok(None),
        }
    }

    async fn put(
        self: &Arc<Self>,
        all: &mut BTreeMap<[u8; 8], Running>,
        id: [u8; 8],
        machine: Result<Pairing, PairingError>,
    ) -> Result<PairingStatus, ServiceError> {
        let machine = match machine {
            Ok(machine) => machine,
            Err(error) => {
                self.forget_host_key_of(id).await;
                return Err(refused(error));
            }
        };
        let mut running = Running::new(machine);
        running.take_streams(all.values(), moment());
        all.insert(id, running);
        self.follow(all).await;
        all.get(&id).map(|running| status_of(id, running)).ok_or_else(|| unknown(&text_of(id)))
    }

    /// The operator takes part in what a line offers.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NameTaken`] if another group has the name here; [`ServiceError::Conflict`]
    /// without an offer.
    pub async fn accept_pairing(self: &Arc<Self>, id: &str) -> Result<PairingStatus, ServiceError> {
        let group = {
            let mut all = self.pairings.all.lock().await;
            let (_, running) = find(&mut all, id)?;
            running.machine.terms().map(|terms| terms.group.clone())
        };
        if let Some(group) = group {
            self.check_free(&name_of_group(group.as_str())?, None).await?;
        }
        self.act_on(id, |machine| machine.accept(moment())).await
    }

    /// The operator does not take part.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub async fn decline_pairing(
        self: &Arc<Self>,
        id: &str,
    ) -> Result<PairingStatus, ServiceError> {
        self.act_on(id, |machine| {
            machine.decline(moment());
            Ok(())
        })
        .await
    }

    /// The operator ends a pairing: nothing is made.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] once its key generation has begun.
    pub async fn cancel_pairing(self: &Arc<Self>, id: &str) -> Result<PairingStatus, ServiceError> {
        self.act_on(id, |machine| machine.cancel(moment())).await
    }

    /// The operator states that each of the others has said that this node's words were right.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] while words of another member are
    /// missing here.
    pub async fn confirm_pairing(
        self: &Arc<Self>,
        id: &str,
    ) -> Result<PairingStatus, ServiceError> {
        self.act_on(id, |machine| machine.confirm(moment())).await
    }

    /// At the inviter: a new line for a member, or a further attempt of all.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Conflict`] if there is no further attempt.
    pub async fn pair_again(
        self: &Arc<Self>,
        id: &str,
        member: Option<&str>,
    ) -> Result<PairingStatus, ServiceError> {
        let (invite, seat) = {
            let mut all = self.pairings.all.lock().await;
            let (_, running) = find(&mut all, id)?;
            let terms = running.machine.terms().cloned();
            let terms =
                terms.ok_or_else(|| ServiceError::Conflict("there is no offer yet".into()))?;
            let seat = member.map(|member| seat_of(running, member)).transpose()?;
            (self.invite_of(terms.group, terms.threshold, terms.names, DAY)?, seat)
        };
        self.act_on(id, |machine| match seat {
            Some(seat) => machine.again(seat, &invite, moment()),
            None => machine.attempt_again(moment()),
        })
        .await
    }

    /// Compares a word that the operator has heard of a member, and has typed in this attempt.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Conflict`] if no word is taken, or another attempt has begun meanwhile: then
    /// it is no try.
    pub async fn compare_word(
        self: &Arc<Self>,
        id: &str,
        attempt: u8,
        member: &str,
        word: &str,
    ) -> Result<(Checked, PairingStatus), ServiceError> {
        let mut all = self.pairings.all.lock().await;
        let (id, running) = find(&mut all, id)?;
        let seat = seat_of(running, member)?;
        check_attempt(attempt, running.machine.attempt())?;
        let said = running.machine.compare(seat, word, moment());
        let said = said.map_err(|error: CompareError| ServiceError::Conflict(error.into()))?;
        self.follow(&mut all).await;
        let running = all.get(&id).ok_or_else(|| unknown(&text_of(id)))?;
        Ok((said, status_of(id, running)))
    }

    /// A pairing by its id.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub async fn pairing(&self, id: &str) -> Result<PairingStatus, ServiceError> {
        let mut all = self.pairings.all.lock().await;
        let (id, running) = find(&mut all, id)?;
        Ok(status_of(id, running))
    }

    async fn act_on(
        self: &Arc<Self>,
        id: &str,
        act: impl FnOnce(&mut Pairing) -> Result<(), PairingError>,
    ) -> Result<PairingStatus, ServiceError> {
        let mut all = self.pairings.all.lock().await;
        let (id, running) = find(&mut all, id)?;
        act(&mut running.machine).map_err(refused)?;
        self.follow(&mut all).await;
        all.get(&id).map(|running| status_of(id, running)).ok_or_else(|| unknown(&text_of(id)))
    }
}

fn new_id() -> Result<[u8; 8], ServiceError> {
    let mut id = [0; 8];
    let drawn = getrandom::fill(&mut id);
    drawn.map_err(|error| ServiceError::Internal(error.to_string().into()))?;
    Ok(id)
}

fn check_attempt(typed: u8, now: u8) -> Result<(), ServiceError> {
    match typed == now {
        true => Ok(()),
        false => Err(ServiceError::Conflict(
            format!("this word was typed in attempt {typed}, and attempt {now} has begun: it was not compared; hear and type the new words")
                .into(),
        )),
    }
}

fn unknown(id: &str) -> ServiceError {
    ServiceError::NotFound { what: "pairing", name: id.to_owned() }
}

fn find<'a>(
    all: &'a mut BTreeMap<[u8; 8], Running>,
    id: &str,
) -> Result<([u8; 8], &'a mut Running), ServiceError> {
    let found = all.iter_mut().find(|(known, _)| text_of(**known) == id);
    found.map(|(known, running)| (*known, running)).ok_or_else(|| unknown(id))
}

fn seat_of(running: &Running, member: &str) -> Result<Seat, ServiceError> {
    let terms = running.machine.terms();
    let called = |seat: &Seat| {
        let name = terms.and_then(|terms| terms.name(*seat));
        name.is_some_and(|name| name.as_str().eq_ignore_ascii_case(member))
    };
    let mut seats = terms.into_iter().flat_map(|terms| terms.seats());
    let name = member.to_owned();
    seats.find(called).ok_or(ServiceError::NotFound { what: "member", name })
}

fn with_same_peer(running: &Running) -> String {
    let group = running.machine.terms().map(|terms| format!(", {},", terms.group));
    let group = group.unwrap_or_default();
    let command = match running.machine.invited_by() {
        Some(_) => "roastery join",
        None => "roastery invite",
    };
    format!(
        "another pairing{group} with the node that this line names is not finished here, and one is allowed at a time: {command} goes on with it, and {command} --cancel ends it; then give this line again"
    )
}

fn check_room(all: &BTreeMap<[u8; 8], Running>) -> Result<(), ServiceError> {
    let under_way = all
        .values()
        .filter(|running| running.machine.ended().is_none() && running.machine.agreed().is_none());
    match under_way.count() < MOST_PAIRINGS {
        true => Ok(()),
        false => Err(ServiceError::Conflict(
            "four pairings are under way: roastery invite and roastery join show them, --cancel ends one"
                .into(),
        )),
    }
}
