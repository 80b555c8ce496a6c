//! A message of 300 bytes from one node to all others, over this crate's streams and over
//! gossipsub, in groups of 5, 20 and 100 on this machine: how long until the last one has it, and
//! how many bytes it costs.
//!
//! `cargo run --release -p roastery-libp2p --example streams_beside_gossipsub`
//!
//! Bytes are those on the loopback interface, headers and acknowledgements included, as Linux
//! counts them. They are those of the whole machine: run it where little else is going on.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use libp2p::{
    Multiaddr, Swarm, SwarmBuilder,
    gossipsub::{self, IdentTopic, MessageAuthenticity, ValidationMode},
    noise,
    swarm::SwarmEvent,
    tcp, yamux,
};
use roastery_libp2p::{DialAddress, Endpoint, P2pBus, P2pSettings, TransportKey};
use roastery_node::bus::{Bus, BusEvent, Destination};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MESSAGE: usize = 300;
const ROUNDS: u8 = 50;
const PAUSE: Duration = Duration::from_millis(50);
const LISTEN: &str = "/ip4/127.0.0.1/tcp/0";

/// Bytes sent over the loopback interface since the machine started.
fn loopback_bytes() -> Option<u64> {
    let counters = std::fs::read_to_string("/proc/net/dev").ok()?;
    let line = counters.lines().find_map(|line| line.trim().strip_prefix("lo:"))?;
    line.split_whitespace().nth(8)?.parse().ok()
}

/// One way of sending to all others.
trait Way {
    /// Ready for a first message.
    async fn start(nodes: usize) -> Result<Self>
    where
        Self: Sized;

    fn say(&mut self, message: &[u8]) -> Result<()>;

    /// Waits for the next node that receives a message.
    async fn heard(&mut self) -> Result<Vec<u8>>;
}

async fn measure<W: Way>(name: &str, nodes: usize) -> Result<()> {
    let mut way = W::start(nodes).await?;
    let (mut times, mut lost) = (Vec::new(), 0);
    let before = loopback_bytes();
    for round in 0..ROUNDS {
        let message = [round; MESSAGE];
        let start = Instant::now();
        way.say(&message)?;
        let mut missing = nodes - 1;
        let all = async {
            while missing > 0 {
                if way.heard().await? == message {
                    missing -= 1;
                }
            }
            Ok::<_, Box<dyn Error>>(())
        };
        match timeout(Duration::from_secs(5), all).await {
            Ok(all) => {
                all?;
                times.push(start.elapsed());
            }
            Err(_) => lost += 1,
        }
        sleep(PAUSE).await;
    }
    let bytes = loopback_bytes().zip(before).map(|(after, before)| after - before);
    let bytes = bytes.map_or("-".to_owned(), |bytes| (bytes / u64::from(ROUNDS)).to_string());
    times.sort();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().max(1) - 1));
    println!(
        "| {nodes} | {name} | {:.2?} | {:.2?} | {bytes} | {lost} |",
        at(50).copied().unwrap_or_default(),
        at(95).copied().unwrap_or_default(),
    );
    Ok(())
}

/// This crate's bus.
struct Streams {
    speaker: P2pBus,
    heard: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Way for Streams {
    async fn start(nodes: usize) -> Result<Self> {
        let (mut endpoints, mut roster) = (Vec::new(), Vec::new());
        for _ in 0..nodes {
            let mut secret = [0; 32];
            getrandom::fill(&mut secret)?;
            let key = TransportKey::from_secret(&mut secret);
            let endpoint = Endpoint::bind(key, &[LISTEN.parse()?], P2pSettings::default()).await?;
            let called = endpoint.addresses().map(|address| address.to_string().parse());
            let called = called.collect::<std::result::Result<Vec<DialAddress>, _>>()?;
            roster.push((endpoint.peer().clone(), called));
            endpoints.push(endpoint);
        }
        let (hear, heard) = mpsc::unbounded_channel();
        let mut buses = Vec::new();
        for endpoint in endpoints {
            buses.push(endpoint.join(roster.clone())?);
        }
        let mut speaker = buses.remove(0);
        for mut bus in buses {
            let hear = hear.clone();
            tokio::spawn(async move {
                while let Some(event) = bus.receive().await {
                    if let BusEvent::Message { bytes, .. } = event {
                        let _ = hear.send(bytes.to_vec());
                    }
                }
            });
        }
        let mut connected = 1;
        while connected < nodes {
            match speaker.receive().await {
                Some(BusEvent::Connected(_)) => connected += 1,
                Some(BusEvent::Disconnected(_)) => connected -= 1,
                _ => {}
            }
        }
        // The same time as the other way needs.
        sleep(Duration::from_secs(5)).await;
        Ok(Self { speaker, heard })
    }

    fn say(&mut self, message: &[u8]) -> Result<()> {
        Ok(self.speaker.send(Destination::Everyone, message)?)
    }

    async fn heard(&mut self) -> Result<Vec<u8>> {
        Ok(self.heard.recv().await.ok_or("no peer hears it")?)
    }
}

/// Gossipsub with its defaults, without its signatures: the messages of the protocol have their
/// own.
struct Gossip {
    say: mpsc::UnboundedSender<Vec<u8>>,
    heard: mpsc::UnboundedReceiver<Vec<u8>>,
}

fn topic() -> IdentTopic {
    IdentTopic::new("roastery")
}

fn gossiping() -> Result<Swarm<gossipsub::Behaviour>> {
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key| {
            let config = gossipsub::ConfigBuilder::default()
                .validation_mode(ValidationMode::Permissive)
                .build()?;
            let author = MessageAuthenticity::Author(key.public().to_peer_id());
            Ok(gossipsub::Behaviour::new(author, config)?)
        })?
        .build();
    swarm.behaviour_mut().subscribe(&topic())?;
    swarm.listen_on(LISTEN.parse()?)?;
    Ok(swarm)
}

async fn gossip(
    mut swarm: Swarm<gossipsub::Behaviour>,
    hear: mpsc::UnboundedSender<Vec<u8>>,
    mut say: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    loop {
        tokio::select! {
            Some(message) = say.recv() => {
                // A round that is lost is counted.
                let _ = swarm.behaviour_mut().publish(topic(), message);
            }
            event = swarm.select_next_some() => {
                if let SwarmEvent::Behaviour(gossipsub::Event::Message { message, .. }) = event {
                    let _ = hear.send(message.data);
                }
            }
        }
    }
}

impl Way for Gossip {
    async fn start(nodes: usize) -> Result<Self> {
        let (hear, heard) = mpsc::unbounded_channel();
        let mut addresses: Vec<Multiaddr> = Vec::new();
        let mut speaker = None;
        for _ in 0..nodes {
            let mut swarm = gossiping()?;
            let address = loop {
                if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                    break address;
                }
            };
            for address in &addresses {
                swarm.dial(address.clone())?;
            }
            addresses.push(address);
            let (say, said) = mpsc::unbounded_channel();
            let hear = hear.clone();
            tokio::spawn(gossip(swarm, hear, said));
            speaker.get_or_insert(say);
        }
        // All connections are established, and some heartbeats have built the mesh.
        sleep(Duration::from_secs(5 + nodes as u64 / 10)).await;
        let say = speaker.ok_or("no peer speaks")?;
        Ok(Self { say, heard })
    }

    fn say(&mut self, message: &[u8]) -> Result<()> {
        Ok(self.say.send(message.to_vec())?)
    }

    async fn heard(&mut self) -> Result<Vec<u8>> {
        Ok(self.heard.recv().await.ok_or("no peer hears it")?)
    }
}

/// In a runtime of its own: when it is dropped no task is left that sends pings or gossip during
/// the next measurement.
fn alone<W: Way>(name: &str, nodes: usize) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let measured = runtime.block_on(measure::<W>(name, nodes));
    runtime.shutdown_timeout(Duration::from_secs(5));
    measured
}

fn main() -> Result<()> {
    println!("| nodes | way | last one has it, p50 | p95 | bytes a message | lost rounds |");
    println!("|---|---|---|---|---|---|");
    for nodes in [5, 20, 100] {
        alone::<Streams>("streams", nodes)?;
        alone::<Gossip>("gossipsub", nodes)?;
    }
    Ok(())
}
