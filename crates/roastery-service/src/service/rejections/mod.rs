//! The operator's rejections: in files beside the store, and by the messages that they concern.

pub(super) mod files;
pub(super) mod messages;
