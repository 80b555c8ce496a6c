//! The node, if it runs: what it says of itself.

use std::time::Duration;

use roastery_service::{
    api::{Client, ClientError},
    config::{ChainSource, Config},
    view::{Health, PeerStatus, Status},
};

use super::finding::Finding;

/// How long each answer of the node may take.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// The node at the socket.
#[derive(Debug)]
pub(super) enum Node {
    /// No process listens there.
    NotRunning,
    /// A process listens, and gives no good answer, for this reason.
    Silent(String),
    Running(Box<Status>, Health),
}

impl Node {
    pub(super) async fn at(socket: &std::path::Path) -> Self {
        let client = Client::new(socket).with_patience(ANSWER_TIME);
        let health = match client.health("/health").await {
            Ok(health) => health,
            Err(ClientError::NoNode { source, .. }) if is_absent(&source) => {
                return Self::NotRunning;
            }
            Err(error) => return Self::Silent(error.to_string()),
        };
        match client.get("/v1/status").await {
            Ok(status) => Self::Running(Box::new(status), health),
            Err(error) => Self::Silent(error.to_string()),
        }
    }

    pub(super) fn status(&self) -> Option<&Status> {
        match self {
            Self::Running(status, _) => Some(status),
            Self::NotRunning | Self::Silent(_) => None,
        }
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    matches!(error.kind(), NotFound | ConnectionRefused)
}

/// Judges the node itself, and whether it is this program.
pub(super) fn node(node: &Node, own_version: &str) -> Vec<Finding> {
    const CHECK: &str = "node";
    let (status, health) = match node {
        Node::NotRunning => return vec![Finding::ok(CHECK, "does not run")],
        Node::Silent(reason) => return vec![Finding::wrong(CHECK, reason)],
        Node::Running(status, health) => (status, health),
    };
    let mut findings = match health.problems.as_slice() {
        [] => vec![Finding::ok(CHECK, "runs, and is healthy")],
        problems => problems.iter().map(|problem| Finding::wrong(CHECK, problem)).collect(),
    };
    findings.push(match status.version == own_version {
        true => Finding::ok("version", format!("{own_version}, of the node as well")),
        false => Finding::warning(
            "version",
            format!(
                "the node that runs is {}, and this program {own_version}: start the node again",
                status.version
            ),
        ),
    });
    findings.extend(status.warnings.iter().map(|warning| Finding::warning(CHECK, warning)));
    findings.extend(clocks(&status.peers));
    findings
}

/// Judges the clocks of the others beside this one.
fn clocks(peers: &[PeerStatus]) -> Option<Finding> {
    const CHECK: &str = "others' clocks";
    let measured = peers.iter().filter(|peer| peer.clock_offset_ms.is_some()).count();
    let differ: Vec<String> = peers
        .iter()
        .filter(|peer| peer.clock_differs)
        .map(|peer| {
            let ahead = peer.clock_offset_ms.unwrap_or(0);
            format!("{} {:+.1} s", peer.name, ahead as f64 / 1000.0)
        })
        .collect();
    match (measured, differ.as_slice()) {
        (0, _) => None,
        (_, []) => Some(Finding::ok(CHECK, format!("{measured} agree with this one"))),
        (_, differ) => Some(Finding::warning(
            CHECK,
            format!(
                "{}, by their own account, where {measured} are known: set the wrong one right (timedatectl)",
                differ.join(", ")
            ),
        )),
    }
}

/// Judges the chain source.
pub(super) fn chain_source(config: &Config, node: &Node) -> Finding {
    const CHECK: &str = "chain source";
    let url = config.wallet.url.as_deref().unwrap_or_default();
    match (config.wallet.source, node.status()) {
        (ChainSource::None, _) => Finding::ok(CHECK, "none: the node knows of no coins"),
        (_, None) => Finding::ok(CHECK, format!("{url}; the node asks it once it runs")),
        (_, Some(status)) => match &status.chain_source {
            None => Finding::warning(
                CHECK,
                format!(
                    "{url} is in the configuration, and the node that runs has none: start it again"
                ),
            ),
            Some(source) => match (&source.problem, source.answered) {
                (Some(problem), _) => Finding::warning(
                    CHECK,
                    format!("{}: {problem}; correct wallet.url, or look at the server", source.url),
                ),
                (None, Some(_)) => Finding::ok(CHECK, format!("{} answers", source.url)),
                (None, None) => Finding::ok(CHECK, format!("{} is being read", source.url)),
            },
        },
    }
}

/// Judges the names of groups in the configuration, which only a node that runs knows.
pub(super) fn groups(config: &Config, node: &Node) -> Option<Finding> {
    const CHECK: &str = "groups";
    if config.group.is_empty() {
        return None;
    }
    let Some(status) = node.status() else {
        return Some(Finding::ok(
            CHECK,
            "whether the groups of the configuration exist only a node that runs knows",
        ));
    };
    let groups = status.groups.iter().flat_map(|group| [group.name.as_str(), group.id.as_str()]);
    let to_be = status.keygens.iter().map(|one| one.name.as_str());
    Some(match config.unknown_groups(groups.chain(to_be)).as_slice() {
        [] => Finding::ok(CHECK, "all that the configuration names are there"),
        unknown => Finding::wrong(
            CHECK,
            format!(
                "{} of the configuration: no group of this node, so it has no effect; roastery status shows the groups",
                unknown.join(" and ")
            ),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Level, *};

    fn peer(name: &str, ahead: Option<i64>, differs: bool) -> PeerStatus {
        PeerStatus {
            peer: String::new(),
            name: name.to_owned(),
            connected: true,
            awaited_seconds: None,
            through: None,
            round_trip_ms: None,
            addresses: Vec::new(),
            dropped: 0,
            clock_offset_ms: ahead,
            clock_differs: differs,
        }
    }

    #[test]
    fn members_whose_clocks_differ_are_named() {
        assert_eq!(clocks(&[peer("bert", None, false)]), None);
        let found = clocks(&[peer("bert", Some(-200), false), peer("cleo", None, false)]).unwrap();
        assert_eq!((found.level, found.text.as_str()), (Level::Ok, "1 agree with this one"));
        let found = clocks(&[peer("bert", Some(12_300), true), peer("cleo", Some(1), false)]);
        let found = found.unwrap();
        assert!(
            found.level == Level::Warning && found.text.starts_with("bert +12.3 s"),
            "{found:?}"
        );
    }

    #[test]
    fn a_chain_source_is_judged_by_what_the_node_says() {
        let text = "[wallet]\nsource = \"esplora\"\nurl = \"http://127.0.0.1:3000\"\n";
        let config = Config::parse(text, |_| None).unwrap();
        let found = chain_source(&config, &Node::NotRunning);
        assert!(found.level == Level::Ok && found.text.contains("once it runs"), "{found:?}");
        let none = Config::parse("", |_| None).unwrap();
        assert!(chain_source(&none, &Node::NotRunning).text.contains("none"));
    }

    #[test]
    fn a_node_that_does_not_answer_is_wrong_and_one_that_is_not_there_is_not() {
        assert_eq!(node(&Node::NotRunning, "1")[0].level, Level::Ok);
        let found = node(&Node::Silent("no answer".to_owned()), "1");
        assert_eq!((found[0].level, found[0].text.as_str()), (Level::Wrong, "no answer"));
    }
}
