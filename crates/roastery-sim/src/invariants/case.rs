use std::{collections::BTreeSet, sync::Arc};

use roastery_frost::{PublicNonce, SessionContext};
use roastery_protocol::{
    Seat,
    group::Group,
    message::{Shape, SignatureShare, SigningPackage, SlotNonces},
    request::{MessageKey, SigningRequest},
    signing::Settings,
};

use crate::members::{Members, SimulatedEngine};

/// What is fixed in a simulated session, and which members are honest.
#[derive(Debug)]
pub struct Case {
    /// The group.
    pub group: Arc<Group>,
    /// The request.
    pub request: SigningRequest,
    /// The structural rules.
    pub shape: Shape,
    /// The nodes' intervals and time limits.
    pub settings: Settings,
    /// The messages with their keys.
    pub keys: Vec<MessageKey>,
    faulty: BTreeSet<Seat>,
    real: bool,
}

/// Whether a share is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareCheck {
    /// BIP-445's PartialSigVerify accepts it, for every message.
    Right,
    /// PartialSigVerify rejects it, for at least one message.
    Wrong,
    /// A fake engine's share, which only its own engine can check.
    Unknown,
}

impl Case {
    /// The case of a request that the engine `E` signs. `faulty` seats may do what they like.
    pub fn new<E: SimulatedEngine>(
        members: &Members,
        request: &SigningRequest,
        settings: Settings,
        faulty: BTreeSet<Seat>,
    ) -> Self {
        let group = members.group.clone();
        let keys = request.messages().iter().map(|entry| MessageKey {
            message: entry.message,
            tweaks: entry.derivation.tweaks(&group).expect("a simulated request has its keys"),
        });
        Self {
            shape: Shape::new(&group, request.session_id(), request.messages().len()),
            request: request.clone(),
            settings,
            keys: keys.collect(),
            group,
            faulty,
            real: E::REAL,
        }
    }

    /// Whether this seat follows the protocol.
    pub fn is_honest(&self, seat: Seat) -> bool {
        !self.faulty.contains(&seat)
    }

    /// The members that need not follow the protocol.
    pub fn faulty(&self) -> &BTreeSet<Seat> {
        &self.faulty
    }

    /// Whether shares and signatures are those of BIP-445.
    pub fn is_real(&self) -> bool {
        self.real
    }

    /// Whether a share answers a package correctly, with these nonces of its signer's slot.
    pub fn check_share(
        &self,
        package: &SigningPackage,
        signer: Seat,
        nonces: &SlotNonces,
        share: &SignatureShare,
    ) -> ShareCheck {
        if !self.real {
            return ShareCheck::Unknown;
        }
        let right = self.keys.iter().enumerate().all(|(at, key)| {
            let Ok(signers) = self.group.keys().signers(&package.seats()) else { return false };
            let (Some(aggregate), Some(nonce), Some(scalar)) =
                (package.aggregates.get(at), nonces.0.get(at), share.scalars.get(at))
            else {
                return false;
            };
            let Ok(nonce) = PublicNonce::from_bytes(nonce) else { return false };
            SessionContext::new(&signers, aggregate, &key.tweaks, &key.message)
                .is_ok_and(|context| context.verify(scalar, &nonce, signer).is_ok())
        });
        if right { ShareCheck::Right } else { ShareCheck::Wrong }
    }
}
