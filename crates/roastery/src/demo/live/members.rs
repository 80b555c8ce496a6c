//! The five members: nodes that make a key together, of which two go on with conduct of their own.

use std::{collections::BTreeMap, net::TcpListener, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use roastery_protocol::group::{Group, Name, PeerId};
use roastery_service::{
    Service,
    api::{ApiServer, Client},
    config::Config,
    files::{Folder, InvitationFile, NodeCard},
    init::{NewNode, init},
};
use roastery_store::{Passphrase, PassphraseCost, Store};
use tokio::{
    runtime::{Builder, Runtime},
    task::spawn_blocking,
    time::Instant,
};

use super::{LEFT_BEHIND, faulty::Faulty};
use crate::{demo::engine::Conduct, node::make_key};

/// The name of the group.
pub(super) const GROUP: &str = "demo";

/// How many must sign.
const THRESHOLD: usize = 3;

/// What each member is, for the user.
pub(super) const WHO: [&str; 5] = [
    "anna   is you: payments wait for your decision in the console; her texts are approved for her",
    "bert   approves payments by rules, and signs no texts",
    "cleo   approves texts by rules, and refuses payments above 0.01 BTC",
    "dora   proposes texts, coordinates them, and then goes silent for some seconds",
    "emil   approves everything and sends bad shares",
];

/// The members' names, with what their configuration has more than the default.
const MEMBERS: [(&str, &str); 5] = [
    ("anna", ""),
    ("bert", "kinds = [\"transaction\"]\napproval = \"automatic\"\n"),
    (
        "cleo",
        "approval = \"automatic\"\n[group.demo.policy.transactions]\nmost_per_transaction = 1000000\n",
    ),
    ("dora", ""),
    ("emil", ""),
];

/// How long a store may stay open after its node was stopped.
const RELEASE: Duration = Duration::from_secs(20);

/// All members, running.
pub(super) struct Members {
    pub(super) group: Arc<Group>,
    /// Their names, by their peers.
    pub(super) names: BTreeMap<PeerId, String>,
    pub(super) anna: Node,
    pub(super) bert: Node,
    pub(super) cleo: Node,
    pub(super) dora: Faulty,
    /// It runs until this is dropped.
    _emil: Faulty,
}

/// A whole node in this process. Its tasks have threads of their own, as in a process of its own:
/// they end together, and leave the store.
pub(super) struct Node {
    folder: Folder,
    running: Option<Running>,
    pub(super) client: Client,
}

struct Running {
    service: Arc<Service>,
    api: ApiServer,
    runtime: Runtime,
}

impl Members {
    /// Makes the members and their key.
    pub(super) async fn start(at: &Path) -> anyhow::Result<Self> {
        let ports = free_ports()?;
        let mut cards = Vec::new();
        let mut nodes = Vec::new();
        for ((name, policy), port) in MEMBERS.iter().zip(ports) {
            let folder = Folder::new(at.join(name));
            cards.push(make(&folder, name, policy, port)?);
            nodes.push(Node::start(folder).await.with_context(|| (*name).to_owned())?);
        }
        let invitation = InvitationFile::new(GROUP, 0, THRESHOLD, cards.clone())?.to_text();
        let named = MEMBERS.iter().zip(&nodes);
        let named = named.map(|((name, _), node)| ((*name).to_owned(), node.client.clone()));
        make_key(GROUP, &invitation, &named.collect::<Vec<_>>()).await?;
        let [anna, bert, cleo, dora, emil] =
            <[Node; 5]>::try_from(nodes).map_err(|_| anyhow!("there are five members"))?;
        let dora = dora.replaced(&cards, Conduct::Honest).await.context("dora")?;
        let emil = emil.replaced(&cards, Conduct::Spoils).await.context("emil")?;
        let names = cards.iter().map(|card| (card.peer().clone(), card.name().to_string()));
        let (group, names) = (dora.group().clone(), names.collect());
        Ok(Self { group, names, anna, bert, cleo, dora, _emil: emil })
    }

    /// The API of the member whose console is shown.
    pub(super) fn console(&self) -> Client {
        self.anna.client.clone()
    }
}

/// A port for each member. Another program may take one before its node does: then that node says
/// so, and the demo ends.
fn free_ports() -> std::io::Result<Vec<u16>> {
    let listeners: Vec<TcpListener> =
        MEMBERS.iter().map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<Result<_, _>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

fn make(folder: &Folder, name: &str, policy: &str, port: u16) -> anyhow::Result<NodeCard> {
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    let policy = match policy {
        "" => String::new(),
        policy => format!("\n[group.{GROUP}.policy]\n{policy}"),
    };
    folder.create()?;
    let new = NewNode {
        name: name.parse::<Name>()?,
        seats: 1,
        listen: vec![address.parse()?],
        announce: vec![address.parse()?],
        passphrase: passphrase(),
        cost: PassphraseCost::new(8 * 1024, 1, 1)?,
        more_config: policy,
    };
    Ok(init(folder, new)?)
}

/// It protects nothing: the store is beside it, and is removed when the demo ends.
pub(super) fn passphrase() -> Passphrase {
    Passphrase::new("demo".to_owned())
}

impl Node {
    async fn start(folder: Folder) -> anyhow::Result<Self> {
        // What the environment says to nodes is meant for others.
        let config = Config::load(&folder, |_| None)?;
        let client = Client::new(folder.resolve(&config.api.socket));
        let (path, at) = (folder.store(), folder.clone());
        let store = spawn_blocking(move || Store::open(path, &passphrase())).await??;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let starting = runtime.spawn(Service::start(folder.clone(), config.clone(), store));
        let service = starting.await??;
        let of = service.clone();
        let api = spawn_blocking(move || ApiServer::start(of, &at, &config)).await??;
        let running = Some(Running { service, api, runtime });
        Ok(Self { folder, running, client })
    }

    /// Stops it, and runs what it has kept with this conduct instead.
    async fn replaced(mut self, cards: &[NodeCard], conduct: Conduct) -> anyhow::Result<Faulty> {
        if let Some(running) = &self.running {
            running.service.stop().await;
        }
        let folder = self.folder.clone();
        spawn_blocking(move || self.end()).await?;
        let until = Instant::now() + RELEASE;
        let store = loop {
            let path = folder.store();
            match spawn_blocking(move || Store::open(path, &passphrase())).await? {
                Ok(store) => break store,
                Err(error) if Instant::now() >= until => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        Faulty::start(&folder, &store, cards, conduct).await
    }

    /// Ends its threads; some time is given to what blocks.
    fn end(&mut self) {
        let Some(Running { service, api, runtime }) = self.running.take() else { return };
        api.stop();
        drop(service);
        // A runtime may not be waited for in a task of another one.
        let ending = std::thread::spawn(move || runtime.shutdown_timeout(LEFT_BEHIND));
        // It has nothing to say: if it has panicked, the threads have ended as well.
        let _ = ending.join();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}
