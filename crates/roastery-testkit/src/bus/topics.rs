//! Messages with a topic, and any other content.

use roastery_node::bus::mux::Topic;
use roastery_protocol::GroupId;

pub fn group(name: u8) -> Topic {
    Topic::Group(GroupId::from_bytes([name; 32]))
}

/// An invalid signature and a header: evidence, as docs/signing.md defines it, or a message of a
/// key generation, as docs/protocol.md does, or of a change, as docs/keylife.md does.
pub fn heading(topic: Topic) -> Vec<u8> {
    match topic {
        Topic::Group(group) => [&[1][..], &[0; 64], &[2, 5], group.as_bytes(), &[0; 34]].concat(),
        Topic::Keygen(keygen) => [&[0; 64][..], &[1, 16], keygen.as_bytes(), &[0; 2]].concat(),
        Topic::Change(plan) => [&[0; 64][..], &[1, 33], plan.as_bytes(), &[0; 3]].concat(),
        Topic::Whereabouts => b"rstwhere".to_vec(),
        Topic::Key(key) => [&[1, 44][..], key.as_bytes(), &[0; 3]].concat(),
        Topic::Kits(key) => [&[1, 48][..], key.as_bytes(), &[0; 3]].concat(),
    }
}
