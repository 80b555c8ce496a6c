//! What can be asked of a node.

pub(super) mod acts;
pub(super) mod changes;
pub(super) mod cutting;
pub(super) mod known;
pub(super) mod measured;
pub(super) mod paging;
pub(super) mod payment;
pub(super) mod records;
pub(super) mod requests;
pub(super) mod settings;
pub(super) mod status;
pub(super) mod summary;
pub(super) mod timeline;
