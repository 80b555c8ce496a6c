use roastery_protocol::member::{engine::FrostArithmetic, machine::Member};

use super::RecordingEngine;
use crate::world;

/// The machine of a node.
pub type Machine = Member<RecordingEngine, FrostArithmetic>;

/// A node over all its restarts.
pub type Node = world::Node<Machine>;
