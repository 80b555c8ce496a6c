//! An Electrum server.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs as _},
    sync::Arc,
};

use bdk_electrum::{
    BdkElectrumClient,
    electrum_client::{ElectrumApi as _, Param, raw_client::RawClient},
};
use bdk_wallet::{
    bitcoin::{Amount, FeeRate, Network, Transaction},
    chain::spk_client::FullScanRequest,
};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, pki_types::ServerName};

use super::{Deadline, Found, GAP, Patience, Question, SourceError, TARGET, update_of};

/// How many addresses are asked for in one message.
const BATCH: usize = 10;

/// The most bytes that are read of one connection.
const MOST_READ: usize = 128 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Electrum {
    url: String,
    patience: Patience,
    read: bool,
}

/// A connection of which no more is read than it may send, and no longer than it may take.
struct Bounded {
    stream: TcpStream,
    left: usize,
    deadline: Deadline,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.deadline.check().is_err() {
            return Err(io::Error::other("it takes too long to answer"));
        }
        let read = self.stream.read(into)?;
        self.left = self
            .left
            .checked_sub(read)
            .ok_or_else(|| io::Error::other(format!("it sends more than {MOST_READ} bytes")))?;
        Ok(read)
    }
}

impl Write for Bounded {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.stream.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Either kind of connection.
enum Stream {
    Plain(Bounded),
    Tls(Box<StreamOwned<ClientConnection, Bounded>>),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(from),
            Self::Tls(stream) => stream.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Electrum {
    pub(super) fn new(url: &str, patience: Patience) -> Self {
        Self { url: url.to_owned(), patience, read: false }
    }

    pub(super) fn begin(&mut self) {
        self.read = false;
    }

    /// A new connection, on which the server has said that it is on this network's chain.
    fn client(&self, network: Option<Network>) -> Result<RawClient<Stream>, SourceError> {
        let deadline = Deadline(std::time::Instant::now() + self.patience.all);
        let (scheme, host) = self.url.split_once("://").unwrap_or(("tcp", &self.url));
        let found = host.to_socket_addrs().map_err(SourceError::silent)?;
        let mut failure = SourceError::silent("its name stands for no address");
        let mut connected = None;
        for address in found.take(4) {
            match TcpStream::connect_timeout(&address, self.patience.answer) {
                Ok(stream) => {
                    connected = Some(stream);
                    break;
                }
                Err(error) => failure = SourceError::silent(error),
            }
        }
        let stream = connected.ok_or(failure)?;
        stream.set_read_timeout(Some(self.patience.answer)).map_err(SourceError::silent)?;
        stream.set_write_timeout(Some(self.patience.answer)).map_err(SourceError::silent)?;
        let stream = Bounded { stream, left: MOST_READ, deadline };
        let stream = match scheme {
            "ssl" => {
                let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
                let name = ServerName::try_from(name.to_owned()).map_err(SourceError::silent)?;
                let connection = ClientConnection::new(tls()?, name);
                let connection = connection.map_err(SourceError::silent)?;
                Stream::Tls(Box::new(StreamOwned::new(connection, stream)))
            }
            _ => Stream::Plain(stream),
        };
        let client = RawClient::from(stream);
        // A server may ask for the version before anything else.
        let versions = ["roastery", "1.4"].map(|text| Param::String(text.to_owned()));
        client.raw_call("server.version", versions).map_err(SourceError::silent)?;
        if let Some(network) = network {
            let genesis = client.block_header(0).map_err(SourceError::answer)?;
            if genesis != bitcoin::constants::genesis_block(network).header {
                return Err(SourceError::OtherChain(network.to_string()));
            }
        }
        Ok(client)
    }

    pub(super) fn next(
        &mut self,
        question: &Question,
        deadline: Deadline,
    ) -> Result<Option<Found>, SourceError> {
        if self.read {
            return Ok(None);
        }
        deadline.check()?;
        let client = BdkElectrumClient::new(self.client(Some(question.network))?);
        let mut request = FullScanRequest::builder_at(question.at).chain_tip(question.tip.clone());
        for (branch, revealed) in question.branches() {
            request = request.spks_for_keychain(branch, question.scripts_of(branch));
            if let Some(last) = revealed.checked_sub(1) {
                request = request.last_revealed_for_keychain(branch, last);
            }
        }
        let found = client.full_scan(request.build(), GAP as usize, BATCH, false);
        let found = found.map_err(SourceError::answer)?;
        let chain = found.chain_update.unwrap_or_else(|| question.tip.clone());
        let update = update_of(found.tx_update, found.last_active_indices, chain);
        self.read = true;
        Ok(Some(Found::History { update, last: true }))
    }

    pub(super) fn broadcast(&self, transaction: &Transaction) -> Result<(), SourceError> {
        let client = self.client(None)?;
        let sent = client.transaction_broadcast(transaction);
        match sent {
            Ok(_) => Ok(()),
            // One that is there already is sent.
            Err(error) => match client.transaction_get(&transaction.compute_txid()) {
                Ok(_) => Ok(()),
                Err(_) => Err(SourceError::says(&error.to_string())),
            },
        }
    }

    pub(super) fn fee_rate(&self) -> Result<Option<FeeRate>, SourceError> {
        let rate = self.client(None)?.estimate_fee(usize::from(TARGET), None);
        // BTC for 1000 virtual bytes; -1 where there is no estimate.
        let rate = rate.map_err(SourceError::answer)?;
        let amount = Amount::from_btc(rate).ok();
        Ok(amount.map(|amount| FeeRate::from_sat_per_kwu(amount.to_sat().div_ceil(4))))
    }
}

/// The certificates of the system, so that an operator's own authority counts.
fn tls() -> Result<Arc<ClientConfig>, SourceError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(SourceError::silent)?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
