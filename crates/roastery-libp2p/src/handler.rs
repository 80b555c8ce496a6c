//! The handler of one connection: one inbound and one outbound stream.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{AsyncWriteExt, FutureExt};
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandler, DialUpgradeError, FullyNegotiatedInbound,
    FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandlerEvent, Stream, StreamProtocol, StreamUpgradeError, SubstreamProtocol,
};
use tokio::task::coop::consume_budget;

use super::frame::{self, Batch, FrameError};
use super::links::Link;

/// The one protocol of a connection: frames of messages, in one direction.
const PROTOCOL: StreamProtocol = StreamProtocol::new("/roastery/frames/1");

/// Why a connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The peer has closed its stream after a whole message, or the network failed.
    Gone,
    /// A timeout or a closed stream within a message, or within the opening of a stream.
    Unfinished,
    /// A breach of the protocol that no node of this software commits.
    Violation,
}

impl From<FrameError> for End {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLong { .. } => Self::Violation,
            FrameError::Stalled | FrameError::BrokenOff => Self::Unfinished,
            FrameError::Failed(_) => Self::Gone,
        }
    }
}

type Task = Pin<Box<dyn Future<Output = End> + Send>>;

/// The protocol of one connection. It opens one stream to write to, and reads from the one that the
/// peer opens. The end of either of them ends the connection; the next connection starts afresh.
pub(super) struct Handler {
    /// Dropped as soon as nothing more can be received over it.
    link: Option<Arc<Link>>,
    stall: Duration,
    requested: bool,
    reader: Option<Task>,
    writer: Option<Task>,
    has_reader: bool,
    end: Option<End>,
    told: bool,
}

impl Handler {
    pub(super) fn new(link: Link, stall: Duration) -> Self {
        Self {
            link: Some(Arc::new(link)),
            stall,
            requested: false,
            reader: None,
            writer: None,
            has_reader: false,
            end: None,
            told: false,
        }
    }

    /// For a peer that is no member: it has no link.
    pub(super) fn of_guest(stall: Duration) -> Self {
        Self {
            link: None,
            stall,
            requested: true,
            reader: None,
            writer: None,
            has_reader: false,
            end: None,
            told: false,
        }
    }

    /// The first reason counts. Later ones are ignored.
    fn end(&mut self, end: End) {
        self.end.get_or_insert(end);
        self.reader = None;
        self.writer = None;
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = std::convert::Infallible;
    type ToBehaviour = End;
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
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), End>> {
        if !self.requested {
            self.requested = true;
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        let tasks = [&mut self.reader, &mut self.writer].into_iter().flatten();
        let ended = tasks.map(|task| task.poll_unpin(context)).find(Poll::is_ready);
        if let Some(Poll::Ready(end)) = ended {
            self.end(end);
        }
        match self.end {
            Some(end) if !self.told => {
                self.told = true;
                Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(end))
            }
            _ => Poll::Pending,
        }
    }

    /// Nothing is read after this. Closing the connection itself may take time: for the reader of
    /// the bus the link is gone now.
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Option<End>> {
        self.reader = None;
        self.writer = None;
        self.link = None;
        Poll::Ready(None)
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        let (Some(link), None) = (&self.link, self.end) else { return };
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) => {
                if self.has_reader {
                    self.end(End::Violation);
                } else {
                    self.has_reader = true;
                    self.reader = Some(Box::pin(read(stream, link.clone(), self.stall)));
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                ..
            }) => {
                self.writer = Some(Box::pin(write(stream, link.clone(), self.stall)));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.end(match error {
                    StreamUpgradeError::Timeout => End::Unfinished,
                    StreamUpgradeError::NegotiationFailed => End::Violation,
                    StreamUpgradeError::Io(_) | StreamUpgradeError::Apply(_) => End::Gone,
                });
            }
            _ => {}
        }
    }
}

/// Delivers the peer's messages one after the other, whether there is room for them or not: a full
/// queue must not block the peer's other streams, such as its pings.
async fn read(mut stream: Stream, link: Arc<Link>, stall: Duration) -> End {
    let max = link.limits().max_message_bytes;
    loop {
        // A peer that always sends must leave other tasks their turn.
        consume_budget().await;
        match frame::read(&mut stream, max, stall).await {
            Ok(Some(message)) => link.receive(&message),
            Ok(None) => return End::Gone,
            Err(error) => {
                if let FrameError::TooLong { .. } = error {
                    link.receive_too_large();
                }
                return error.into();
            }
        }
    }
}

/// Writes the queued messages for the peer, until the bus ends.
async fn write(mut stream: Stream, link: Arc<Link>, stall: Duration) -> End {
    let mut batch = Batch::default();
    while let Some(message) = link.wait().await {
        batch.add(&message);
        while !batch.is_full()
            && let Some(message) = link.next()
        {
            batch.add(&message);
        }
        if let Err(error) = batch.write(&mut stream, stall).await {
            return error.into();
        }
    }
    // The end that closes a connection loses what is still in transit. The other end has received
    // all of it when it sees the end of the stream, and closes the connection then.
    let _ = stream.close().await;
    std::future::pending().await
}
