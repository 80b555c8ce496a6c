//! What this node decides about a request: approvals, refusals, rejections, and the record before
//! a share leaves.

pub(super) mod approval;
pub(super) mod command;
pub(super) mod decision;
pub(super) mod doubt;
pub(super) mod examining;
pub(super) mod journal;
pub(super) mod operator;
pub(super) mod refusal;
pub(super) mod rejections;
pub(super) mod turns;
pub(super) mod twins;
