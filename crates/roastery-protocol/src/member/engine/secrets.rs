//! The rules by which nonces are drawn, used once and end, whatever a secret nonce is.

use std::{collections::BTreeMap, fmt};

use roastery_frost::{PublicNonce, Seat};

use super::{DrawContext, EngineError, SignOrder, SlotName, SlotRange, Void};
use crate::{
    SessionId,
    clock::Moment,
    member::{
        Incarnation,
        stock::{SLOT_LIFETIME, is_too_old},
    },
    request::ApprovedRequest,
};

/// The secret nonces of the present incarnation, and the sessions that may use them. Dropping an
/// `S` zeroizes it.
pub(super) struct Secrets<S> {
    incarnation: Option<Incarnation>,
    /// For each own seat and coordinator the least index that was never drawn.
    next: BTreeMap<(Seat, Seat), u32>,
    slots: BTreeMap<SlotName, Drawn<S>>,
    sessions: BTreeMap<SessionId, ApprovedRequest>,
    most: usize,
}

struct Drawn<S> {
    secret: S,
    at: Moment,
}

impl<S> Secrets<S> {
    /// Nothing yet, and never more than `most` secret nonces.
    pub(super) fn new(most: usize) -> Self {
        Self {
            incarnation: None,
            next: BTreeMap::new(),
            slots: BTreeMap::new(),
            sessions: BTreeMap::new(),
            most,
        }
    }

    pub(super) fn live(&self) -> usize {
        self.slots.len()
    }

    /// Keeps what `make` gives for each index, if all of them may be drawn.
    pub(super) fn draw(
        &mut self,
        slots: &SlotRange,
        context: &DrawContext,
        mut make: impl FnMut(u32) -> Result<(S, PublicNonce), EngineError>,
    ) -> Result<Vec<PublicNonce>, EngineError> {
        if self.incarnation > Some(context.incarnation) {
            return Err(EngineError::OtherIncarnation);
        }
        if self.incarnation < Some(context.incarnation) {
            self.slots.clear();
            self.next.clear();
            self.incarnation = Some(context.incarnation);
        }
        let &SlotRange { seat, coordinator, ref indexes } = slots;
        let next = self.next.get(&(seat, coordinator)).copied().unwrap_or(0);
        if indexes.start < next {
            let slot = SlotName { seat, coordinator, index: indexes.start };
            return Err(EngineError::AlreadyDrawn { slot, next });
        }
        let (live, asked) = (self.live(), indexes.len());
        if asked > self.most.saturating_sub(live) {
            return Err(EngineError::TooManySlots { live, asked, most: self.most });
        }
        let (mut made, mut public) = (Vec::with_capacity(asked), Vec::with_capacity(asked));
        for index in indexes.clone() {
            let (secret, nonce) = make(index)?;
            made.push((SlotName { seat, coordinator, index }, Drawn { secret, at: context.now }));
            public.push(nonce);
        }
        self.slots.extend(made);
        self.next.insert((seat, coordinator), next.max(indexes.end));
        Ok(public)
    }

    pub(super) fn open(&mut self, request: &ApprovedRequest) {
        self.sessions.insert(request.session_id(), request.clone());
    }

    pub(super) fn close(&mut self, session: SessionId) {
        self.sessions.remove(&session);
    }

    /// Moves the secret nonces out that an order names, and gives them with its request if the
    /// order may be followed. They are gone in any case.
    pub(super) fn take(
        &mut self,
        order: &SignOrder,
        now: Moment,
    ) -> Result<(Vec<S>, ApprovedRequest), EngineError> {
        if self.incarnation != Some(order.incarnation) {
            // Those that it names ended with their incarnation.
            return Err(EngineError::OtherIncarnation);
        }
        let request = self.sessions.get(&order.session).cloned();
        let asked = order.aggregates.len();
        let messages = request.as_ref().map_or(asked, |request| request.keys().len());
        let &SignOrder { seat, coordinator, .. } = order;
        let taken: Vec<_> = (order.first..=u32::MAX)
            .take(messages.max(asked))
            .map(|index| SlotName { seat, coordinator, index })
            .map(|name| (name, self.slots.remove(&name)))
            .collect();
        let request = request.ok_or(EngineError::NotOpen(order.session))?;
        if request.expires_at() <= now.monotonic || request.request().expiry() <= now.wall_seconds()
        {
            return Err(EngineError::Expired(order.session));
        }
        if asked != messages || taken.len() != messages {
            return Err(EngineError::NotAPackage);
        }
        let secrets = taken.into_iter().map(|(name, drawn)| {
            let drawn = drawn.ok_or(EngineError::NoSuchSlot(name))?;
            match is_too_old(drawn.at, now, SLOT_LIFETIME) {
                true => Err(EngineError::TooOld(name)),
                false => Ok(drawn.secret),
            }
        });
        Ok((secrets.collect::<Result<_, _>>()?, request))
    }

    pub(super) fn void(&mut self, what: &Void) {
        match what {
            Void::Slots(SlotRange { indexes, .. }) if indexes.is_empty() => {}
            &Void::Slots(SlotRange { seat, coordinator, ref indexes }) => {
                let name = |index| SlotName { seat, coordinator, index };
                let range = name(indexes.start)..name(indexes.end);
                self.slots.extract_if(range, |_, _| true).for_each(drop);
            }
            Void::Coordinator(seat) => self.slots.retain(|name, _| name.coordinator != *seat),
            Void::All => self.slots.clear(),
        }
    }
}

impl<S> fmt::Debug for Secrets<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("incarnation", &self.incarnation)
            .field("live", &self.live())
            .field("most", &self.most)
            .field("sessions", &self.sessions.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{rc::Rc, time::Duration};

    use roastery_frost::{NonceGenInputs, danger};

    use super::*;
    use crate::GroupId;

    /// Stands for a secret: there are as many as there are other owners of this value.
    type Counted = Rc<()>;

    fn seat(at: u32) -> Seat {
        Seat::new(at).expect("a seat")
    }

    fn draw(
        secrets: &mut Secrets<Counted>,
        alive: &Counted,
        life: u64,
        coordinator: Seat,
        fails_at: u32,
    ) -> Result<Vec<PublicNonce>, EngineError> {
        let (_, public) =
            danger::nonce_gen_with(&[1; 32], &NonceGenInputs::default()).expect("a nonce");
        let now = Moment { monotonic: Duration::ZERO, wall: Duration::ZERO };
        let incarnation = Incarnation::after(None, life, [0; 8]);
        let context = DrawContext { group: GroupId::from_bytes([0; 32]), incarnation, now };
        let slots = SlotRange { seat: seat(0), coordinator, indexes: 0..8 };
        secrets.draw(&slots, &context, |index| match index == fails_at {
            true => Err(EngineError::Randomness),
            false => Ok((alive.clone(), public.clone())),
        })
    }

    #[test]
    fn a_secret_exists_no_longer_than_its_slot() {
        let alive = Counted::default();
        let count = || Rc::strong_count(&alive) - 1;
        let mut secrets = Secrets::new(16);
        assert!(draw(&mut secrets, &alive, 1, seat(1), 5).is_err());
        assert_eq!(count(), 0);
        assert!(draw(&mut secrets, &alive, 1, seat(1), 8).is_ok());
        assert!(draw(&mut secrets, &alive, 1, seat(2), 8).is_ok());
        assert_eq!(count(), 16);
        let slots = SlotRange { seat: seat(0), coordinator: seat(1), indexes: 2..4 };
        secrets.void(&Void::Slots(slots));
        assert_eq!(count(), 14);
        secrets.void(&Void::Coordinator(seat(1)));
        assert_eq!(count(), 8);
        // Another incarnation ends the one before, also if nothing of it is drawn.
        assert!(draw(&mut secrets, &alive, 2, seat(1), 0).is_err());
        assert_eq!(count(), 0);
        assert!(draw(&mut secrets, &alive, 2, seat(1), 8).is_ok());
        drop(secrets);
        assert_eq!(count(), 0);
    }
}
