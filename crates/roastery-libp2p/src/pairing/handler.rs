//! One connection's stream of a pairing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{AsyncReadExt as _, FutureExt};
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandler, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandlerEvent, ConnectionId, Stream, StreamProtocol, SubstreamProtocol,
};
use libp2p::{Multiaddr, PeerId as NetworkPeer};
use roastery_protocol::pairing::{MAX_FRAME, MAX_HELLO};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::shared::{Shared, StreamEnd};
use super::{PairEvent, PairMessage};
use crate::admission::source;
use crate::frame::{self, Batch, FrameError};
use crate::key::name;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/roastery/pair/1");

/// How long a peer that has called may take to open its stream, to send its Hello, and to be
/// admitted.
const HELLO: Duration = Duration::from_secs(5);

/// The timeout within one message.
const STALL: Duration = Duration::from_secs(30);

/// Messages of one peer that were read and not taken yet.
const MOST_READ: usize = 4;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the behaviour has a handler do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Do {
    Open,
    Drop,
}

/// The stream has ended, or a guest has opened none in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Over;

pub(crate) struct PairHandler {
    shared: Arc<Shared>,
    peer: NetworkPeer,
    connection: ConnectionId,
    /// The address of a peer that has called.
    from: Option<Multiaddr>,
    open: bool,
    task: Option<Task>,
    /// Until when a guest must have opened its stream.
    waits: Option<Task>,
    over: bool,
}

impl PairHandler {
    pub(super) fn new(
        shared: Arc<Shared>,
        peer: NetworkPeer,
        connection: ConnectionId,
        from: Option<Multiaddr>,
    ) -> Self {
        let waits = from.as_ref().map(|_| Box::pin(sleep(HELLO)) as Task);
        Self { shared, peer, connection, from, open: false, task: None, waits, over: false }
    }

    fn talk(&mut self, stream: Stream, called: bool) {
        let from = self.from.as_ref().map(|from| source(from).to_string());
        let end = self.shared.stream(self.peer, self.connection, from, called);
        self.waits = None;
        self.task = Some(Box::pin(talk(stream, end)));
    }
}

impl ConnectionHandler for PairHandler {
    type FromBehaviour = Do;
    type ToBehaviour = Over;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Over>> {
        if std::mem::take(&mut self.open) {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        for running in [&mut self.task, &mut self.waits] {
            if running.as_mut().is_some_and(|task| task.poll_unpin(context).is_ready()) {
                *running = None;
                self.over = true;
            }
        }
        match std::mem::take(&mut self.over) {
            true => Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Over)),
            false => Poll::Pending,
        }
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Option<Over>> {
        self.task = None;
        Poll::Ready(None)
    }

    fn on_behaviour_event(&mut self, event: Do) {
        match event {
            Do::Open => self.open = true,
            Do::Drop => self.task = None,
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) => {
                // One stream at a time, and none while there is no line to prove.
                if self.task.is_none() && self.shared.is_open() {
                    self.talk(stream, false);
                } else {
                    self.over = true;
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                ..
            }) => self.talk(stream, true),
            ConnectionEvent::DialUpgradeError(_) => {
                let reason = "it takes no pairings now: has the line ended, or its node restarted?";
                let (peer, reason) = (name(&self.peer), reason.to_owned());
                self.shared.tell(PairEvent::NotReached { peer, reason });
            }
            _ => {}
        }
    }
}

/// Reads and writes until either ends.
async fn talk(stream: Stream, end: StreamEnd) {
    let (mut reader, mut writer) = stream.split();
    let mut end = end;
    let room = Arc::new(Semaphore::new(MOST_READ));
    let mut admitted = end.admitted.clone();
    let mut outbound = std::mem::replace(&mut end.outbound, tokio::sync::mpsc::channel(1).1);
    let read = async {
        // Until it is admitted one Hello is read.
        if !*admitted.borrow_and_update() {
            let first = timeout(HELLO, frame::read(&mut reader, MAX_HELLO, HELLO)).await;
            let Ok(Ok(Some(bytes))) = first else { return };
            take(&end, &room, bytes).await;
            let admitted = timeout(HELLO, admitted.wait_for(|admitted| *admitted)).await;
            if !matches!(admitted, Ok(Ok(_))) {
                return;
            }
        }
        while let Ok(Some(bytes)) = next(&mut reader).await {
            take(&end, &room, bytes).await;
        }
    };
    let write = async {
        let mut batch = Batch::default();
        while let Some(bytes) = outbound.recv().await {
            batch.add(&bytes);
            if batch.write(&mut writer, STALL).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
}

async fn next(
    reader: &mut (impl futures_util::AsyncRead + Unpin),
) -> Result<Option<Vec<u8>>, FrameError> {
    frame::read(reader, MAX_FRAME, STALL).await
}

/// Hands a message on, when there is room.
async fn take(end: &StreamEnd, room: &Arc<Semaphore>, bytes: Vec<u8>) {
    if let Ok(room) = room.clone().acquire_owned().await {
        let bytes = PairMessage { bytes, _room: room };
        end.tell(PairEvent::Message { peer: name(&end.peer), bytes });
    }
}
