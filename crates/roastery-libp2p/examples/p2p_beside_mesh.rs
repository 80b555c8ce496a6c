//! A whole group on this machine, first on a mesh inside the process and then over real
//! connections, signs the same number of requests: `cargo run --release -p roastery-libp2p
//! --example p2p_beside_mesh -- --signers 100 --threshold 67`. With `--transport quic` the
//! connections are QUIC.

mod connected;

use roastery_libp2p::ListenAddress;
use roastery_node::{
    bus::{Bus, Mesh},
    driver::NodeHandle,
};
use roastery_protocol::group::{Group, PeerId};
use roastery_testkit::demo::{Result, deal, peers, sign, start, start_connected};

use crate::connected::connected;

/// How many requests each group signs.
const ROUNDS: u64 = 11;

struct Asked {
    signers: usize,
    threshold: usize,
    listen: ListenAddress,
}

impl Asked {
    fn from_arguments() -> Result<Self> {
        let listen = "/ip4/127.0.0.1/tcp/0".parse()?;
        let mut asked = Self { signers: 5, threshold: 3, listen };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match (name.as_str(), value.as_str()) {
                ("--signers", number) => asked.signers = number.parse()?,
                ("--threshold", number) => asked.threshold = number.parse()?,
                ("--transport", "tcp") => {}
                ("--transport", "quic") => asked.listen = "/ip4/127.0.0.1/udp/0/quic-v1".parse()?,
                _ => return Err(format!("{name} {value} is not known").into()),
            }
        }
        Ok(asked)
    }
}

async fn measure(group: &Group, nodes: &[NodeHandle], name: &str) -> Result<()> {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        times.push(sign(group, nodes, round).await?.took);
    }
    times.sort();
    let (first, median, last) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    println!("{name}: all have signed after {median:.1?} (median; {first:.1?} to {last:.1?})");
    Ok(())
}

async fn on_a_mesh(asked: &Asked) -> Result<()> {
    let (mesh, peers) = (Mesh::default(), peers(asked.signers)?);
    let (group, members) = deal(asked.threshold, &peers)?;
    let buses = peers.into_iter().map(|peer| mesh.join(peer));
    let buses = buses.collect::<std::result::Result<Vec<_>, _>>()?;
    measure(&group, &start(members, buses)?, "inside the process").await
}

async fn over_connections(asked: &Asked) -> Result<()> {
    let (buses, took) = connected(asked.signers, &asked.listen).await?;
    let links = asked.signers * (asked.signers - 1) / 2;
    println!("over {}: {links} connections stand after {took:.1?}", asked.listen);
    let peers: Vec<PeerId> = buses.iter().map(|bus| bus.local_peer().clone()).collect();
    let (group, members) = deal(asked.threshold, &peers)?;
    measure(&group, &start_connected(members, buses)?, &format!("over {}", asked.listen)).await
}

#[tokio::main]
async fn main() -> Result<()> {
    let asked = Asked::from_arguments()?;
    println!("{}-of-{}, {ROUNDS} requests", asked.threshold, asked.signers);
    on_a_mesh(&asked).await?;
    over_connections(&asked).await
}
