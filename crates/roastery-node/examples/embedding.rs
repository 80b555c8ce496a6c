//! A program signs with a bus, a journal and an engine of its own: `cargo run -p roastery-node
//! --example embedding`.
use roastery_frost::{PartialSignature, PublicNonce};
use roastery_node::{bus::*, driver::*};
use roastery_protocol::{
    Seat, SessionId,
    clock::Moment,
    group::PeerId,
    member::{engine::*, machine::Record},
    request::ApprovedRequest,
};
use roastery_testkit::demo;

/// A bus: a mesh inside the process, in place of any network.
struct OwnBus(MeshBus);
impl Bus for OwnBus {
    fn local_peer(&self) -> &PeerId {
        self.0.local_peer()
    }
    fn max_message_bytes(&self) -> usize {
        self.0.max_message_bytes()
    }
    fn send(&mut self, to: Destination, message: &[u8]) -> Result<(), SendError> {
        println!("{} sends {} bytes to {to:?}", self.local_peer(), message.len());
        self.0.send(to, message)
    }
    async fn receive(&mut self) -> Option<BusEvent> {
        self.0.receive().await
    }
    fn stats(&self) -> BusStats {
        self.0.stats()
    }
}
/// A journal: no share leaves before its ack is used. A thread does that, for the node must not
/// be blocked.
struct OwnJournal(Seat);
impl Journal for OwnJournal {
    fn keep(&mut self, record: Record, ack: JournalAck) {
        println!("seat {} is to keep {record:?}", self.0);
        std::thread::spawn(|| ack.kept());
    }
}
/// An engine: the real one, in place of a device that holds the share.
struct OwnEngine(FrostEngine);
impl Engine for OwnEngine {
    fn draw(&mut self, slots: &SlotRange, context: &DrawContext) -> Answer<Vec<PublicNonce>> {
        self.0.draw(slots, context)
    }
    fn open(&mut self, request: &ApprovedRequest) -> Answer<()> {
        println!("session {} is opened", request.session_id());
        self.0.open(request)
    }
    fn sign(&mut self, order: &SignOrder, now: Moment) -> Answer<Vec<PartialSignature>> {
        self.0.sign(order, now)
    }
    fn void(&mut self, what: Void) {
        self.0.void(what);
    }
    fn close(&mut self, session: SessionId) {
        self.0.close(session);
    }
    fn live_slots(&self) -> usize {
        self.0.live_slots()
    }
}
#[tokio::main]
async fn main() -> demo::Result<()> {
    let (mesh, peers, mut nodes) = (Mesh::default(), demo::peers(3)?, Vec::new());
    let (group, members) = demo::deal(2, &peers)?;
    for LocalMember { group, seats, engine, arithmetic, last_incarnation, proofs } in members {
        let (seat, engine) = (seats[0].0, OwnEngine(engine));
        let member = LocalMember { group, seats, engine, arithmetic, last_incarnation, proofs };
        let (node, handle) = Node::new(OwnBus(mesh.join(peers[seat.index()].clone())?), member)?;
        tokio::spawn(node.with_journal(OwnJournal(seat)).run());
        nodes.push(handle);
    }
    let signed = demo::sign(&group, &nodes, 1).await?;
    assert!(signed.signature.verify(&signed.key.public_key(), &signed.key.message));
    Ok(())
}
