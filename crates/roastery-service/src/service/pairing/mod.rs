//! Pairings: from lines and words to an invitation, with which key generation begins by itself.

pub(super) mod asking;
pub(super) mod own;
pub(super) mod running;
pub(super) mod status;
pub(super) mod under_way;
