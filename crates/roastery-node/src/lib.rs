//! Runs the Roastery protocol over a real network and a real clock.
//!
//! The protocol itself is a set of pure state machines without network and clock. [`bus`] is the
//! mesh that carries their messages: one trait, and an implementation inside one process.
//! [`driver`] is the task that runs a member's sessions over it. The crate `roastery-libp2p` has a
//! bus over TCP and QUIC, and `roastery-store` a store for what a node keeps; neither is needed
//! here.
//!
//! A program that embeds a node may replace each of these by a part of its own;
//! `examples/embedding.rs` does, in some 60 lines:
//!
//! | part | trait | what is here |
//! |---|---|---|
//! | the network | [`Bus`](bus::Bus) | [`Mesh`](bus::Mesh), [`Channel`](bus::mux::Channel); `roastery_libp2p::P2pBus` |
//! | the records of shares that are about to leave, and of what a restart needs | [`Journal`](driver::Journal) | none: without one no record is kept |
//! | what holds the secret share | [`Engine`](roastery_protocol::member::engine::Engine) | [`FrostEngine`](roastery_protocol::member::engine::FrostEngine) |
//! | what is signed | [`Policy`](roastery_protocol::request::Policy) | none: it is the embedding program's |
//!
//! A member takes part in a signature in four steps; `examples/three_nodes.rs` is a whole group.
//!
//! ```
//! # use std::{error::Error, sync::Arc, time::Duration};
//! use roastery_node::bus::Mesh;
//! use roastery_node::driver::{Ended, LocalMember, Node};
//! use roastery_protocol::member::{engine::FrostEngine, machine::RequestOrigin};
//! # use roastery_protocol::request::{ApprovedRequest, Policy, SigningRequest};
//!
//! async fn take_part(
//!     mesh: &Mesh,
//!     member: LocalMember<FrostEngine>,
//!     request: SigningRequest,
//!     policy: Arc<dyn Policy>,
//! ) -> Result<Option<Ended>, Box<dyn Error>> {
//!     let group = member.group.clone();
//!     let bus = mesh.join(group.member(member.seats[0].0).ok_or("no such seat")?.peer.clone())?;
//!     let (node, handle) = Node::new(bus, member)?;
//!     tokio::spawn(node.run());
//!     let approved = ApprovedRequest::obtain(request, &group, policy, handle.now())?;
//!     let session = handle.sign(approved, RequestOrigin::Proposed, Duration::from_secs(60)).await?;
//!     Ok(session.ended().await)
//! }
//! ```

pub mod bus;
pub mod driver;
