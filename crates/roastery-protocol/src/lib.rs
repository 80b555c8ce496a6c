//! Threshold signing of BIP-340 signatures over an untrusted mesh, as pure state machines.
//!
//! Any t of n members sign, even if all others are offline, slow or malicious, and every provable
//! fault leaves a [`Proof`](proof::Proof). The protocol uses no clock, no socket, no task and no
//! global: a [`Session`](signing::Session) is given what arrived and the time, and returns what to
//! send and when it must be woken. `docs/protocol.md` specifies every byte and rule.
//!
//! The key comes from a [`keygen`] of all n: no party ever holds it, and the host key of a member
//! and a public file bring the member's share back.
//!
//! # A group signs
//!
//! Three members, two of whom must sign; here a queue stands for the network.
//!
//! ```
//! use std::{collections::VecDeque, sync::Arc, time::Duration};
//!
//! use roastery_frost::{SigningKey, danger_trusted_dealer};
//! use roastery_protocol::{
//!     Incarnation,
//!     clock::Moment,
//!     engine::FrostEngine,
//!     group::{Group, Member, PeerId},
//!     keys::{HostKey, IdentityKey},
//!     machine::{Destination, Machine},
//!     message::RefusalReason,
//!     request::{ApprovedRequest, Derivation, MessageToSign, Policy, SigningRequest, Step},
//!     signing::{Opening, Output, PeerHistory, Session, Settings},
//! };
//!
//! // What each member's own rules say. This one is too trusting for real use.
//! struct SignAnything;
//! impl Policy for SignAnything {
//!     fn judge(&self, _: &SigningRequest, _: Step) -> Result<(), RefusalReason> {
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rng = getrandom::SysRng;
//! let (keys, shares) = danger_trusted_dealer::deal(2, 3, &mut rng)?;
//! let mut identities = Vec::new();
//! let mut members = Vec::new();
//! for name in ["anna", "ben", "cleo"] {
//!     let host = HostKey::new(SigningKey::generate(&mut rng)?);
//!     let identity = IdentityKey::new(SigningKey::generate(&mut rng)?);
//!     let (identity_key, peer) = (identity.public_key(), PeerId::new(name)?);
//!     let binding = host.bind(&identity_key, &peer, 0);
//!     members.push(Member { host_key: host.public_key(), identity_key, peer, sequence: 0, binding });
//!     identities.push(Arc::new(identity));
//! }
//! let group = Arc::new(Group::new(keys, [0; 32], members)?);
//!
//! let now = Moment { monotonic: Duration::ZERO, wall: Duration::from_secs(1_800_000_000) };
//! let message = MessageToSign { message: [1; 32], derivation: Derivation::key_path_only() };
//! let request = SigningRequest::new(group.id(), [0; 32], now.wall_seconds() + 60, vec![message])?;
//!
//! let mut sessions = Vec::new();
//! for (seat, share) in group.seats().zip(shares) {
//!     let approved = ApprovedRequest::obtain(request.clone(), &group, Arc::new(SignAnything), now)?;
//!     let opening = Opening {
//!         group: group.clone(),
//!         seat,
//!         identity: identities[seat.index()].clone(),
//!         request: approved,
//!         incarnation: Incarnation::new(now.wall.as_millis() as u64, [seat.index() as u8; 8]),
//!         settings: Settings::default(),
//!         record: PeerHistory::default(),
//!     };
//!     let engine = FrostEngine::new(seat, group.keys().clone(), share);
//!     sessions.push(Session::open(opening, &engine, now)?);
//! }
//!
//! let mut network = VecDeque::new();
//! loop {
//!     for (from, session) in group.seats().zip(&mut sessions) {
//!         while let Some(output) = session.poll_output() {
//!             if let Output::Send { to, bytes } = output {
//!                 let reached = group.seats().filter(|seat| match to {
//!                     Destination::Seat(one) => *seat == one,
//!                     Destination::Everyone => *seat != from,
//!                 });
//!                 network.extend(reached.map(|to| (from, to, bytes.clone())));
//!             }
//!         }
//!     }
//!     let Some((from, to, bytes)) = network.pop_front() else { break };
//!     let peer = &group.member(from).ok_or("no such member")?.peer;
//!     // What a message did not do is said in the error; nothing that others send is an error here.
//!     let _ = sessions[to.index()].handle_message(peer, &bytes, now);
//! }
//!
//! let key = Derivation::key_path_only().tweaks(&group)?.x_only_public_key();
//! for session in &sessions {
//!     let outcome = session.outcome().ok_or("no signature")?;
//!     assert!(outcome.signatures[0].verify(&key, &[1; 32]));
//! }
//! # Ok(())
//! # }
//! ```

pub mod clock;
pub mod election;
pub mod engine;
pub mod envelope;
pub mod group;
mod ids;
pub mod keygen;
pub mod keys;
pub mod machine;
pub mod member;
pub mod message;
pub mod proof;
pub mod request;
pub mod signing;
pub mod tags;
mod verdict;
mod wire;

pub use ids::{
    Attempt, BodyHash, GroupId, Incarnation, KeygenId, ProofId, SessionId, SlotHash, TranscriptHash,
};
pub use roastery_frost::Seat;
