use roastery_protocol::change;
use roastery_store as store;

use crate::{
    EpochsStatus, EraseWish, HostKeyVerdict, KeptCopy, LoggedChange, LowerEpoch, Time, view,
};

impl From<EpochsStatus> for view::Epochs {
    fn from(status: EpochsStatus) -> Self {
        let EpochsStatus { key, name, current, group, members, receipts, .. } = status;
        let holding_of = |seat| {
            let said = receipts.iter().find(|(of, _)| *of == seat);
            said.map(|(_, holding)| (*holding).into())
        };
        let shown = group.seats().zip(&members).map(|(seat, (name, own))| view::EpochMember {
            seat: seat.to_u16(),
            name: if name.is_empty() { format!("seat {seat}") } else { name.clone() },
            own: *own,
            holding: holding_of(seat),
        });
        let is_generated = current.epoch() == 0;
        let name_of = |seat: &roastery_frost::Seat| {
            let (name, _) = members.get(seat.index())?;
            (!name.is_empty()).then(|| name.clone())
        };
        let missing = status.missing.iter().map(|what| match what {
            change::Missing::Receipts { seats } => {
                let names = seats
                    .iter()
                    .map(|seat| name_of(seat).unwrap_or_else(|| format!("seat {seat}")));
                let names: Vec<String> = names.collect();
                format!(
                    "not yet said that it has adopted the epoch, since it was asked: {}",
                    names.join(", ")
                )
            }
            other => other.to_string(),
        });
        let mut held: Vec<u32> = status.held.iter().map(change::EpochOrder::epoch).collect();
        held.dedup();
        let backups = status.backups.iter().map(|one| view::Backups {
            count: one.count,
            first: Time::from_milliseconds(one.first_ms),
            last: Time::from_milliseconds(one.last_ms),
        });
        let host_key_files = status.host_key_files.iter().map(|one| view::HostKeyFiles {
            epoch: one.epoch,
            seat: one.seat,
            count: one.count,
            last: Time::from_milliseconds(one.last_ms),
        });
        Self {
            key: key.to_string(),
            name,
            epoch: current.epoch(),
            fingerprint: (!is_generated).then(|| current.fingerprint().to_string()),
            threshold: group.threshold(),
            members: shown.collect(),
            holding: status.holding.map(Into::into),
            decided: status.word.map(Into::into),
            held,
            lower: status.lower.into_iter().map(Into::into).collect(),
            erasing: status.erasing,
            missing: missing.collect(),
            backups: backups.collect(),
            host_key_files: host_key_files.collect(),
            problem: status.problem,
        }
    }
}

impl From<LowerEpoch> for view::LowerEpoch {
    fn from(lower: LowerEpoch) -> Self {
        let LowerEpoch { place, needed, erased } = lower;
        Self { epoch: place.epoch(), needed, erased }
    }
}

impl From<change::Holding> for view::HoldingKind {
    fn from(holding: change::Holding) -> Self {
        match holding {
            change::Holding::Adopted => Self::Adopted,
            change::Holding::Lacking => Self::Lacking,
            change::Holding::Erased { host_key: false } => Self::Erased,
            change::Holding::Erased { host_key: true } => Self::ErasedHostKey,
        }
    }
}

impl From<change::PersonsWord> for view::Word {
    fn from(word: change::PersonsWord) -> Self {
        match word {
            change::PersonsWord::Approved => Self::Approved,
            change::PersonsWord::Accepted => Self::Accepted,
            change::PersonsWord::Acknowledged => Self::Acknowledged,
        }
    }
}

impl From<view::Erase> for EraseWish {
    fn from(wish: view::Erase) -> Self {
        let view::Erase { epoch, fingerprint, without, second_copy, host_keys_destroyed } = wish;
        let second_copy = second_copy.map(|copy| match copy {
            view::SecondCopy::Backup { sha256 } => KeptCopy::Backup { sha256 },
            view::SecondCopy::HostKey { host_keys } => KeptCopy::HostKey { host_keys },
            view::SecondCopy::SingleCopy => KeptCopy::Single,
        });
        Self { epoch, fingerprint, without, second_copy, host_keys_destroyed }
    }
}

impl From<HostKeyVerdict> for view::HostKeyVerdict {
    fn from(verdict: HostKeyVerdict) -> Self {
        let HostKeyVerdict { may_be_destroyed, reasons } = verdict;
        Self { may_be_destroyed, reasons }
    }
}

impl From<LoggedChange> for view::ChangeLine {
    fn from(LoggedChange { number, name, entry }: LoggedChange) -> Self {
        use store::ChangeAct as Act;
        Self {
            number,
            time: Time::from_milliseconds(entry.time_ms),
            name,
            key: entry.key.to_string(),
            epoch: entry.epoch,
            plan: entry.plan.to_string(),
            act: match entry.act {
                Act::Approved => view::ChangeAct::Approved,
                Act::Accepted => view::ChangeAct::Accepted,
                Act::Withdrawn => view::ChangeAct::Withdrawn,
                Act::Dealt => view::ChangeAct::Dealt,
                Act::Signed => view::ChangeAct::Signed,
                Act::Adopted => view::ChangeAct::Adopted,
                Act::Acknowledged => view::ChangeAct::Acknowledged,
                Act::Erased => view::ChangeAct::Erased,
                Act::ApprovedByCommand => view::ChangeAct::ApprovedByCommand,
                Act::AcceptedByRule => view::ChangeAct::AcceptedByRule,
            },
        }
    }
}
