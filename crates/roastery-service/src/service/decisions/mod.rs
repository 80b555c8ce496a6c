//! What this node decides about a request: approvals, refusals, rejections.

pub(super) mod approval;
pub(super) mod command;
pub(super) mod decision;
pub(super) mod doubt;
pub(super) mod examining;
pub(super) mod left;
pub(super) mod operator;
pub(super) mod parts;
pub(super) mod refusal;
pub(super) mod rejecting;
mod told;
pub(super) mod twins;
