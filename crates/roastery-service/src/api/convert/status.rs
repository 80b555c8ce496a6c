use bitcoin::hex::DisplayHex as _;

use super::{numbers, peer_id, texts};
use crate::{GroupStatus, NodeStatus, PeerStatus, PolicyStatus, SessionStatus, Time, view};

impl From<NodeStatus> for view::Status {
    fn from(status: NodeStatus) -> Self {
        let NodeStatus { name, peer, now, uptime, network, peers, groups, .. } = status;
        let (keygens, chain, warnings) = (status.keygens, status.chain, status.warnings);
        Self {
            name: name.to_string(),
            peer: peer_id(&peer),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            now: Time::from_seconds(now),
            uptime_seconds: uptime.as_secs(),
            network: network.to_core_arg().to_owned(),
            peers: peers.into_iter().map(Into::into).collect(),
            groups: groups.into_iter().map(Into::into).collect(),
            keygens: keygens.into_iter().map(Into::into).collect(),
            chain_source: chain.map(Into::into),
            warnings,
        }
    }
}

impl From<PeerStatus> for view::PeerStatus {
    fn from(status: PeerStatus) -> Self {
        let PeerStatus { peer, name, link, through, addresses, dropped, clock } = status;
        Self {
            peer: peer_id(&peer),
            name,
            connected: link.awaited_since.is_none(),
            awaited_seconds: link.awaited_since.map(|since| since.elapsed().as_secs()),
            through,
            round_trip_ms: link.round_trip.map(|time| (time.as_secs_f64() * 1e5).round() / 100.0),
            addresses: texts(&addresses),
            dropped,
            clock_offset_ms: clock.map(|offset| offset.ahead_ms),
            clock_differs: clock.is_some_and(|offset| offset.is_notable()),
        }
    }
}

impl From<GroupStatus> for view::GroupStatus {
    fn from(status: GroupStatus) -> Self {
        let sessions = status.sessions.iter().map(|session| session_of(&status, session));
        let sessions = sessions.collect();
        let GroupStatus { name, group, seats, members, address, scripts, pending, .. } = status;
        let policy = status.policy;
        let reachable = members.iter().filter(|member| member.reachable).count();
        let members = group.seats().zip(group.members()).zip(members);
        let members = members.map(|((seat, member), status)| view::MemberStatus {
            seat: seat.to_u16(),
            name: status.name,
            peer: peer_id(&member.peer),
            reachable: status.reachable,
            barred_since: status.barred_since,
        });
        Self {
            name,
            id: group.id().to_string(),
            key_id: group.key_id().to_string(),
            epoch: group.epoch().number(),
            seats: numbers(&seats),
            threshold: group.threshold(),
            key: group.keys().threshold_public_key().serialize().to_lower_hex_string(),
            members: members.collect(),
            reachable,
            address,
            scripts,
            sessions,
            pending,
            policy: policy.into(),
        }
    }
}

fn session_of(group: &GroupStatus, session: &SessionStatus) -> view::SessionStatus {
    let SessionStatus { report, now } = session;
    let name = |seat| group.name_of(seat).to_owned();
    let awaited = report.awaited.iter().map(|one| view::Awaited {
        seat: one.seat.to_u16(),
        name: name(one.seat),
        thing: one.thing.to_string(),
        seconds: now.saturating_sub(one.since).as_secs(),
    });
    let refusals = report.refusals.iter().map(|(seat, reason)| view::MemberStatement {
        seat: seat.to_u16(),
        name: name(*seat),
        text: reason.to_string(),
    });
    let proven = report.proven.iter().map(|proven| view::MemberStatement {
        seat: proven.accused.to_u16(),
        name: name(proven.accused),
        text: proven.fault.to_string(),
    });
    view::SessionStatus {
        session: report.session.to_string(),
        coordinators: numbers(&report.coordinators),
        awaited: awaited.collect(),
        refusals: refusals.collect(),
        proven: proven.collect(),
    }
}

impl From<PolicyStatus> for view::Policy {
    fn from(policy: PolicyStatus) -> Self {
        let PolicyStatus { section, approval, kinds, caps, problem } = policy;
        let (most_per_hour, most_per_day) = (caps.most_per_hour, caps.most_per_day);
        Self { section, approval, kinds, most_per_hour, most_per_day, problem }
    }
}
