//! Helpers that the tests of several parts share.

#[cfg(feature = "libp2p")]
pub(crate) mod network;
pub(crate) mod topics;
pub(crate) mod waiting;
