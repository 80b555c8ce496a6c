use std::fmt;

use super::pad::pad;
use super::{ChangeParams, Dealing, DealingHead};
use crate::Seat;
use crate::chilldkg::HostSecretKey;
use crate::evaluation::evaluate_at;
use crate::maybe_secret::MaybeSecret;

/// What one old member has dealt to one new member, opened and found right. Overwritten on drop;
/// its `Debug` shows nothing of it.
///
/// It can be opened again from the dealing at any time, so nothing of it need be stored.
pub struct DealtShare {
    params: ChangeParams,
    head: DealingHead,
    receiver: Seat,
    value: MaybeSecret,
}

/// Opens a new member's share of a dealing and checks it: against the dealer's public share, which
/// is the constant term, and the commitments to the other coefficients.
///
/// # Errors
///
/// [`OpenError`] if the host key is of no new member, or the share is wrong. A wrong share is a
/// complaint about this dealing; it convicts no member, since no other one can see it.
pub fn open(hostseckey: &HostSecretKey, dealing: &Dealing) -> Result<DealtShare, OpenError> {
    let (params, head) = (dealing.params(), *dealing.head());
    let receiver = params.member_of(&hostseckey.hostpubkey_gen()).ok_or(OpenError::NotAMember)?;
    let dealer = head.dealer;
    let content = dealing.content();
    let pad = pad(hostseckey.scalar(), &head.nonce, params, dealer, &head.nonce, receiver);
    let value = pad.negated().plus_public(content.enc_shares[receiver.index()]);

    let constant = params.dealer(dealer).expect("the seat of a dealing deals");
    let coefficients = [&[constant], content.commitments.as_slice()].concat();
    if value.public() != evaluate_at(&coefficients, receiver.x()) {
        return Err(OpenError::WrongShare { dealer });
    }
    Ok(DealtShare { params: params.clone(), head, receiver, value })
}

impl DealtShare {
    /// The old seat that has dealt it.
    pub fn dealer(&self) -> Seat {
        self.head.dealer
    }

    /// What stands for the dealing in the transcript.
    pub fn head(&self) -> &DealingHead {
        &self.head
    }

    /// The new seat that it is for.
    pub fn receiver(&self) -> Seat {
        self.receiver
    }

    pub(super) fn params(&self) -> &ChangeParams {
        &self.params
    }

    pub(super) fn value(&self) -> &MaybeSecret {
        &self.value
    }
}

impl fmt::Debug for DealtShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DealtShare")
            .field("dealer", &self.head.dealer)
            .field("receiver", &self.receiver)
            .finish_non_exhaustive()
    }
}

/// Why a new member does not take its share of a dealing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// No new member has the matching host public key.
    #[error("the host secret key matches no host public key of the plan")]
    NotAMember,
    /// The share does not fit the dealer's public share and its commitments.
    #[error("the share that old seat {dealer} has dealt does not fit its commitments")]
    WrongShare {
        /// The old seat that has dealt it.
        dealer: Seat,
    },
}
