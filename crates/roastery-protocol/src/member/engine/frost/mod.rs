//! Engine and arithmetic with libsecp256k1 (BIP-445).

mod arithmetic;
mod nonces;

use std::collections::BTreeMap;

use getrandom::SysRng;
use roastery_frost::{
    NonceGenInputs, PartialSignature, PublicNonce, Seat, SecretNonce, SecretShare, SignError, sign,
};

#[cfg(feature = "fake")]
pub(super) use self::arithmetic::{decode, sums};
pub use self::{
    arithmetic::{FrostArithmetic, FrostPackage},
    nonces::NonceSource,
};
use super::{
    Answer, Arithmetic as _, ArithmeticError, DrawContext, Engine, EngineError, SignOrder,
    SlotRange, Void, secrets::Secrets,
};
use crate::{SessionId, clock::Moment, request::ApprovedRequest, wire};

/// The engine of this process: BIP-445 with libsecp256k1.
///
/// It answers at once. It holds at most 192 n secret nonces for each of its seats (three batches of
/// 64 for each coordinator), 256 bytes each, or as many as [`FrostEngine::with_most_slots`] says.
///
/// `N` is where its nonces come from: *NonceGen* with the operating system's random generator,
/// except in simulations.
#[derive(Debug)]
pub struct FrostEngine<N = SysRng> {
    arithmetic: FrostArithmetic,
    /// *thresh_pk*, x-only.
    threshold_public_key: [u8; 32],
    seats: BTreeMap<Seat, OwnSeat>,
    secrets: Secrets<SecretNonce>,
    nonces: N,
}

#[derive(Debug)]
struct OwnSeat {
    share: SecretShare,
    public_share: [u8; 33],
}

/// How many secret nonces are held for one coordinator and own seat: three batches of 64.
const SLOTS_FOR_ONE: usize = 192;

impl FrostEngine {
    /// An engine for these seats of the group whose keys the arithmetic has; packages that were
    /// prepared with that arithmetic, or a clone of it, are not prepared a second time.
    ///
    /// The caller has checked the shares against the group
    /// ([`Group::check_seat_keys`](crate::group::Group::check_seat_keys)); a wrong one makes
    /// partial signatures that fail their own check and never leave.
    pub fn new(
        arithmetic: FrostArithmetic,
        shares: impl IntoIterator<Item = (Seat, SecretShare)>,
    ) -> Self {
        Self::with_nonces(arithmetic, shares, SysRng)
    }
}

impl<N> FrostEngine<N> {
    /// An engine that takes its nonces from here, for example from a generator. For simulations: a
    /// generator that repeats gives a share away as soon as the clocks repeat too.
    pub fn with_nonces(
        arithmetic: FrostArithmetic,
        shares: impl IntoIterator<Item = (Seat, SecretShare)>,
        nonces: N,
    ) -> Self {
        let seats: BTreeMap<Seat, OwnSeat> = shares
            .into_iter()
            .map(|(seat, share)| {
                let public_share = share.public_share().serialize();
                (seat, OwnSeat { share, public_share })
            })
            .collect();
        let keys = arithmetic.keys();
        Self {
            threshold_public_key: keys.threshold_public_key().serialize_xonly(),
            secrets: Secrets::new(SLOTS_FOR_ONE * keys.n() * seats.len()),
            arithmetic,
            seats,
            nonces,
        }
    }

    /// The same engine with room for this many secret nonces. Those that it holds end.
    #[must_use]
    pub fn with_most_slots(self, most: usize) -> Self {
        Self { secrets: Secrets::new(most), ..self }
    }
}

impl<N: NonceSource> FrostEngine<N> {
    fn draw_now(
        &mut self,
        slots: &SlotRange,
        context: &DrawContext,
    ) -> Result<Vec<PublicNonce>, EngineError> {
        let seat = self.seats.get(&slots.seat).ok_or(EngineError::NoSuchSeat(slots.seat))?;
        let mut extra_in = extra_in(slots, context);
        self.secrets.draw(slots, context, |index| {
            extra_in[INDEX..INDEX + 4].copy_from_slice(&index.to_le_bytes());
            let inputs = NonceGenInputs {
                secret_share: Some(&seat.share),
                seat: Some(slots.seat),
                public_share: Some(&seat.public_share),
                threshold_public_key: Some(&self.threshold_public_key),
                message: None,
                extra_in: Some(&extra_in),
            };
            self.nonces.nonce(&inputs).map_err(|_| EngineError::Randomness)
        })
    }

    fn open_now(&mut self, request: &ApprovedRequest) -> Result<(), EngineError> {
        let key = self.arithmetic.keys().threshold_public_key();
        if request.keys().iter().any(|entry| entry.tweaks.threshold_public_key() != key) {
            return Err(EngineError::OtherGroup);
        }
        self.secrets.open(request);
        Ok(())
    }

    fn sign_now(
        &mut self,
        order: &SignOrder,
        now: Moment,
    ) -> Result<Vec<PartialSignature>, EngineError> {
        let seat = self.seats.get(&order.seat).ok_or(EngineError::NoSuchSeat(order.seat))?;
        let (nonces, request) = self.secrets.take(order, now)?;
        let package = self
            .arithmetic
            .prepare(request.keys(), &order.signers, &order.aggregates)
            .map_err(|error| match error {
                ArithmeticError::Failed => EngineError::Unavailable,
                _ => EngineError::NotAPackage,
            })?;
        let shares: Result<Vec<_>, SignError> = nonces
            .into_iter()
            .zip(package.contexts())
            .map(|(nonce, context)| sign(nonce, &seat.share, order.seat, context))
            .collect();
        shares.map_err(|error| match error {
            SignError::NotASigner { .. } => EngineError::NotAPackage,
            SignError::OwnShareInvalid { .. } | SignError::OtherShare { .. } => {
                self.secrets.void(&Void::All);
                EngineError::OwnShareInvalid
            }
        })
    }
}

impl<N: NonceSource + Send> Engine for FrostEngine<N> {
    fn draw(&mut self, slots: &SlotRange, context: &DrawContext) -> Answer<Vec<PublicNonce>> {
        Answer::Now(self.draw_now(slots, context))
    }

    fn open(&mut self, request: &ApprovedRequest) -> Answer<()> {
        Answer::Now(self.open_now(request))
    }

    fn sign(&mut self, order: &SignOrder, now: Moment) -> Answer<Vec<PartialSignature>> {
        Answer::Now(self.sign_now(order, now))
    }

    fn void(&mut self, what: Void) {
        self.secrets.void(&what);
    }

    fn close(&mut self, session: SessionId) {
        self.secrets.close(session);
    }

    fn live_slots(&self) -> usize {
        self.secrets.live()
    }
}

/// Where the index is in [`extra_in`].
const INDEX: usize = 52;

/// `extra_in` (section 4): group id (32 bytes) || signer (2) || coordinator (2) || incarnation (16)
/// || index (4) || monotonic and wall time in nanoseconds (16 each), integers little-endian. The
/// index is still to be put in.
fn extra_in(slots: &SlotRange, context: &DrawContext) -> Vec<u8> {
    let mut extra = Vec::with_capacity(88);
    extra.extend(context.group.as_bytes());
    extra.extend(slots.seat.to_u16().to_le_bytes());
    extra.extend(slots.coordinator.to_u16().to_le_bytes());
    extra.extend(wire::encode(&context.incarnation));
    extra.extend([0; 4]);
    extra.extend(context.now.monotonic.as_nanos().to_le_bytes());
    extra.extend(context.now.wall.as_nanos().to_le_bytes());
    extra
}
