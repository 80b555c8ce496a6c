//! The bytes of everything that is hashed, signed, sent or stored: which they are, that they mean
//! one thing only, and how many there may be.

mod bounds;
mod change;
pub mod golden;
mod keygen;
pub mod layout;
mod properties;
pub mod values;

use std::sync::{Arc, LazyLock};

use roastery_protocol::{
    Attempt, Seat, SessionId,
    group::Group,
    keys::IdentityKey,
    request::{Derivation, MessageToSign, RefusalReason, SigningRequest, Subject, Taproot},
};
use roastery_testkit::{
    forge::{files::*, *},
    *,
};

/// Two of three with fixed keys, and a request of two messages.
pub struct Fixed {
    pub group: Arc<Group>,
    pub request: SigningRequest,
    pub session: SessionId,
}

pub fn fixed() -> &'static Fixed {
    static FIXED: LazyLock<Fixed> = LazyLock::new(Fixed::new);
    &FIXED
}

impl Fixed {
    fn new() -> Self {
        let group = Arc::new(Group::decode(&RawGroup::fixed(3, 8).bytes()).unwrap());
        let messages = vec![
            MessageToSign {
                message: [0x11; 32],
                derivation: Derivation { path: vec![0, 5], taproot: Taproot::KeyPathOnly },
            },
            MessageToSign {
                message: [0x22; 32],
                derivation: Derivation {
                    path: vec![(1 << 31) - 1],
                    taproot: Taproot::ScriptRoot([0x33; 32]),
                },
            },
        ];
        let request = SigningRequest::new(group.id(), [0x44; 32], 1_800_000_000, messages).unwrap();
        let session = request.session_id();
        Fixed { group, request, session }
    }

    pub fn identity(seat: Seat) -> IdentityKey {
        IdentityKey::new(SigningKeyOf(1).at(seat.index()))
    }
}
