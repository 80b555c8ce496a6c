//! What the script of a scenario does to nodes and network.

use std::time::Duration;

use roastery_protocol::Seat;

use super::{Hooks, Injection, Item, RecordOf, World, memory::Input};

impl<H: Hooks> World<H>
where
    RecordOf<H>: Clone,
{
    /// A node crashes, and opens again after a while.
    pub(super) fn crash(&mut self, node: usize, down: Duration) {
        let seat = self.nodes[node].seat;
        self.inject(&Injection::Crash(seat));
        let again = (self.now + down).min(self.calm_at).max(self.now);
        self.queue.push(again, Item::Inject(Injection::Open(seat)));
    }

    pub(super) fn inject(&mut self, injection: &Injection<H::Action>) {
        self.hooks.injection(self.now, injection);
        match injection {
            Injection::Crash(seat) => {
                let Some(at) = self.place(*seat) else { return };
                self.nodes[at].crash(self.now);
                self.disconnect_all_of(at);
            }
            Injection::Open(seat) => self.open(*seat),
            Injection::Disk(seat, what) => {
                let node = self.place(*seat).filter(|at| !self.nodes[*at].is_up());
                if let Some(at) = node {
                    self.nodes[at].disk(*what);
                }
            }
            Injection::Sleep(seat) => self.sleep(*seat),
            Injection::Resume(seat) => self.resume(*seat),
            Injection::CutOff(few) => {
                let mut others = self.hooks.seats();
                others.retain(|seat| !few.contains(seat));
                self.network.partition(few, &others);
                self.connect_as_the_network_allows();
            }
            Injection::Cut(one, other) => {
                self.network.partition(&[*one], &[*other]);
                self.connect_as_the_network_allows();
            }
            Injection::Join(one, other) => {
                self.network.join(*one, *other);
                self.connect_as_the_network_allows();
            }
            Injection::Calm => {
                self.network.heal();
                self.network.calm_down();
                self.crash_points.clear();
                let seats = self.hooks.seats();
                seats.iter().for_each(|seat| self.resume(*seat));
                if H::CALM_OPENS_ALL {
                    seats.into_iter().for_each(|seat| self.open(seat));
                }
                self.connect_as_the_network_allows();
            }
            Injection::Save(seat) => self.save(*seat),
            Injection::Restore(seat) => self.restore(*seat),
            Injection::Act(seat, action) => {
                let Some(at) = self.place(*seat) else { return };
                if self.nodes[at].is_awake() {
                    let _ = self.act(at, &Input::Act(action.clone()));
                } else {
                    let moment = self.moment(at);
                    self.hooks.act(*seat, action, None, moment);
                }
            }
        }
    }

    fn sleep(&mut self, seat: Seat) {
        let Some(at) = self.place(seat).filter(|at| self.nodes[*at].is_awake()) else { return };
        self.nodes[at].asleep_since = Some(self.now);
        self.disconnect_all_of(at);
    }

    fn resume(&mut self, seat: Seat) {
        let Some(at) = self.place(seat) else { return };
        let Some(since) = self.nodes[at].asleep_since.take() else { return };
        self.nodes[at].slept += self.now - since;
        self.nodes[at].wake_at = None;
        if self.nodes[at].is_up() {
            // The first thing that it learns is that its connections have ended.
            self.tell_all_links_down(at);
            self.drain(at);
            self.connect_all_of(at);
        }
    }
}
