use super::texts;
use crate::{KitHolder, KitStatus, NewKit, Time, view};

impl From<KitStatus> for view::KitStatus {
    fn from(status: KitStatus) -> Self {
        let KitStatus { group, epoch, label, host_key_here, made, confirmed, needed, holders } =
            status;
        let holder = |one: KitHolder| view::KitHolder {
            name: one.name,
            held: one.held_ms.map(Time::from_milliseconds),
            kept_here: one.kept_here,
        };
        let (label, holders) = (label.to_string(), holders.into_iter().map(holder).collect());
        Self { group, epoch, label, host_key_here, made, confirmed, needed, holders }
    }
}

impl From<NewKit> for view::NewKit {
    fn from(kit: NewKit) -> Self {
        let words: Vec<&str> = kit.words.words().collect();
        Self {
            words: texts(&words),
            group: kit.group,
            epoch: kit.epoch,
            label: kit.label.to_string(),
            asked: kit.asked.to_vec(),
        }
    }
}
