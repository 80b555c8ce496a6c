use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use roastery_protocol::{GroupId, Seat};
use roastery_store::KeptBar;

use crate::Time;

/// The barred seats of all groups. There is no way back: none leaves. They outlive a group's task,
/// which is started anew after a failure of the disk, so that a bar which the disk did not take
/// stays in force.
#[derive(Debug, Default)]
pub(in crate::service) struct Bars(Mutex<BTreeMap<(GroupId, Seat), u64>>);

impl Bars {
    /// Since when this seat is barred.
    pub(in crate::service) fn since(&self, group: GroupId, seat: Seat) -> Option<Time> {
        self.lock().get(&(group, seat)).copied().map(Time::from_milliseconds)
    }

    /// Bars these seats. One that is barred already keeps its time.
    pub(in crate::service) fn add(&self, group: GroupId, bars: &[KeptBar]) {
        let mut known = self.lock();
        for bar in bars {
            known.entry((group, bar.seat)).or_insert(bar.time_ms);
        }
    }

    /// The barred seats of a group, in ascending order.
    pub(in crate::service) fn of(&self, group: GroupId) -> Vec<KeptBar> {
        let known = self.lock();
        let of_group = known.iter().filter(|((of, _), _)| *of == group);
        of_group.map(|((_, seat), time_ms)| KeptBar { seat: *seat, time_ms: *time_ms }).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(GroupId, Seat), u64>> {
        // No step under the lock leaves an entry incomplete.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
