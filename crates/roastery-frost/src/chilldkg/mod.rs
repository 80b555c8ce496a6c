//! ChillDKG, the certified key generation of the BIP draft `bip-frost-dkg`, version 0.3.
//!
//! All *n* participants generate one key together, so that any *t* of them can sign with it later
//! and fewer cannot. They talk to a coordinator that need not be trusted. The key exists only with
//! a certificate that all *n* have signed: a holder of [`RecoveryData`] can prove to any other
//! participant that the session succeeded, and a participant gets its share back from that public
//! data and its host secret key alone. Names are those of the draft.
//!
//! | draft | here |
//! |---|---|
//! | *hostpubkey_gen* | [`HostSecretKey::hostpubkey_gen`] |
//! | *params_hash* | [`SessionParams::params_hash`] |
//! | *participant_step1*, *participant_step2*, *participant_finalize* | functions of these names |
//! | *participant_investigate*, *coordinator_investigate* | functions of these names |
//! | *coordinator_step1*, *coordinator_finalize* | functions of these names |
//! | *participant_recover*, *coordinator_recover* | [`recover`], [`RecoveryData::parse`] |
//! | *ValueError* of a message | [`MessageError`] |
//! | *FaultyParticipantError* and the other faults | [`Fault`], in the error of each step |
//!
//! # A session
//!
//! ```
//! use roastery_frost::chilldkg::{
//!     CoordinatorMsg1, HostSecretKey, SessionParams, coordinator_finalize, coordinator_step1,
//!     participant_finalize, participant_step1, participant_step2, recover,
//! };
//! use roastery_frost::SigningKey;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rng = getrandom::SysRng;
//! let alice = HostSecretKey::from(SigningKey::generate(&mut rng)?);
//! let bob = HostSecretKey::from(SigningKey::generate(&mut rng)?);
//! let params = SessionParams::new(vec![alice.hostpubkey_gen(), bob.hostpubkey_gen()], 2)?;
//!
//! // Fresh random bytes for each participant and session; here they are fixed.
//! let (alice_state, alice_msg) = participant_step1(&alice, &params, &[1; 32])?;
//! let (bob_state, bob_msg) = participant_step1(&bob, &params, &[2; 32])?;
//! let (state, cmsg1) = coordinator_step1(&[alice_msg, bob_msg], &params)?;
//!
//! // On the wire a message is bytes, and only a message of the right length is read.
//! let cmsg1 = CoordinatorMsg1::parse(&cmsg1.to_bytes(), &params)?;
//! let (alice_state, alice_sig) = participant_step2(&alice, alice_state, &cmsg1, &[3; 32])?;
//! let (bob_state, bob_sig) = participant_step2(&bob, bob_state, &cmsg1, &[4; 32])?;
//! let (cmsg2, group, recovery_data) = coordinator_finalize(state, &[alice_sig, bob_sig])?;
//!
//! let (output, _) = participant_finalize(alice_state, &cmsg2)?;
//! assert_eq!(*output.group(), group);
//!
//! // Bob never received the certificate. From the recovery data he gets everything back.
//! drop(bob_state);
//! let (output, _) = recover(&bob, &recovery_data)?;
//! assert_eq!(*output.group(), group);
//! # Ok(())
//! # }
//! ```
//!
//! # What is secret, and where time is constant
//!
//! Secret are the host key, the polynomial that a participant draws, the pads under which shares
//! are encrypted, and the share. [`HostSecretKey`], [`ParticipantState2`], [`Investigation`] and
//! [`DkgOutput`] hold some of them, show nothing in `Debug` and overwrite them on drop;
//! [`ParticipantState1`] holds none. All messages, the transcript and the recovery data are public.
//! Multiples of the generator by secrets, key exchange, evaluation of the secret polynomial,
//! sums of shares and pads and all signing are in constant time; a branch is taken only where a
//! secret is zero, which happens with probability 1 in the group order. Everything that works on
//! commitments, ciphertexts and signatures of others, and the derivation of public shares, is not,
//! and is given public values only.
//!
//! [`participant_step1`] is deterministic: the same host key, parameters and random bytes give the
//! same state and message. A node that keeps the 32 bytes can begin again after a restart.

mod certificate;

mod coordinator;
mod encryption;
mod error;
mod host_key;
mod investigate;
mod messages;
mod outcome;
mod output;
mod params;
mod participant;
mod pop;
mod recovery;
mod transcript;
mod vss;

pub use certificate::{Certificate, CertificateError, CoordinatorMsg2};
pub use coordinator::{
    CoordinatorError, CoordinatorState, coordinator_finalize, coordinator_step1,
};
pub use error::{CoordinatorFault, DegenerateKey, Fault, Field, MessageError, ParticipantFault};
pub use host_key::{HostSeckeyError, HostSecretKey};
pub use investigate::{
    CoordinatorInvestigationMsg, Investigation, coordinator_investigate, participant_investigate,
};
pub use messages::{CoordinatorMsg1, ParticipantMsg1, ParticipantMsg2};
pub use output::DkgOutput;
pub use params::{SessionParams, SessionParamsError};
pub use participant::{
    ParticipantState1, ParticipantState2, Step1Error, Step2Error, participant_finalize,
    participant_step1, participant_step2,
};
pub use recovery::{RecoverError, RecoveryData, RecoveryDataError, recover};
pub use transcript::Transcript;
