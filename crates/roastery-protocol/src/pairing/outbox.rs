use std::{collections::VecDeque, time::Duration};

use super::output::{Output, Record};

/// The pause before a record that could not be stored is given again.
const AGAIN: Duration = Duration::from_secs(1);

/// What a machine has to say, in order: nothing leaves before the records ahead of it are durable.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Output>,
    number: u64,
    storing: Option<Record>,
    again: Option<Duration>,
}

impl Outbox {
    pub(super) fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    pub(super) fn store(&mut self, bytes: Vec<u8>) {
        self.number += 1;
        self.push(Output::Persist(Record { number: self.number, bytes: bytes.into() }));
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        if self.storing.is_some() {
            return None;
        }
        let next = self.queue.pop_front();
        if let Some(Output::Persist(record)) = &next {
            self.storing = Some(record.clone());
        }
        next
    }

    pub(super) fn persisted(&mut self, record: &Record, kept: bool, now: Duration) {
        if self.storing.as_ref().is_none_or(|storing| storing.number != record.number) {
            return;
        }
        match kept {
            true => self.storing = None,
            false => self.again = Some(now.saturating_add(AGAIN)),
        }
    }

    /// Whether all records are durable.
    pub(super) fn is_stored(&self) -> bool {
        let waits = self.queue.iter().any(|output| matches!(output, Output::Persist(_)));
        self.storing.is_none() && !waits
    }

    /// When a record is given again.
    pub(super) fn due(&self) -> Option<Duration> {
        self.again
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        if self.again.is_some_and(|again| again <= now) {
            self.again = None;
            if let Some(record) = self.storing.take() {
                self.queue.push_front(Output::Persist(record));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairing::Event;

    #[test]
    fn nothing_leaves_before_the_record_ahead_of_it_is_durable() {
        let mut outbox = Outbox::default();
        outbox.store(vec![1]);
        outbox.push(Output::Event(Event::Sealed));
        let Some(Output::Persist(record)) = outbox.poll() else { panic!("no record") };
        assert_eq!(outbox.poll(), None);
        outbox.persisted(&record, false, Duration::ZERO);
        assert_eq!(outbox.poll(), None);
        assert_eq!(outbox.due(), Some(AGAIN));
        outbox.handle_timeout(AGAIN);
        let Some(Output::Persist(again)) = outbox.poll() else { panic!("no record") };
        assert_eq!(again, record);
        outbox.persisted(&again, true, AGAIN);
        assert_eq!(outbox.poll(), Some(Output::Event(Event::Sealed)));
    }
}
