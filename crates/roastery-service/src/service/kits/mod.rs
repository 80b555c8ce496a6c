//! Kits: a host key leaves this machine, sealed under ten words, and the other members' nodes keep
//! it.

pub(in crate::service) mod making;
pub(in crate::service) mod news;
pub(in crate::service) mod running;
pub(in crate::service) mod status;
