//! What the operator does with lines to return that this node makes.

use std::{collections::BTreeMap, sync::Arc};

use roastery_protocol::{
    Seat,
    pairing::{LEAST_LINE_SECONDS, Line, MOST_LINE_SECONDS, Purpose, Secret},
    returning::{MOST_RETURN_LINES, ReturnEnd, ReturnFrame, ReturnLine},
};

use super::{
    here::OpenLine,
    status::{ReturnLineStatus, ReturnsStatus},
};
use crate::service::{
    Service, ServiceError, group::service::GroupService, now, pairing::own::moment,
};

/// How long a line can be used if nothing is said, in seconds.
const DAY: u32 = 24 * 60 * 60;

/// The line by which a member returns.
#[derive(Clone, Debug)]
pub struct NewReturn {
    /// The group's name here or its id; absent if this node has one group with such a member.
    pub group: Option<String>,
    /// The member's name.
    pub member: String,
    /// How long the line can be used, in minutes: 10 to 10,080; a day if absent.
    pub minutes: Option<u32>,
}

impl Service {
    /// Makes a line by which a member returns whose machine is lost. One that was open for the seat
    /// is void.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`]; [`ServiceError::Conflict`] if the group has no kits or was
    /// changed, no kit of the member is here, or too many lines are open.
    pub async fn invite_to_return(
        self: &Arc<Self>,
        new: NewReturn,
    ) -> Result<ReturnLineStatus, ServiceError> {
        let (group, seat) = self.lost_seat(&new)?;
        self.check_kits_of(&group, seat).await?;
        let seconds = new.minutes.map_or(DAY, |minutes| minutes.saturating_mul(60));
        if !(LEAST_LINE_SECONDS..=MOST_LINE_SECONDS).contains(&seconds) {
            let reason = "a line can be used for 10 minutes to 7 days (10080 minutes)";
            return Err(ServiceError::Invalid(reason.into()));
        }
        let addresses = self.addresses_for_lines()?;
        let (id, secret) = draw()?;
        let key = self.pairings.key.line_key();
        let line = Line::new(Purpose::Return, key, secret, (seconds, moment()), &addresses);
        let line = ReturnLine::new(line, group.group.id(), seat);
        let mut returns = self.returns.lock().await;
        let is_same = |known: &OpenLine| {
            known.line.group == line.group && known.line.seat == seat && known.line.is_open(now())
        };
        let same: Vec<_> =
            returns.lines.iter().filter(|(_, known)| is_same(known)).map(|(id, _)| *id).collect();
        let open = returns.lines.values().filter(|known| known.line.is_open(now())).count();
        if open - same.len() >= MOST_RETURN_LINES {
            let reason = "four lines to return are open at this node: roastery invite --return NAME --cancel ends one";
            return Err(ServiceError::Conflict(reason.into()));
        }
        for id in same {
            self.end_line(&mut returns.lines, id).await?;
        }
        let kept = line.clone();
        self.shared.store(move |store| store.keep_return_line(id, &kept)).await?;
        returns.lines.insert(id, OpenLine::new(line));
        let made = returns.lines.get(&id);
        made.map(|made| self.status_of_line(id, made)).ok_or_else(|| unknown(&text_of(id)))
    }

    /// Ends a line to return: it is good for nothing any more.
    ///
    /// # Errors
    ///
    /// [`ServiceError::NotFound`].
    pub async fn cancel_return(&self, id: &str) -> Result<ReturnLineStatus, ServiceError> {
        let mut returns = self.returns.lock().await;
        let mut ids = returns.lines.keys().copied();
        let id = ids.find(|known| text_of(*known) == id).ok_or_else(|| unknown(id))?;
        self.end_line(&mut returns.lines, id).await?;
        let ended = returns.lines.get(&id);
        ended.map(|ended| self.status_of_line(id, ended)).ok_or_else(|| unknown(&text_of(id)))
    }

    async fn end_line(
        &self,
        lines: &mut BTreeMap<[u8; 8], OpenLine>,
        id: [u8; 8],
    ) -> Result<(), ServiceError> {
        let Some(known) = lines.get_mut(&id) else { return Ok(()) };
        let ended = ReturnLine { cancelled: true, ..known.line.clone() };
        let kept = ended.clone();
        self.shared.store(move |store| store.keep_return_line(id, &kept)).await?;
        known.line = ended;
        if let Some((user, _)) = &known.line.used {
            let end = ReturnFrame::End(ReturnEnd::Cancelled);
            self.pairings.calls.send(user, end.encode());
        }
        Ok(())
    }

    /// The returns at this node.
    pub async fn returns(&self) -> ReturnsStatus {
        let returns = self.returns.lock().await;
        let lines = returns.lines.iter().map(|(id, line)| self.status_of_line(*id, line));
        ReturnsStatus { lines: lines.collect(), own: returns.own.as_ref().map(Self::status_of_own) }
    }

    fn status_of_line(&self, id: [u8; 8], open: &OpenLine) -> ReturnLineStatus {
        let line = &open.line;
        let group = self.lock_groups().get(&line.group).cloned();
        let member = group.as_ref().and_then(|group| group.group.member(line.seat));
        ReturnLineStatus {
            id: text_of(id),
            group: group.as_ref().map(|group| group.name.clone()).unwrap_or_default(),
            member: member.map(|member| self.shared.name_of(&member.peer)).unwrap_or_default(),
            line: (line.used.is_none() && line.is_open(now())).then(|| line.line.to_string()),
            used: line.used.as_ref().map(|(_, at)| (*at, open.from.clone())),
            returned_ms: line.returned_ms,
            cancelled: line.cancelled,
            deadline: line.line.expiry.into(),
        }
    }

    /// The group and the seat of the member that is to return.
    fn lost_seat(&self, new: &NewReturn) -> Result<(Arc<GroupService>, Seat), ServiceError> {
        let groups = match &new.group {
            Some(name) => vec![self.find_group(name)?],
            None => self.groups(),
        };
        let mut found = Vec::new();
        for group in groups {
            for (seat, member) in group.group.seats().zip(group.group.members()) {
                let name = self.shared.name_of(&member.peer);
                if member.peer != self.peer && name.eq_ignore_ascii_case(&new.member) {
                    found.push((group.clone(), seat));
                }
            }
        }
        if found.len() > 1 {
            let reason = format!(
                "{} is a member of several groups here, or has several seats: name the group (--group); a member of several seats returns with a backup",
                new.member
            );
            return Err(ServiceError::Conflict(reason.into()));
        }
        let name = new.member.clone();
        found.pop().ok_or(ServiceError::NotFound { what: "member", name })
    }

    /// Kits are of the first epoch of a group that was founded by lines.
    async fn check_kits_of(&self, group: &GroupService, seat: Seat) -> Result<(), ServiceError> {
        let (key, id) = (group.group.key_id(), group.group.id());
        let newer = self.groups();
        let mut of_key = newer.iter().filter(|other| other.group.key_id() == key);
        if group.recovery.is_none() || of_key.any(|other| other.group.id() != id) {
            let reason = "this group was changed, or was not founded by lines: its kits bring nothing back; the member joins with a fresh card (roastery change card)";
            return Err(ServiceError::Conflict(reason.into()));
        }
        let host = group.group.member(seat).map(|member| member.host_key);
        let host = host.ok_or_else(|| ServiceError::Internal("no such seat".into()))?;
        let kept = self.shared.store(move |store| store.kept_kits()).await?;
        // Another member may have the kit that is not here; but of a group without kits none has.
        if kept.iter().any(|(of, kit)| *of == key && (kit.host() == host || kit.group() == id)) {
            return Ok(());
        }
        let reason = "no kit of this group is kept here: the member returns with a backup of its node, or with its host key";
        Err(ServiceError::Conflict(reason.into()))
    }
}

fn draw() -> Result<([u8; 8], Secret<16>), ServiceError> {
    let none = |_| ServiceError::Internal("the system gave no randomness".into());
    let (mut id, mut secret) = ([0; 8], [0; 16]);
    getrandom::fill(&mut id).map_err(none)?;
    getrandom::fill(&mut secret).map_err(none)?;
    Ok((id, Secret::new(secret)))
}

pub(super) fn text_of(id: [u8; 8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unknown(id: &str) -> ServiceError {
    ServiceError::NotFound { what: "line to return", name: id.to_owned() }
}
