//! A small name server on this machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{Name, RData, Record};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::published::NameServers;

/// The most bytes of an answer over UDP; a longer one is asked for over TCP.
const DATAGRAM: usize = 1232;

/// A name server with TXT records under `_dnsaddr.NAME`, over UDP and TCP.
pub(super) struct Zone {
    records: BTreeMap<Name, Vec<String>>,
    asked: AtomicUsize,
    port: u16,
}

/// The name server at this port of this machine.
pub(super) fn at_port(port: u16) -> NameServers {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = port;
        connection
    });
    let server = NameServerConfig::new([127, 0, 0, 1].into(), true, connections.to_vec());
    NameServers::These(ResolverConfig::from_name_servers(vec![server]))
}

impl Zone {
    pub(super) async fn new(records: &[(&str, Vec<String>)]) -> Arc<Self> {
        let (udp, tcp) = sockets().await;
        let port = udp.local_addr().unwrap().port();
        let name = |name: &str| Name::from_ascii(format!("_dnsaddr.{name}.")).unwrap();
        let records = records.iter().map(|(at, texts)| (name(at), texts.clone())).collect();
        let zone = Arc::new(Self { records, asked: AtomicUsize::new(0), port });
        tokio::spawn(zone.clone().serve_udp(udp));
        tokio::spawn(zone.clone().serve_tcp(tcp));
        zone
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The number of questions so far.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    async fn serve_udp(self: Arc<Self>, socket: UdpSocket) {
        let mut buffer = [0; 4096];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let answer = self.answer(&buffer[..length]);
            let mut bytes = answer.to_vec().unwrap();
            if bytes.len() > DATAGRAM {
                bytes = answer.truncate().to_vec().unwrap();
            }
            socket.send_to(&bytes, from).await.unwrap();
        }
    }

    async fn serve_tcp(self: Arc<Self>, listener: TcpListener) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let zone = self.clone();
            tokio::spawn(async move {
                // Until the client closes it.
                while let Ok(length) = stream.read_u16().await {
                    let mut question = vec![0; length.into()];
                    stream.read_exact(&mut question).await.unwrap();
                    let answer = zone.answer(&question).to_vec().unwrap();
                    stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            });
        }
    }

    fn answer(&self, question: &[u8]) -> Message {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let question = Message::from_vec(question).unwrap();
        let query = question.queries[0].clone();
        let mut answer = Message::response(question.id, OpCode::Query);
        answer.add_query(query.clone());
        match self.records.get(&query.name().to_lowercase()) {
            Some(texts) => texts.iter().for_each(|text| {
                // In strings of at most 255 bytes, as DNS has them.
                let text = TXT::from_bytes(text.as_bytes().chunks(255).collect());
                answer.add_answer(Record::from_rdata(query.name().clone(), 60, RData::TXT(text)));
            }),
            None => answer.metadata.response_code = ResponseCode::NXDomain,
        }
        answer
    }
}

/// One port for both protocols.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}
