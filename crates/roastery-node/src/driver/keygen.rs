use std::{collections::BTreeSet, time::Duration};

use roastery_frost::SecretShare;
use roastery_protocol::{
    Seat,
    clock::Moment,
    group::PeerId,
    keygen::{
        Event, NodeKeygen, NodeOpenError, NodeOpening, RecoveryFile, Report, SeatEvent,
        SignedTranscript, StopReason,
    },
    machine::{Link, Machine, Output},
};
use thiserror::Error;
use tokio::{sync::watch, task::coop::consume_budget};

use super::{
    clock::{self, Clock},
    sending::send,
};
use crate::bus::{Bus, BusEvent};

/// A member's node while the group's key is made: one key generation, for all seats of the node,
/// and its bus.
///
/// [`finish`](KeygenDriver::finish) runs it until each seat has its share, and after that
/// [`serve`](KeygenDriver::serve) as long as others may lack the certificate. Then the bus is free
/// for a [`Node`](super::Node).
#[derive(Debug)]
pub struct KeygenDriver<B> {
    bus: B,
    keygen: NodeKeygen,
    /// The peers that the bus has reported as connected.
    connected: BTreeSet<PeerId>,
    clock: Clock,
    /// A listener for its events, if there is one.
    watch: Option<tokio::sync::mpsc::UnboundedSender<(Duration, SeatEvent)>>,
    reports: watch::Sender<Report>,
    ended: Option<StopReason>,
    /// The transcript that is to be stored before anything else happens.
    unstored: Option<SignedTranscript>,
}

/// A key that all members have signed for.
#[derive(Debug)]
pub struct GeneratedKey {
    /// The secret share of each seat of this node, in ascending order.
    pub shares: Vec<(Seat, SecretShare)>,
    /// The recovery file, from which the host keys compute the shares again; it contains the group.
    pub file: RecoveryFile,
}

/// Why there is no key here.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeygenError {
    /// The key generation could not be opened.
    #[error("the ceremony could not be opened: {0}")]
    Open(#[from] NodeOpenError),
    /// The key generation has ended without a key.
    #[error("no key: {reason}")]
    Ended {
        /// The reason.
        reason: StopReason,
        /// What it waited for, and the faults that were found.
        report: Box<Report>,
    },
    /// The transcript to be signed could not be stored, so the signature has not left.
    #[error("what is signed could not be stored: {0}")]
    Store(#[source] std::io::Error),
    /// The bus was closed.
    #[error("the bus is closed")]
    BusClosed,
    /// The shares were taken before.
    #[error("the shares were taken before")]
    SharesTaken,
}

impl<B: Bus> KeygenDriver<B> {
    /// Opens a key generation at this member's bus. The seed of each seat, and the transcript that
    /// it has signed, must be stored already.
    ///
    /// # Errors
    ///
    /// [`NodeOpenError`].
    pub fn open(bus: B, opening: NodeOpening) -> Result<Self, NodeOpenError> {
        let clock = Clock::start(clock::system);
        let keygen = NodeKeygen::open(opening, clock.now())?;
        let reports = watch::Sender::new(keygen.report());
        let (connected, ended, unstored) = (BTreeSet::new(), None, None);
        Ok(Self { bus, keygen, connected, clock, watch: None, reports, ended, unstored })
    }

    /// Sends the events from here on to a listener, with the time since the opening. A key
    /// generation has few events: their number is bounded by its members.
    pub fn watch(&mut self, listener: tokio::sync::mpsc::UnboundedSender<(Duration, SeatEvent)>) {
        self.watch = Some(listener);
    }

    /// Runs until there is a key that all members have signed for, or until it is certain that this
    /// node gets none.
    ///
    /// `store` is called with the transcript that a seat is about to sign, before the signature
    /// leaves, and must not return before it is stored beside that seat's seed. The future may be
    /// dropped and the function called again.
    ///
    /// # Errors
    ///
    /// [`KeygenError`].
    pub async fn finish(
        &mut self,
        mut store: impl FnMut(SignedTranscript) -> std::io::Result<()>,
    ) -> Result<GeneratedKey, KeygenError> {
        loop {
            self.flush(&mut store)?;
            if let Some(file) = self.keygen.recovery_file().cloned() {
                let shares = self.keygen.take_shares().ok_or(KeygenError::SharesTaken)?;
                return Ok(GeneratedKey { shares, file });
            }
            if let Some(reason) = self.ended {
                let report = Box::new(self.keygen.report());
                return Err(KeygenError::Ended { reason, report });
            }
            self.turn().await?;
        }
    }

    /// Answers others that lack the certificate. Ends when the key generation's lifetime is over or
    /// the bus is closed, or if this member has not finished and would have to sign: then
    /// [`finish`](KeygenDriver::finish) must be called.
    pub async fn serve(&mut self) {
        let (clock, end) = (self.clock, self.keygen.expires_at());
        let mut store = |_| Err(std::io::ErrorKind::Unsupported.into());
        let answering =
            async { while self.flush(&mut store).is_ok() && self.turn().await.is_ok() {} };
        tokio::select! {
            () = answering => {}
            () = clock.until(Some(end)) => {}
        }
    }

    /// Which members it waits for, for what and since when, and the faults that were found.
    pub fn report(&self) -> Report {
        self.keygen.report()
    }

    /// The node's clock, by which the times in its reports are measured.
    pub fn clock(&self) -> impl Fn() -> Moment + Clone + Send + use<B> {
        let clock = self.clock;
        move || clock.now()
    }

    /// The report after each turn, for a task that observes while another one runs it.
    pub fn reports(&self) -> watch::Receiver<Report> {
        self.reports.subscribe()
    }

    /// Returns the bus, for the signing node, and the peers that are connected, of which that node
    /// learns by [`Node::with_connected`](super::Node::with_connected).
    pub fn into_bus(self) -> (B, BTreeSet<PeerId>) {
        (self.bus, self.connected)
    }

    async fn turn(&mut self) -> Result<(), KeygenError> {
        consume_budget().await;
        let wake = self.clock.until(self.keygen.next_timeout());
        let event = tokio::select! {
            event = self.bus.receive() => Some(event.ok_or(KeygenError::BusClosed)?),
            () = wake => None,
        };
        let now = self.clock.now();
        match event {
            // A peer's message is never an error of this node; the key generation has recorded what
            // matters.
            Some(BusEvent::Message { from, bytes }) => {
                let _ = self.keygen.handle_message(&from, &bytes, now);
            }
            Some(BusEvent::Connected(peer)) => {
                self.keygen.handle_link(&peer, Link::Up, now);
                self.connected.insert(peer);
            }
            Some(BusEvent::Disconnected(peer)) => {
                self.keygen.handle_link(&peer, Link::Down, now);
                self.connected.remove(&peer);
            }
            None => self.keygen.handle_timeout(now),
        }
        if self.reports.receiver_count() > 0 {
            self.reports.send_replace(self.keygen.report());
        }
        Ok(())
    }

    /// If storing fails it is tried again, before anything else, when this is called again.
    fn store(
        &mut self,
        store: &mut impl FnMut(SignedTranscript) -> std::io::Result<()>,
    ) -> Result<(), KeygenError> {
        if let Some(record) = self.unstored {
            store(record).map_err(KeygenError::Store)?;
            self.unstored = None;
            self.keygen.persisted(record, true, self.clock.now());
        }
        Ok(())
    }

    /// Does what the key generation has asked for.
    fn flush(
        &mut self,
        store: &mut impl FnMut(SignedTranscript) -> std::io::Result<()>,
    ) -> Result<(), KeygenError> {
        self.store(store)?;
        while let Some(output) = self.keygen.poll_output() {
            match output {
                Output::Send { to, bytes } => {
                    let invitation = self.keygen.invitation();
                    let peer = |seat| Some(invitation.member(seat)?.peer.clone());
                    send(&mut self.bus, to, peer, &bytes);
                }
                Output::Persist(record) => {
                    self.unstored = Some(record);
                    self.store(store)?;
                }
                Output::Event(event) => {
                    if let Event::Ended(reason) = &event.event {
                        self.ended = Some(*reason);
                    }
                    let at = self.clock.now().monotonic;
                    // The listener may be dropped.
                    let _ = self.watch.as_ref().map(|watch| watch.send((at, event)));
                }
            }
        }
        Ok(())
    }
}
