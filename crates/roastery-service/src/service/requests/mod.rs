//! The way of requests: those that are made here, those that other members propose, open sessions,
//! outcomes, and what is taken up again after a restart.

pub(super) mod examining;
pub(super) mod following;
pub(super) mod intake;
pub(super) mod outcomes;
pub(super) mod proposed;
pub(super) mod proposing;
pub(super) mod resuming;
pub(super) mod same;
