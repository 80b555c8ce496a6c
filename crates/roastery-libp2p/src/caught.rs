//! A handler of libp2p whose panic ends its connection, and nothing else.
//!
//! What a peer sends can make libp2p's relay client panic: a reservation that expires later than
//! the clock can count. Without this the task of the connection ends, and the swarm goes on taking
//! the peer for connected.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use libp2p::swarm::handler::{ConnectionEvent, ConnectionHandler};
use libp2p::swarm::{ConnectionHandlerEvent, SubstreamProtocol};

/// A handler, which is not polled any more once it has panicked.
pub(super) struct Caught<H> {
    inner: H,
    panicked: bool,
}

/// The handler has panicked: its connection is to be closed.
#[derive(Debug)]
pub(super) struct Panicked;

impl<H> Caught<H> {
    pub(super) fn new(inner: H) -> Self {
        Self { inner, panicked: false }
    }
}

impl<H: ConnectionHandler> ConnectionHandler for Caught<H> {
    type FromBehaviour = H::FromBehaviour;
    type ToBehaviour = Result<H::ToBehaviour, Panicked>;
    type InboundProtocol = H::InboundProtocol;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<H::InboundProtocol, H::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<H::OutboundProtocol, H::OutboundOpenInfo, Self::ToBehaviour>>
    {
        if self.panicked {
            return Poll::Pending;
        }
        let next = catch_unwind(AssertUnwindSafe(|| self.inner.poll(context)));
        match next {
            Ok(next) => next.map(|event| event.map_custom(Ok)),
            Err(_) => {
                self.panicked = true;
                Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Err(Panicked)))
            }
        }
    }

    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        match self.panicked {
            true => Poll::Ready(None),
            false => self.inner.poll_close(context).map(|event| event.map(Ok)),
        }
    }

    fn on_behaviour_event(&mut self, event: H::FromBehaviour) {
        if !self.panicked {
            self.inner.on_behaviour_event(event);
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            '_,
            Self::InboundProtocol,
            Self::OutboundProtocol,
            Self::InboundOpenInfo,
            Self::OutboundOpenInfo,
        >,
    ) {
        if !self.panicked {
            self.inner.on_connection_event(event);
        }
    }
}
