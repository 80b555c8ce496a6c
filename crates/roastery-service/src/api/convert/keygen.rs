use super::{numbers, texts};
use crate::{
    KeygenPhase, KeygenStatus,
    view::{self, KeygenState},
};

impl From<KeygenStatus> for view::KeygenStatus {
    fn from(status: KeygenStatus) -> Self {
        let KeygenStatus { name, invitation, seats, phase, awaited, now, findings } = status;
        let names = invitation.names();
        let awaited = awaited.iter().map(|one| {
            let name = names.get(usize::from(one.seat.to_u16()));
            view::Awaited {
                seat: one.seat.to_u16(),
                name: name.map(ToString::to_string).unwrap_or_default(),
                thing: one.thing.to_string(),
                seconds: now.saturating_sub(one.since).as_secs(),
            }
        });
        let (state, text, group) = match phase {
            KeygenPhase::Joined => {
                let text = "the fingerprint is to be compared".to_owned();
                (KeygenState::Joined, text, None)
            }
            KeygenPhase::Running => (KeygenState::Running, String::new(), None),
            KeygenPhase::Done(group) => (KeygenState::Done, String::new(), Some(group)),
            KeygenPhase::Known(group) => {
                let text = "the group is here; where its members are is known now".to_owned();
                (KeygenState::Done, text, Some(group))
            }
            KeygenPhase::Ended(reason) => (KeygenState::Ended, reason.to_string(), None),
            KeygenPhase::Failed(why) => (KeygenState::Failed, why, None),
            KeygenPhase::NotStarted(group, why) => (KeygenState::Failed, why, Some(group)),
        };
        Self {
            name: name.to_string(),
            keygen: invitation.id().to_string(),
            fingerprint: invitation.fingerprint().to_string(),
            seats: numbers(&seats),
            threshold: invitation.threshold(),
            members: texts(names),
            state,
            text,
            group: group.map(|group| group.to_string()),
            awaited: awaited.collect(),
            findings: texts(&findings),
        }
    }
}
