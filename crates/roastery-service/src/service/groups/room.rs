//! Lines of the exchange for groups and key generations: each has one.

use roastery_node::bus::exchange::ExchangeLimits;

use crate::{
    limits::Limit,
    service::{Service, ServiceError},
};

impl Service {
    /// Makes room for so many lines: key generations that have made their group, and only answer
    /// others, are ended, the oldest first.
    pub(in crate::service) async fn make_room(
        &self,
        lines: usize,
        name: &str,
    ) -> Result<(), ServiceError> {
        let keygens: Vec<_> = self.lock_keygens().values().cloned().collect();
        let answering = keygens.into_iter().filter_map(|one| Some((one.answers_since()?, one)));
        let mut answering: Vec<_> = answering.collect();
        answering.sort_by_key(|(since, _)| *since);
        let mut answering = answering.into_iter();
        while self.exchange.free_lines() < lines {
            let Some((_, oldest)) = answering.next() else {
                self.shared.limits.hit(Limit::Channels, name);
                let most = ExchangeLimits::default().max_lines;
                return Err(ServiceError::Conflict(format!(
                    "{most} groups and key generations can be open at once, and a key generation \
                     needs room for its group too: this node has no more room"
                )));
            };
            oldest.retire().await;
        }
        Ok(())
    }
}
