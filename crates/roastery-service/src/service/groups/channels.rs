//! Channels of the mux for groups, keys, key generations and changes: each has one.

use roastery_node::bus::mux::MuxLimits;

use crate::{
    limits::Limit,
    service::{Service, ServiceError},
};

impl Service {
    /// Makes room for so many channels: key generations that have made their group, and only answer
    /// others, are ended, the oldest first.
    pub(in crate::service) async fn make_room(
        &self,
        channels: usize,
        name: &str,
    ) -> Result<(), ServiceError> {
        let keygens: Vec<_> = self.lock_keygens().values().cloned().collect();
        let answering = keygens.into_iter().filter_map(|one| Some((one.answers_since()?, one)));
        let mut answering: Vec<_> = answering.collect();
        answering.sort_by_key(|(since, _)| *since);
        let mut answering = answering.into_iter();
        while self.mux.free_channels() < channels {
            let Some((_, oldest)) = answering.next() else {
                self.shared.limits.hit(Limit::Channels, name);
                let most = MuxLimits::default().max_channels;
                return Err(ServiceError::Conflict(format!(
                    "{most} channels can be open at once, one for each epoch of a group, each key, and each key \
                     generation and change, and a key generation needs room for its group too: this node has \
                     no more room"
                ).into()));
            };
            oldest.retire().await;
        }
        Ok(())
    }
}
