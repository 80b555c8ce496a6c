use bitcoin::hex::DisplayHex as _;
use roastery_store::{Deed, KeptAssertion, KeptToken, Principal};

use crate::{RecordedAct, RecordedActs, Role, Time, view};

impl From<Principal> for view::Principal {
    fn from(by: Principal) -> Self {
        use view::PrincipalKind::{Node, Passkey, Token, User};
        match by {
            Principal::User(number) => Self { kind: User, name: number.to_string() },
            Principal::Token(name) => Self { kind: Token, name },
            Principal::Node => Self { kind: Node, name: String::new() },
            Principal::Passkey(name) => Self { kind: Passkey, name },
        }
    }
}

impl From<RecordedAct> for view::RecordedAct {
    fn from(recorded: RecordedAct) -> Self {
        let RecordedAct { number, kept, group } = recorded;
        let assertion = match &kept.act.deed {
            Deed::Asserted { assertion, .. } => Some(assertion.into()),
            _ => None,
        };
        let (act, session, seen, text) = match kept.act.deed {
            Deed::Proposed { session, .. } => {
                (view::ActKind::Proposed, session.to_string(), None, String::new())
            }
            Deed::Approved { session, seen, .. } => {
                (view::ActKind::Approved, session.to_string(), seen, String::new())
            }
            Deed::Rejected { session, seen, text, .. } => {
                (view::ActKind::Rejected, session.to_string(), seen, text)
            }
            Deed::Asserted { session, seen, approves, .. } => {
                let text = if approves { "approve" } else { "reject" };
                (view::ActKind::Asserted, session.to_string(), Some(seen), text.to_owned())
            }
            Deed::Asked { operation, about } if about.is_empty() => {
                (view::ActKind::Asked, String::new(), None, operation)
            }
            Deed::Asked { operation, about } => {
                let text = format!("{operation}: {about}");
                (view::ActKind::Asked, String::new(), None, text)
            }
        };
        Self {
            number,
            time: Time::from_milliseconds(kept.act.time_ms),
            by: kept.act.by.into(),
            act,
            group,
            session,
            seen: seen.map(|seen| seen.to_lower_hex_string()),
            text,
            assertion,
            shares: kept.shares,
            before: kept.before.to_lower_hex_string(),
        }
    }
}

impl From<&KeptAssertion> for view::AssertedBy {
    fn from(assertion: &KeptAssertion) -> Self {
        let KeptAssertion { credential, ticket, client_data, authenticator_data, signature } =
            assertion;
        Self {
            credential: credential.to_lower_hex_string(),
            ticket: ticket.to_lower_hex_string(),
            client_data: client_data.to_lower_hex_string(),
            authenticator_data: authenticator_data.to_lower_hex_string(),
            signature: signature.to_lower_hex_string(),
        }
    }
}

impl From<RecordedActs> for view::RecordedActs {
    fn from(recorded: RecordedActs) -> Self {
        let RecordedActs { acts, count, hash } = recorded;
        let acts = acts.into_iter().map(Into::into).collect();
        Self { acts, count, hash: hash.to_lower_hex_string() }
    }
}

impl From<view::TokenRole> for Role {
    fn from(role: view::TokenRole) -> Self {
        match role {
            view::TokenRole::Reader => Self::Reader,
            view::TokenRole::Operator => Self::Operator,
        }
    }
}

impl From<KeptToken> for view::TokenStatus {
    fn from(token: KeptToken) -> Self {
        let KeptToken { name, acts, made, expires, .. } = token;
        let role = if acts { view::TokenRole::Operator } else { view::TokenRole::Reader };
        let expires = expires.map(Time::from_seconds);
        Self { name, role, made: Time::from_seconds(made), expires }
    }
}
