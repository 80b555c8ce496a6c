//! What a node's memory is made of: everything that its machine was given since it opened. Given
//! once more to a machine that opens alike it makes the same memory, secrets included.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use roastery_protocol::{
    Seat,
    clock::Moment,
    group::PeerId,
    machine::{Link, Machine, Output},
};

use super::{Hooks, Item, RecordOf, World};

/// What a machine is given.
#[derive(Clone, Debug)]
pub(super) enum Input<R, A> {
    Message(PeerId, Arc<[u8]>),
    Timeout,
    /// The link to a peer is up, and so long is its round trip.
    Linked(PeerId, Duration),
    Unlinked(PeerId),
    Persisted(R, bool),
    Act(A),
}

pub(super) type InputOf<H> = Input<RecordOf<H>, <H as Hooks>::Action>;

/// The memory of a node since it opened.
pub(super) struct Memory<H: Hooks> {
    opening: H::Opening,
    opened: Moment,
    /// What was on the disk when it opened.
    found: Vec<RecordOf<H>>,
    inputs: Vec<(Moment, InputOf<H>)>,
}

/// A memory as it was at one time, with the disk and the monotonic clock.
pub(super) struct Saved<H: Hooks> {
    memory: Memory<H>,
    stored: Vec<RecordOf<H>>,
    monotonic: Duration,
}

impl<H: Hooks> Memory<H>
where
    RecordOf<H>: Clone,
{
    pub(super) fn of(opening: H::Opening, opened: Moment, found: &[RecordOf<H>]) -> Self {
        Self { opening, opened, found: found.to_vec(), inputs: Vec::new() }
    }

    pub(super) fn given(&mut self, input: &InputOf<H>, now: Moment) {
        self.inputs.push((now, input.clone()));
    }

    fn copy(&self) -> Self {
        let Self { opening, opened, found, inputs } = self;
        let (opening, found, inputs) = (opening.clone(), found.clone(), inputs.clone());
        Self { opening, opened: *opened, found, inputs }
    }
}

/// Gives a machine an input. What a message came to, if it was one.
pub(super) fn give<H: Hooks>(
    hooks: &mut H,
    seat: Seat,
    machine: &mut H::Machine,
    input: &InputOf<H>,
    now: Moment,
) -> Result<(), <H::Machine as Machine>::Rejected>
where
    RecordOf<H>: Clone,
{
    let mut result = Ok(());
    match input {
        Input::Message(from, bytes) => result = machine.handle_message(from, bytes, now),
        Input::Timeout => {
            if machine.next_timeout().is_some_and(|due| due <= now.monotonic) {
                machine.handle_timeout(now);
            }
        }
        Input::Linked(peer, round_trip) => {
            machine.handle_link(peer, Link::RoundTrip(*round_trip), now);
            machine.handle_link(peer, Link::Up, now);
        }
        Input::Unlinked(peer) => machine.handle_link(peer, Link::Down, now),
        Input::Persisted(record, kept) => machine.persisted(record.clone(), *kept, now),
        Input::Act(action) => {
            hooks.act(seat, action, Some(machine), now);
            return result;
        }
    }
    hooks.attend(seat, machine, now);
    result
}

impl<H: Hooks> World<H>
where
    RecordOf<H>: Clone,
{
    /// A node's memory and disk are saved, with its monotonic clock.
    pub(super) fn save(&mut self, seat: Seat) {
        let Some(at) = self.place(seat).filter(|at| self.nodes[*at].is_awake()) else { return };
        let Some(memory) = self.memories.get(&at) else { return };
        let stored = self.nodes[at].stored().to_vec();
        let monotonic = self.nodes[at].monotonic(self.now);
        self.saved.insert(at, Saved { memory: memory.copy(), stored, monotonic });
    }

    /// A node goes on with the memory, the disk and the monotonic clock that were saved; its wall
    /// clock is right. Its connections have ended.
    pub(super) fn restore(&mut self, seat: Seat) {
        let saved = self.place(seat).and_then(|at| self.saved.get(&at).map(|saved| (at, saved)));
        let Some((at, Saved { memory, stored, monotonic })) = saved else { return };
        let (memory, stored, monotonic) = (memory.copy(), stored.clone(), *monotonic);
        self.disconnect_all_of(at);
        self.nodes[at].crash(self.now);
        let Some((machine, unanswered)) = self.replay(seat, &memory) else { return };
        self.nodes[at].restored(machine, stored, self.now - monotonic);
        self.memories.insert(at, memory);
        let opening = self.nodes[at].openings;
        for record in unanswered {
            self.queue.push(self.now + self.storing, Item::Stored(at, opening, record));
        }
        self.tell_all_links_down(at);
        self.drain(at);
        // What the script tells it at this time comes before any connection: what a memory that is
        // used again says before it is told can contradict what it has said.
        self.queue.push(self.now, Item::Connect(at));
    }

    /// A machine that was given all of this, and the records that it waits for.
    fn replay(
        &mut self,
        seat: Seat,
        memory: &Memory<H>,
    ) -> Option<(H::Machine, VecDeque<RecordOf<H>>)> {
        self.hooks.replay_begins(seat);
        let mut unanswered = VecDeque::new();
        let machine = self.hooks.open_again(seat, &memory.opening, &memory.found, memory.opened);
        let machine = machine.map(|mut machine| {
            take_out::<H>(&mut machine, &mut unanswered);
            for (now, input) in &memory.inputs {
                if let Input::Persisted(..) = input {
                    // Records are answered in their order.
                    unanswered.pop_front();
                }
                // It came to the same the first time.
                let _ = give(&mut self.hooks, seat, &mut machine, input, *now);
                take_out::<H>(&mut machine, &mut unanswered);
            }
            machine
        });
        self.hooks.replay_ends(seat);
        machine.map(|machine| (machine, unanswered))
    }
}

/// Takes out what has left already, and keeps what is to be stored.
fn take_out<H: Hooks>(machine: &mut H::Machine, unanswered: &mut VecDeque<RecordOf<H>>) {
    while let Some(output) = machine.poll_output() {
        match output {
            Output::Persist(record) => unanswered.push_back(record),
            Output::Send { .. } | Output::Event(_) => {}
        }
    }
}
