use roastery_protocol::pairing::Checked;

use super::texts;
use crate::{
    PairingPhase, PairingStatus,
    text::visible,
    view::{self, PairingState, WordResult},
};

impl From<PairingStatus> for view::Pairing {
    fn from(status: PairingStatus) -> Self {
        let names: Vec<String> = status.members.iter().map(|one| one.name.clone()).collect();
        let name = |seat: roastery_protocol::Seat| names.get(seat.index()).cloned();
        let own = status.own;
        let ended = status.ended.map(|ended| {
            let at = ended.seat.filter(|seat| Some(*seat) != own).and_then(name);
            at.map_or(ended.reason.to_string(), |at| format!("{at}: {}", ended.reason))
        });
        let members = status.members.into_iter().map(|one| view::PairingMember {
            own: own == Some(one.seat),
            line: one.line,
            used: one.used.as_ref().map(|(at, _)| *at),
            from: one.used.and_then(|(_, from)| from),
            entered: one.entered,
            declined: one.declined,
            reached: one.reached,
            revealed: one.revealed,
            right: one.right,
            compared: one.compared.into_iter().filter_map(name).collect(),
            name: one.name,
        });
        Self {
            id: status.id,
            invites: status.invites,
            state: status.phase.into(),
            group: status.group,
            threshold: status.threshold,
            attempt: status.attempt,
            own: own.and_then(name),
            members: members.collect(),
            words: texts(&status.words),
            keygen: status.keygen.map(|keygen| keygen.to_string()),
            ended,
            note: visible(&status.note),
            deadline: status.deadline,
        }
    }
}

impl From<PairingPhase> for PairingState {
    fn from(phase: PairingPhase) -> Self {
        match phase {
            PairingPhase::Calling => Self::Calling,
            PairingPhase::Offered => Self::Offered,
            PairingPhase::Waiting => Self::Waiting,
            PairingPhase::Reaching => Self::Reaching,
            PairingPhase::Comparing => Self::Comparing,
            PairingPhase::Agreed => Self::Agreed,
            PairingPhase::Ended => Self::Ended,
        }
    }
}

impl From<(Checked, PairingStatus)> for view::ComparedWord {
    fn from((checked, status): (Checked, PairingStatus)) -> Self {
        let pairing = status.into();
        let (result, left, near) = match checked {
            Checked::Right { left } => (WordResult::Right, left, Vec::new()),
            Checked::Wrong { tries_left } => (WordResult::Wrong, tries_left, Vec::new()),
            Checked::NotInList { near } => (WordResult::NotInList, 0, texts(&near)),
        };
        Self { result, left, near, pairing }
    }
}
