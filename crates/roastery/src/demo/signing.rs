use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use roastery_node::driver::{self, Ended, SessionHandle, SignError};
use roastery_protocol::{
    Seat, election,
    group::Group,
    member::machine::{Event, RequestOrigin, StopReason},
    request::{ApprovedRequest, MessageToSign, SigningRequest},
};
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    engine::Conduct,
    group::Node,
    options::Settings,
    order::Order,
    outcome::{Finished, NodeEvent, Unfinished},
    policy::AsTyped,
    show::Show,
};

/// Runs every node as a task of its own and has each sign by its own policy.
pub(super) async fn sign(
    group: &Arc<Group>,
    nodes: Vec<Node>,
    to_sign: Vec<MessageToSign>,
    plan: &Settings,
    show: &Show,
) -> Result<Result<Finished, Unfinished>, Box<dyn Error>> {
    let order = shuffled(group)?;
    let (silent, rest) = order.split_at(plan.offline);
    // Of members that are equally quick a coordinator picks those of the lowest seats.
    let rest: BTreeSet<Seat> = rest.iter().copied().collect();
    let spoilers: BTreeSet<Seat> = rest.into_iter().take(plan.byzantine).collect();
    let silent: BTreeSet<Seat> = silent.iter().copied().collect();
    show.faulty(&silent, &spoilers);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let expiry = now.as_secs() + plan.deadline.as_secs() + 60;
    // The first coordinator is none that spoils: a coordinator proves nothing against itself.
    let request = loop {
        let mut id = [0; 32];
        getrandom::fill(&mut id)?;
        let request = SigningRequest::new(group.id(), id, expiry, to_sign.clone())?;
        let order = election::Order::of(request.session_id(), group.seats()).into_seats();
        if order.first().is_none_or(|first| !spoilers.contains(first)) {
            break request;
        }
    };
    let policy = Arc::new(AsTyped(to_sign));

    // A silent member joins the mesh, and sends no message.
    let (silent_nodes, nodes): (Vec<Node>, Vec<Node>) =
        nodes.into_iter().partition(|node| silent.contains(&node.seat));
    let mut tasks = JoinSet::new();
    let mut handles = Vec::with_capacity(nodes.len());
    for Node { seat, bus, connected, mut member } in nodes {
        if spoilers.contains(&seat) {
            member.engine.conduct = Conduct::Spoils;
        }
        let (node, handle) = driver::Node::new(bus, member)?;
        tasks.spawn(node.with_connected(connected).run());
        handles.push((seat, handle));
    }
    let start = Instant::now();
    let (sender, mut received) = mpsc::channel(4096);
    let mut sessions = Vec::with_capacity(handles.len());
    let mut listeners = JoinSet::new();
    // The faulty members are asked first, so that they are picked.
    handles.sort_by_key(|(seat, _)| !spoilers.contains(seat));
    for &(seat, ref handle) in &handles {
        // Each node approves by itself, by its own clock.
        let approved =
            ApprovedRequest::obtain(request.clone(), group, policy.clone(), handle.now())?;
        let (node, deadline, sender) = (handle.clone(), plan.deadline, sender.clone());
        if spoilers.contains(&seat) {
            let session = node.sign(approved, RequestOrigin::Proposed, deadline).await?;
            listeners.spawn(async move { Ok(listen(seat, session, start, sender).await) });
        } else {
            listeners.spawn(async move {
                let session = node.sign(approved, RequestOrigin::Proposed, deadline).await?;
                Ok::<_, SignError>(listen(seat, session, start, sender).await)
            });
        }
    }
    drop(sender);
    let mut order = Order::new(group.threshold());
    while let Some(happening) = received.recv().await {
        order.receive(happening).iter().for_each(|happening| show.happening(happening));
    }
    order.rest().iter().for_each(|happening| show.happening(happening));
    while let Some(session) = listeners.join_next().await {
        sessions.push(session??);
    }
    show.over();
    let result = conclude(sessions).await;
    drop(silent_nodes);
    tasks.abort_all();
    result
}

struct Listened {
    seat: Seat,
    session: SessionHandle,
    end: Option<(Ended, Duration)>,
}

/// Forwards the events of a node's session until it has ended.
async fn listen(
    seat: Seat,
    mut session: SessionHandle,
    start: Instant,
    sender: mpsc::Sender<NodeEvent>,
) -> Listened {
    let mut end = None;
    while let Some(event) = session.event().await {
        let at = start.elapsed();
        match &event {
            Event::Signed(outcome) => end = Some((Ended::Signed(outcome.clone()), at)),
            Event::Stopped { reason, .. } => end = Some((Ended::Stopped(*reason), at)),
            _ => {}
        }
        // The receiver may be dropped.
        let _ = sender.send(NodeEvent { at, seat, event }).await;
        if end.is_some() {
            break;
        }
    }
    Listened { seat, session, end }
}

async fn conclude(sessions: Vec<Listened>) -> Result<Result<Finished, Unfinished>, Box<dyn Error>> {
    let mut outcomes = Vec::new();
    let mut reports = Vec::new();
    let mut proofs = BTreeMap::new();
    let mut reason = StopReason::Deadline;
    for Listened { seat, session, end } in sessions {
        for (finding, proof) in session.proofs().await {
            proofs.entry(finding.accused).or_insert((finding, proof));
        }
        if let Some(report) = session.report().await {
            reports.push((seat, report));
        }
        match end {
            Some((Ended::Signed(outcome), at)) => outcomes.push((outcome, at)),
            Some((Ended::Stopped(why), _)) => reason = why,
            None => return Err(format!("the node of seat {seat} ended").into()),
        }
    }
    reports.sort_by_key(|(seat, _)| *seat);
    outcomes.sort_by_key(|(_, at)| *at);
    let Some((outcome, first)) = outcomes.first() else {
        return Ok(Err(Unfinished { reason, reports }));
    };
    let origin = outcomes.iter().find_map(|(outcome, _)| outcome.origin.clone());
    let origin = origin.ok_or("no node has seen the package that led to the signature")?;
    let coordinators = reports
        .iter()
        .find(|(seat, _)| *seat == origin.coordinator)
        .map_or(0, |(_, report)| report.coordinators.len());
    Ok(Ok(Finished {
        signatures: outcome.signatures.clone(),
        origin,
        first: *first,
        last: outcomes.last().map_or(*first, |(_, at)| *at),
        coordinators,
        holders: outcomes.len(),
        proofs: proofs.into_values().collect(),
    }))
}

/// All seats, in an order drawn from the system's randomness.
fn shuffled(group: &Group) -> Result<Vec<Seat>, getrandom::Error> {
    let mut lots = Vec::with_capacity(group.size());
    for seat in group.seats() {
        lots.push((getrandom::u64()?, seat));
    }
    lots.sort_unstable();
    Ok(lots.into_iter().map(|(_, seat)| seat).collect())
}
