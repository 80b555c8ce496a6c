//! Threshold signing of BIP-340 signatures over an untrusted mesh, as pure state machines.
//!
//! Any t of n members sign, even if all others are offline, slow or malicious, and every provable
//! fault leaves a [`Proof`](member::proof::Proof). The protocol uses no clock, no socket, no task
//! and no global: a [`Member`](member::machine::Member), which is all of one group at one node, is
//! given what arrived and the time, and returns what to send, what to store and when it must be
//! woken. `docs/protocol.md` and `docs/signing.md` specify every byte and rule.
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
//!     clock::Moment,
//!     group::{Group, Member as Named, PeerId},
//!     keys::{HostKey, IdentityKey},
//!     machine::{Destination, Link, Machine, Output},
//!     member::{
//!         engine::{FrostArithmetic, FrostEngine},
//!         machine::{Member, Opening, RequestOrigin},
//!     },
//!     request::{
//!         ApprovedRequest, Derivation, MessageToSign, Policy, RefusalReason, SigningRequest, Step,
//!     },
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
//!     members.push(Named { host_key: host.public_key(), identity_key, peer, sequence: 0, binding });
//!     identities.push(Arc::new(identity));
//! }
//! let group = Arc::new(Group::new(keys, [0; 32], members)?);
//!
//! let now = Moment { monotonic: Duration::ZERO, wall: Duration::from_secs(1_800_000_000) };
//! let message = MessageToSign { message: [1; 32], derivation: Derivation::key_path_only() };
//! let request = SigningRequest::new(group.id(), [0; 32], now.wall_seconds() + 60, vec![message])?;
//!
//! let mut nodes = Vec::new();
//! for (seat, share) in group.seats().zip(shares) {
//!     let arithmetic = FrostArithmetic::new(group.keys().clone());
//!     let opening = Opening {
//!         group: group.clone(),
//!         seats: vec![(seat, identities[seat.index()].clone())],
//!         last_incarnation: None,
//!         proofs: Vec::new(),
//!         engine: FrostEngine::new(arithmetic.clone(), [(seat, share)]),
//!         arithmetic,
//!         entropy: Box::new(|| {
//!             let mut random = [0; 8];
//!             getrandom::fill(&mut random).ok()?;
//!             Some(random)
//!         }),
//!     };
//!     let mut node = Member::new(opening, now)?;
//!     for other in group.seats().filter(|other| *other != seat) {
//!         let peer = &group.member(other).ok_or("no such member")?.peer;
//!         node.handle_link(peer, Link::Up, now);
//!     }
//!     let approved = ApprovedRequest::obtain(request.clone(), &group, Arc::new(SignAnything), now)?;
//!     node.open(approved, RequestOrigin::Proposed, now)?;
//!     nodes.push(node);
//! }
//!
//! let mut network = VecDeque::new();
//! let mut now = now;
//! while nodes.iter().any(|node| node.outcome(request.session_id()).is_none()) {
//!     for (from, node) in group.seats().zip(&mut nodes) {
//!         while let Some(output) = node.poll_output() {
//!             match output {
//!                 Output::Send { to, bytes } => {
//!                     let reached = group.seats().filter(|seat| match to {
//!                         Destination::Seat(one) => *seat == one,
//!                         Destination::Everyone => *seat != from,
//!                     });
//!                     network.extend(reached.map(|to| (from, to, bytes.clone())));
//!                 }
//!                 // A real node calls this once the record is on its disk.
//!                 Output::Persist(record) => node.persisted(record, true, now),
//!                 Output::Event(_) => {}
//!             }
//!         }
//!     }
//!     if let Some((from, to, bytes)) = network.pop_front() {
//!         let peer = &group.member(from).ok_or("no such member")?.peer;
//!         // What a frame did not do is said in the error, and is no error of this node.
//!         let _ = nodes[to.index()].handle_message(peer, &bytes, now);
//!     } else {
//!         // Nothing is on its way: time passes.
//!         let later = Duration::from_millis(100);
//!         now = Moment { monotonic: now.monotonic + later, wall: now.wall + later };
//!         nodes.iter_mut().for_each(|node| node.handle_timeout(now));
//!     }
//! }
//!
//! let key = Derivation::key_path_only().tweaks(&group)?.x_only_public_key();
//! for node in &nodes {
//!     let outcome = node.outcome(request.session_id()).ok_or("no signature")?;
//!     assert!(outcome.signatures[0].verify(&key, &[1; 32]));
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(any(test, feature = "fake"))]
pub mod chance;
pub mod change;
pub mod clock;
pub mod election;
pub mod envelope;
mod fingerprint;
pub mod group;
mod ids;
pub mod keygen;
pub mod keys;
pub mod kit;
pub mod machine;
pub mod member;
pub mod pairing;
pub mod request;
pub mod returning;
pub mod tags;
mod verdict;
mod wire;

pub use fingerprint::Fingerprint;
pub use ids::{
    Attempt, BodyHash, ChangeTranscriptHash, GroupId, KeyId, KeygenId, PlanId, ProofId, SessionId,
    SlotHash, TranscriptHash,
};
pub use roastery_frost::Seat;
