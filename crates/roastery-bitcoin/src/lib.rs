//! A threshold key as a Bitcoin wallet that signs PSBTs.
//!
//! [`wallet`] makes descriptors and addresses of a group's key. [`psbt`] reads PSBTs. [`spend`]
//! computes what a PSBT spends and to whom, what the group signs of it, and what an operator
//! should look at; it makes the signing request, checks one that another member proposes, and puts
//! the signatures in. [`policy`] has a node's rules. [`message`] makes and checks signatures of
//! texts (BIP-322).
//!
//! Nothing here holds a secret, and nothing does I/O or reads a clock. All that is computed is
//! public, so nothing needs constant time.
//!
//! What each node does with a PSBT of a proposal:
//!
//! 1. [`psbt::read`] the bytes, and evaluate the result as a [`Spend`](spend::Spend).
//! 2. Have the node's [`SpendPolicy`](policy::SpendPolicy) judge it.
//! 3. [`check`](spend::Spend::check) that the proposed request asks for exactly what the PSBT
//!    takes, and sign.
//! 4. [`complete`](spend::Spend::complete) the PSBT with the signatures.

#[cfg(feature = "consensus")]
pub mod consensus;
pub mod message;
pub mod network;
pub mod policy;
pub mod psbt;
pub mod spend;
pub mod wallet;
