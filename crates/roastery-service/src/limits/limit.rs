/// A bound of the node. Each has a name, which is the label `limit` of the counter, and a line for
/// the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// Connections at once, on one listener of the API and of one kind of client.
    ApiConnections,
    /// Connections at once from one source address without a token.
    ApiConnectionsOfAddress,
    /// API requests in progress at once, of one kind of client.
    ApiRequests,
    /// Event streams at once, of one kind of client.
    ApiEventStreams,
    /// Events that wait for one slow reader of the stream.
    ApiEventsBehind,
    /// Bytes in the body of a request.
    ApiBodyBytes,
    /// Timeout for the head of a request.
    ApiHeadTime,
    /// Timeout for the body of a request.
    ApiBodyTime,
    /// Timeout for an answer.
    ApiAnswerTime,
    /// Timeout for a client that takes no byte of an answer.
    ApiWriteTime,
    /// The files and connections that the system lets this process have open.
    OpenFiles,
    /// The peers of all groups together.
    Peers,
    /// Groups and open key generations at once.
    Channels,
    /// Requests that wait to be examined.
    Examinations,
    /// Approval commands at once.
    Commands,
    /// Bytes of output of an approval command.
    CommandOutput,
    /// Bytes in a text in the store.
    StoredText,
    /// Messages of requests that the operator has rejected, for each key.
    RejectedMessages,
    /// Sessions at once.
    Sessions,
    /// Ended sessions whose outcome is kept to answer with.
    EndedSessions,
    /// Signed sessions that still take evidence.
    LateEvidence,
    /// Events of a session that wait for the service.
    SessionEvents,
    /// Outcomes, refusals and questions of members that wait for the service.
    News,
    /// Questions of one member for outcomes.
    Questions,
    /// Open proposals of one member.
    ProposalsOfMember,
    /// Proposals that this node retransmits to members that lack them.
    ProposalsOffered,
    /// Requests of one member in the store that were never approved here, and their bytes.
    RequestsHeld,
    /// The life of a request by this node's clock.
    ProposalLife,
    /// Refusals that are repeated to members that ask again.
    RefusalsKept,
    /// Requests without a session here whose outcome is learned from the other members.
    RequestsWatched,
    /// Requests and payments of a key whose payments are compared.
    PaymentsCompared,
    /// Messages for sessions that are not open here yet.
    EarlyMessages,
    /// What the messages of one member cost this node.
    MemberLink,
    /// What the statements of others cost this node that one member relays.
    MemberRelayed,
    /// Packages and shares that wait to be judged.
    Unjudged,
    /// Runs of one coordinator in one session, whose shares the audit log keeps.
    RunsAnswered,
    /// Queued messages from one peer.
    InboundQueue,
    /// Queued messages to one peer.
    OutboundQueue,
    /// Bytes in a message.
    MessageBytes,
    /// Connections between nodes that are pending or established.
    PeerConnections,
    /// What a member asks this node to relay.
    Relay,
    /// Addresses of members that others tell.
    Whereabouts,
    /// Connections of nodes outside the roster, while a line of a pairing is open.
    PairingGuests,
    /// Messages of one node within a pairing.
    PairingMessages,
    /// Messages of one member about its kit.
    KitMessages,
    /// Log lines that wait to be written.
    LogLines,
}

impl Limit {
    /// All limits, in the order in which the manual lists them.
    pub const ALL: [Self; 46] = [
        Self::ApiConnections,
        Self::ApiConnectionsOfAddress,
        Self::ApiRequests,
        Self::ApiEventStreams,
        Self::ApiEventsBehind,
        Self::ApiBodyBytes,
        Self::ApiHeadTime,
        Self::ApiBodyTime,
        Self::ApiAnswerTime,
        Self::ApiWriteTime,
        Self::OpenFiles,
        Self::Peers,
        Self::Channels,
        Self::Examinations,
        Self::Commands,
        Self::CommandOutput,
        Self::StoredText,
        Self::RejectedMessages,
        Self::Sessions,
        Self::EndedSessions,
        Self::LateEvidence,
        Self::SessionEvents,
        Self::News,
        Self::Questions,
        Self::ProposalsOfMember,
        Self::ProposalsOffered,
        Self::RequestsHeld,
        Self::ProposalLife,
        Self::RefusalsKept,
        Self::RequestsWatched,
        Self::PaymentsCompared,
        Self::EarlyMessages,
        Self::MemberLink,
        Self::MemberRelayed,
        Self::Unjudged,
        Self::RunsAnswered,
        Self::InboundQueue,
        Self::OutboundQueue,
        Self::MessageBytes,
        Self::PeerConnections,
        Self::Relay,
        Self::Whereabouts,
        Self::PairingGuests,
        Self::PairingMessages,
        Self::KitMessages,
        Self::LogLines,
    ];

    /// Its name in the metrics and the log. It is stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApiConnections => "api_connections",
            Self::ApiConnectionsOfAddress => "api_connections_of_address",
            Self::ApiRequests => "api_requests",
            Self::ApiEventStreams => "api_event_streams",
            Self::ApiEventsBehind => "api_events_behind",
            Self::ApiBodyBytes => "api_body_bytes",
            Self::ApiHeadTime => "api_head_time",
            Self::ApiBodyTime => "api_body_time",
            Self::ApiAnswerTime => "api_answer_time",
            Self::ApiWriteTime => "api_write_time",
            Self::OpenFiles => "open_files",
            Self::Peers => "peers",
            Self::Channels => "channels",
            Self::Examinations => "examinations",
            Self::Commands => "commands",
            Self::CommandOutput => "command_output",
            Self::StoredText => "stored_text",
            Self::RejectedMessages => "rejected_messages",
            Self::Sessions => "sessions",
            Self::EndedSessions => "ended_sessions",
            Self::LateEvidence => "late_evidence",
            Self::SessionEvents => "session_events",
            Self::News => "news",
            Self::Questions => "questions",
            Self::ProposalsOfMember => "proposals_of_member",
            Self::ProposalsOffered => "proposals_offered",
            Self::RequestsHeld => "requests_held",
            Self::ProposalLife => "proposal_life",
            Self::RefusalsKept => "refusals_kept",
            Self::RequestsWatched => "requests_watched",
            Self::PaymentsCompared => "payments_compared",
            Self::EarlyMessages => "early_messages",
            Self::MemberLink => "member_link",
            Self::MemberRelayed => "member_relayed",
            Self::Unjudged => "unjudged",
            Self::RunsAnswered => "runs_answered",
            Self::InboundQueue => "inbound_queue",
            Self::OutboundQueue => "outbound_queue",
            Self::MessageBytes => "message_bytes",
            Self::PeerConnections => "peer_connections",
            Self::Relay => "relay",
            Self::Whereabouts => "whereabouts",
            Self::PairingGuests => "pairing_guests",
            Self::PairingMessages => "pairing_messages",
            Self::KitMessages => "kit_messages",
            Self::LogLines => "log_lines",
        }
    }

    /// What happens when it is reached, in one line for the log.
    pub fn consequence(self) -> &'static str {
        match self {
            Self::ApiConnections | Self::ApiConnectionsOfAddress => {
                "a connection to the API was refused, or an idle one closed for it"
            }
            Self::ApiRequests => "a request to the API was refused; it may be repeated later",
            Self::ApiEventStreams => "an event stream was refused: too many are open",
            Self::ApiEventsBehind => "a slow reader of the event stream missed events",
            Self::ApiBodyBytes => "a request to the API was refused: its body is too long",
            Self::ApiHeadTime => "a connection was closed: the head of a request took too long",
            Self::ApiBodyTime => "a request was refused: its body took too long",
            Self::ApiAnswerTime => "an answer took too long and was given up",
            Self::ApiWriteTime => "a connection was closed: its client takes no answer",
            Self::OpenFiles => "a connection was not accepted: the system gave no open file",
            Self::Peers => "a peer was not taken up: no room",
            Self::Channels => "a group or key generation was not opened: no room",
            Self::Examinations => "a request waits to be examined: too many do",
            Self::Commands => "a request waits for the approval command: too many do",
            Self::CommandOutput => "the output of the approval command was cut",
            Self::StoredText => "a text was cut before it was stored",
            Self::RejectedMessages => {
                "the messages that were rejected first may be approved without the operator again"
            }
            Self::Sessions => "a session was not opened, or displaced: too many are open",
            Self::EndedSessions => "the outcome of an ended session is no longer repeated",
            Self::LateEvidence => {
                "evidence about a signed session is taken for less long: many were signed since"
            }
            Self::SessionEvents => "events of a session were dropped: they were not taken in time",
            Self::News => "an outcome, a refusal or a question was dropped: it comes again",
            Self::Questions => "a question of a member for an outcome was not answered",
            Self::ProposalsOfMember => "a proposal was refused: this member has too many open",
            Self::ProposalsOffered => {
                "a proposal was not sent to the other members: too many are repeated"
            }
            Self::RequestsHeld => {
                "a refused request of this member was forgotten, or a new one not kept: too many"
            }
            Self::ProposalLife => "a proposal was refused: expired or too long by this clock",
            Self::RefusalsKept => "a refusal will not be repeated: too many are kept",
            Self::RequestsWatched => "the end of a request is not asked for: too many are watched",
            Self::PaymentsCompared => {
                "what the request with the most payments pays is not compared with further requests"
            }
            Self::EarlyMessages => "messages for a session that is not open here were dropped",
            Self::MemberLink => "messages of a member were not read: they cost too much",
            Self::MemberRelayed => "statements that a member relays were not read: too many",
            Self::Unjudged => {
                "a package or share was dropped before its session ended: too many came"
            }
            Self::RunsAnswered => {
                "this member asks for shares again and again in one request: it gets fewer now"
            }
            Self::InboundQueue => "messages of a peer were dropped: its queue is full",
            Self::OutboundQueue => "messages for a peer were dropped: its queue is full",
            Self::MessageBytes => "a message was dropped: it is too long",
            Self::PeerConnections => "a connection between nodes was refused: no room",
            Self::Whereabouts => {
                "addresses of members were not taken: too many in a time, or not signed by them"
            }
            Self::Relay => "a member asked this node to relay more than it does for one",
            Self::PairingGuests => {
                "a connection for a pairing was refused: too many of this source, or of all"
            }
            Self::PairingMessages => "a message of a pairing was not heard, or not sent: too many",
            Self::KitMessages => "a message of a member about its kit was not heard: too many",
            Self::LogLines => "log lines were dropped: they could not be written in time",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_limit_has_a_word_of_its_own() {
        let names: BTreeSet<&str> = Limit::ALL.iter().map(|limit| limit.name()).collect();
        assert_eq!(names.len(), Limit::ALL.len());
        let lower = |name: &&str| name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'));
        assert!(names.iter().all(lower), "{names:?}");
    }
}
