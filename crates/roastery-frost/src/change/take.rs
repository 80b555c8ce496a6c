use std::fmt;

use super::{DealtShare, Transcript};
use crate::chilldkg::HostSecretKey;
use crate::maybe_secret::MaybeSecret;
use crate::{GroupKeys, Seat, SecretShare, Signature};

/// What a new member has from a change, in the types that signing takes.
///
/// Its `Debug` shows the public part only.
pub struct ChangeOutput {
    pub(super) member: Seat,
    pub(super) share: SecretShare,
    pub(super) group: GroupKeys,
}

impl ChangeOutput {
    /// The share of `member`, if it is the one that its public share says.
    pub(super) fn checked(
        transcript: &Transcript,
        member: Seat,
        share: MaybeSecret,
    ) -> Option<ChangeOutput> {
        let share = SecretShare::from_bytes(share.into_option()?.to_bytes()).ok()?;
        let group = transcript.group().clone();
        share.matches(&group, member).then_some(ChangeOutput { member, share, group })
    }

    /// The new seat.
    pub fn member(&self) -> Seat {
        self.member
    }

    /// The new secret share.
    pub fn share(&self) -> &SecretShare {
        &self.share
    }

    /// The keys of the new group.
    pub fn group(&self) -> &GroupKeys {
        &self.group
    }

    /// The share and the keys of the group.
    pub fn into_parts(self) -> (SecretShare, GroupKeys) {
        (self.share, self.group)
    }
}

impl fmt::Debug for ChangeOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeOutput")
            .field("member", &self.member)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// A new member takes its share from a transcript that it has made itself, and signs it.
///
/// `dealt` is what it has opened of each dealing in the transcript, in any order: so a member signs
/// only what it has checked. The share must be stored before the signature leaves: from then on
/// others may hold a certificate. `aux_rand` is 32 fresh random bytes, as in BIP-340.
///
/// # Errors
///
/// [`TakeError`] if the host key is of no new member, a dealing of the transcript was not opened by
/// it, or the share does not match its public share.
pub fn take(
    hostseckey: &HostSecretKey,
    transcript: &Transcript,
    dealt: &[DealtShare],
    aux_rand: &[u8; 32],
) -> Result<(ChangeOutput, Signature), TakeError> {
    let params = transcript.params();
    let member = params.member_of(&hostseckey.hostpubkey_gen()).ok_or(TakeError::NotAMember)?;
    let mut share = MaybeSecret::ZERO;
    for (head, weight) in transcript.heads().zip(transcript.weights()) {
        let of_this = |dealt: &&DealtShare| {
            dealt.head() == head && dealt.receiver() == member && dealt.params() == params
        };
        let dealer = head.dealer();
        let dealt = dealt.iter().find(of_this).ok_or(TakeError::NotOpened { dealer })?;
        share = share.plus(&dealt.value().times(weight));
    }
    let output = ChangeOutput::checked(transcript, member, share).ok_or(TakeError::Share)?;
    Ok((output, hostseckey.signing().sign(transcript.hash(), aux_rand)))
}

/// Why a new member takes no share from a transcript, and does not sign it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TakeError {
    /// No new member has the matching host public key.
    #[error("the host secret key matches no host public key of the plan")]
    NotAMember,
    /// A dealing of the transcript was not opened by this member.
    #[error("the dealing of old seat {dealer} in the transcript was not opened by this member")]
    NotOpened {
        /// The old seat that dealt.
        dealer: Seat,
    },
    /// The share is zero or does not match the new public share, which right dealings do not
    /// lead to.
    #[error("the new secret share does not match its public share")]
    Share,
}
