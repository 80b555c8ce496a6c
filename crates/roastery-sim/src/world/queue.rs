use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

/// What is to happen, by time; what is due at one time, in the order in which it was put in.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    order: BinaryHeap<Reverse<(Duration, u64)>>,
    items: BTreeMap<u64, T>,
    sequence: u64,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self { order: BinaryHeap::new(), items: BTreeMap::new(), sequence: 0 }
    }

    pub(crate) fn push(&mut self, at: Duration, item: T) {
        self.sequence += 1;
        self.items.insert(self.sequence, item);
        self.order.push(Reverse((at, self.sequence)));
    }

    pub(crate) fn pop(&mut self) -> Option<(Duration, T)> {
        let Reverse((at, key)) = self.order.pop()?;
        self.items.remove(&key).map(|item| (at, item))
    }

    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.order.peek().map(|Reverse((at, _))| *at)
    }
}
