use super::texts;
use crate::{
    OwnReturnStatus, ReturnLineStatus, Returned, ReturnsStatus, Time, text::visible, view,
};

impl From<ReturnsStatus> for view::Returns {
    fn from(status: ReturnsStatus) -> Self {
        let lines = status.lines.into_iter().map(Into::into).collect();
        Self { lines, own: status.own.map(Into::into) }
    }
}

impl From<ReturnLineStatus> for view::ReturnLine {
    fn from(status: ReturnLineStatus) -> Self {
        let (used, from) = status.used.unzip();
        Self {
            id: status.id,
            group: status.group,
            member: status.member,
            line: status.line,
            used,
            from: from.flatten(),
            returned: status.returned_ms.map(Time::from_milliseconds),
            cancelled: status.cancelled,
            deadline: status.deadline,
        }
    }
}

impl From<OwnReturnStatus> for view::OwnReturn {
    fn from(status: OwnReturnStatus) -> Self {
        Self {
            group: status.group,
            threshold: status.threshold,
            members: texts(&status.members),
            member: status.member,
            through: status.through,
            label: status.label.map(|label| label.to_string()),
            copies: texts(&status.copies),
            ended: status.ended,
            note: visible(&status.note),
        }
    }
}

impl From<Returned> for view::Returned {
    fn from(returned: Returned) -> Self {
        let Returned { group, member, taken, altered } = returned;
        Self { group, member, taken, altered }
    }
}
