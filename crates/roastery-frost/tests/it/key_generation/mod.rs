//! What key generation promises, one sentence per test.

mod certificates;
mod faulty_coordinator;
mod faulty_participant;
mod lengths;
mod recovery;
mod sessions;
mod support;
