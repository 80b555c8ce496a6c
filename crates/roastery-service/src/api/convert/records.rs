use bitcoin::hex::DisplayHex as _;
use roastery_store::AuditCut;

use super::{peer_id, texts};
use crate::{AuditCuts, CardAddresses, HeldProof, LoggedShare, Time, approval_text, view};

impl From<HeldProof> for view::Evidence {
    fn from(held: HeldProof) -> Self {
        let HeldProof { id, group, name, proven } = held;
        Self {
            id: id.to_string(),
            group,
            accused: proven.accused.to_u16(),
            name,
            fault: proven.fault.to_string(),
            session: proven.session.to_string(),
        }
    }
}

impl From<LoggedShare> for view::LogEntry {
    fn from(logged: LoggedShare) -> Self {
        let LoggedShare { number, entry, group, summary } = logged;
        Self {
            number,
            time: Time::from_milliseconds(entry.time_ms),
            group: entry.group.to_string(),
            group_name: group,
            session: entry.session.to_string(),
            summary: summary.map(Into::into),
            seat: entry.seat.to_u16(),
            coordinator: entry.coordinator.to_u16(),
            package: entry.package.to_string(),
            messages: entry.messages.iter().map(|bytes| bytes.to_lower_hex_string()).collect(),
            policy: approval_text(&entry.decision),
        }
    }
}

impl From<AuditCut> for view::LogCut {
    fn from(cut: AuditCut) -> Self {
        let AuditCut { first, end, sha256, time_ms } = cut;
        Self {
            first,
            last: end - 1,
            count: end - first,
            sha256: sha256.to_lower_hex_string(),
            time: Time::from_milliseconds(time_ms),
        }
    }
}

impl From<AuditCuts> for view::LogCuts {
    fn from(cuts: AuditCuts) -> Self {
        let AuditCuts { begin, end, kept_since_ms, cuts } = cuts;
        let kept_since = Time::from_milliseconds(kept_since_ms);
        Self { begin, end, kept_since, cuts: cuts.into_iter().map(Into::into).collect() }
    }
}

impl From<CardAddresses> for view::PeerAddresses {
    fn from(card: CardAddresses) -> Self {
        let CardAddresses { peer, name, addresses, skipped, newer, overridden } = card;
        Self {
            peer: peer_id(&peer),
            name: name.to_string(),
            addresses: texts(&addresses),
            skipped: texts(&skipped),
            newer,
            overridden,
        }
    }
}
