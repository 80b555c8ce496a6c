//! What a change of members, threshold or shares promises, one sentence per test.

mod golden;
mod support;
mod whole;
