//! What a change of members, threshold or shares promises, one sentence per test.

mod certificates;
mod choice;
mod epochs;
mod faulty_dealer;
mod golden;
mod parameters;
mod properties;
mod secrets;
mod support;
mod whole;
