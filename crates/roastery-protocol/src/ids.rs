//! The names of things: each is the tagged hash of the whole thing that it names.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
        )]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes 32 bytes as they are: a name does not prove that the thing exists.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        /// All 64 hexadecimal digits; with `{:#}` the first eight.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let shown = if f.alternate() { 4 } else { 32 };
                self.0[..shown].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#})"), self)
            }
        }
    };
}

hash_id! {
    /// Names a group: the tagged hash (`roastery/1/group`) of its whole file.
    GroupId
}
hash_id! {
    /// Names a key for ever: the tagged hash (`roastery/1/key`) of threshold public key and chain
    /// code. Each epoch has another group id, and all have this one.
    KeyId
}
hash_id! {
    /// Names a plan: the tagged hash (`roastery/1/change/plan`) of its whole encoding.
    PlanId
}
hash_id! {
    /// Names the transcript of a change: the tagged hash (`roastery/1/change/transcript`) that all
    /// new members sign.
    ChangeTranscriptHash
}
hash_id! {
    /// Names a session: the tagged hash (`roastery/1/session`) of the encoded signing request.
    SessionId
}
hash_id! {
    /// Names a message: the tagged hash (`roastery/1/body` in key generation, `roastery/2/body` in
    /// signing) of its body. Signatures of the same body may differ; the message is the same.
    BodyHash
}
hash_id! {
    /// Names what a package takes of one signer: the tagged hash (`roastery/2/slots`) of group,
    /// coordinator, signer and the public nonces.
    SlotHash
}
hash_id! {
    /// Names a proof: the tagged hash (`roastery/2/evidence-file`) of its encoding.
    ProofId
}

hash_id! {
    /// Names a key generation: the tagged hash (`roastery/1/ceremony`) of its whole
    /// invitation.
    KeygenId
}
hash_id! {
    /// Names a ChillDKG transcript: the tagged hash (`roastery/1/ceremony/transcript`) of the key
    /// generation's id and the transcript. Two transcripts of one name lead to the same key, the
    /// same shares and the same group.
    TranscriptHash
}

/// The number of an attempt within a session: one coordinator's turn.
///
/// Carried in 32 bits and valid below 2^16, so that a number that is out of range is seen and not
/// cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(u16);

impl Attempt {
    /// The first attempt.
    pub const FIRST: Attempt = Attempt(0);

    /// The attempt of this number; `None` from 2^16 on.
    pub fn new(number: u32) -> Option<Self> {
        u16::try_from(number).ok().map(Self)
    }

    /// The number.
    pub const fn number(self) -> u32 {
        self.0 as u32
    }

    /// The number as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_number_of_two_to_the_sixteenth_is_refused_and_not_cut_off() {
        assert_eq!(Attempt::new(65_535).map(Attempt::number), Some(65_535));
        assert_eq!(Attempt::new(65_536), None);
        assert_eq!(Attempt::new(u32::MAX), None);
    }
}
