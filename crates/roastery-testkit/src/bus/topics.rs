//! Messages with a topic, and any other content.

use roastery_node::bus::mux::Topic;
use roastery_protocol::GroupId;

pub fn group(name: u8) -> Topic {
    Topic::Group(GroupId::from_bytes([name; 32]))
}

/// An invalid signature and a header, as docs/protocol.md defines them.
pub fn heading(topic: Topic) -> Vec<u8> {
    let (kind, name, rest) = match topic {
        Topic::Group(group) => (5, *group.as_bytes(), 38),
        Topic::Keygen(keygen) => (16, *keygen.as_bytes(), 2),
    };
    [&[0; 64][..], &[1, kind], &name, &vec![0; rest]].concat()
}
