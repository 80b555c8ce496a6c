//! Authentication and roles of clients.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use roastery_store::Principal;
use subtle::ConstantTimeEq as _;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{connections::Place, error::ApiError, operations::Operations};
use crate::{
    Brought, Role, Service,
    config::{Config, KnownUsers},
    users,
    view::ProblemCode,
};

/// The user who may do everything on a machine.
const ROOT: u32 = 0;

/// How long the name of a user may take who is refused: a directory of the network may be asked.
const NAME_TIME: Duration = Duration::from_secs(2);

/// A token of clients over TCP.
#[derive(Clone)]
pub(super) struct Token(Arc<Zeroizing<String>>);

impl Token {
    pub(super) fn new(text: Zeroizing<String>) -> Self {
        Self(Arc::new(text))
    }

    /// Compares in constant time.
    pub(super) fn is(&self, brought: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(brought).into()
    }
}

/// The token of each role that the configuration names.
#[derive(Clone)]
pub(super) struct Tokens {
    pub(super) operator: Token,
    pub(super) reader: Token,
}

impl Tokens {
    /// The option of the configuration that names this token, and its role.
    fn bearer(&self, brought: &[u8]) -> Option<(&'static str, Role)> {
        // Both are compared, so that the time does not depend on which one it is.
        let (operator, reader) = (self.operator.is(brought), self.reader.is(brought));
        match (operator, reader) {
            (true, _) => Some(("api.token_file", Role::Operator)),
            (false, true) => Some(("api.read_token_file", Role::Reader)),
            (false, false) => None,
        }
    }
}

/// The number of the user who has opened a connection to the socket, as the system says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PeerUser(pub(super) u32);

/// How clients at one listener are authenticated.
#[derive(Clone)]
pub(super) enum Access {
    /// By their users.
    Socket(Arc<Users>),
    /// By a token.
    Tokens(Tokens),
    /// By the user of the process between people elsewhere and this node: this one, or the node's
    /// own.
    Relay(Option<u32>),
}

/// The name of the user who calls, where the configuration has it.
#[derive(Clone, Debug)]
struct UserName(String);

/// What users of this machine may do at the socket.
#[derive(Debug)]
pub(super) struct Users {
    /// The user of this process.
    own: u32,
    /// The names and the roles of the others; `None`: all who can open the socket are operators.
    others: Option<BTreeMap<u32, (String, Role)>>,
}

impl Users {
    pub(super) fn new(own: u32, known: Option<KnownUsers>) -> Self {
        let others = known.map(|users| {
            let roles = users.known.into_iter();
            roles.map(|(user, (name, role))| (user, (name, role.into()))).collect()
        });
        Self { own, others }
    }

    /// Those of this process and its configuration.
    pub(super) fn of(config: &Config) -> Self {
        let known = config.users(users::number_of, users::is_seen);
        for problem in known.iter().flat_map(|users| &users.problems) {
            tracing::warn!("{problem}");
        }
        Self::new(rustix::process::geteuid().as_raw(), known)
    }

    /// The role of a user; `None` for one who may do nothing. No line takes anything from the user
    /// of the node and from root, who can read its memory anyway.
    pub(super) fn role(&self, user: u32) -> Option<Role> {
        match &self.others {
            _ if user == self.own || user == ROOT => Some(Role::Operator),
            None => Some(Role::Operator),
            Some(others) => Some(others.get(&user)?.1),
        }
    }

    fn name(&self, user: u32) -> Option<&str> {
        Some(&self.others.as_ref()?.get(&user)?.0)
    }
}

/// Gives the request its role and who asks, and its connection a place in the quota of this role.
pub(super) async fn authorise(
    access: &Access,
    service: &Service,
    operations: &Operations,
    mut request: Request,
    next: Next,
) -> Response {
    let (by, role, of_token) = match access {
        Access::Socket(users) => {
            let Some(PeerUser(user)) = request.extensions().get().copied() else {
                let reason = "the system does not say which user calls";
                let code = ProblemCode::Internal;
                return ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, code, reason)
                    .into_response();
            };
            let Some(role) = users.role(user) else { return no_role(user).await };
            if let Some(name) = users.name(user) {
                request.extensions_mut().insert(UserName(name.to_owned()));
            }
            (Principal::User(user), role, Brought::default())
        }
        Access::Relay(allowed) => {
            let user = request.extensions().get::<PeerUser>().map(|PeerUser(user)| *user);
            let own = rustix::process::geteuid().as_raw();
            let Some(user) = user.filter(|user| *user == own || Some(*user) == *allowed) else {
                return not_the_relay();
            };
            (Principal::User(user), Role::Relay, Brought::default())
        }
        Access::Tokens(tokens) => {
            let bearer = brought(&request).and_then(|brought| {
                let configured = tokens.bearer(brought);
                let named = service.bearer(brought);
                let configured = configured.map(|(name, role)| {
                    (Principal::Token(name.to_owned()), role, Brought::default())
                });
                configured.or(named)
            });
            let Some((by, role, of_token)) = bearer else { return unauthorized() };
            let place = request.extensions().get::<Arc<Place>>();
            if place.is_some_and(|place| place.identify(role).is_err()) {
                return operations.no_connection(role).into_response();
            }
            (by, role, of_token)
        }
    };
    request.extensions_mut().insert(role);
    request.extensions_mut().insert(by);
    request.extensions_mut().insert(of_token);
    next.run(request).await
}

/// Refuses a client whose token counts no more: its body may have come long after its head.
pub(super) async fn still_admitted(service: &Service, request: Request, next: Next) -> Response {
    match request.extensions().get().copied() {
        Some(brought) if service.still_admits(brought) => next.run(request).await,
        _ => unauthorized(),
    }
}

fn brought(request: &Request) -> Option<&[u8]> {
    request.headers().get(header::AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")
}

/// Refuses a user without a role. Its name may have to be asked for.
async fn no_role(user: u32) -> Response {
    let asked = tokio::task::spawn_blocking(move || users::name_of(user));
    let name = match timeout(NAME_TIME, asked).await {
        Ok(Ok(Some(name))) => format!("{name} (user {user})"),
        _ => format!("user {user}"),
    };
    let reason = format!(
        "{name} has no role at this node: its operator gives one with a line in [operators] of \
         roastery.toml (reader, proposer, approver or operator), which counts from the node's \
         next start"
    );
    ApiError::new(StatusCode::FORBIDDEN, ProblemCode::Forbidden, reason).into_response()
}

fn not_the_relay() -> Response {
    let reason = "this socket is for the user of roastery console --remote: remote.user in \
                  roastery.toml names its number";
    ApiError::new(StatusCode::FORBIDDEN, ProblemCode::Forbidden, reason).into_response()
}

fn unauthorized() -> Response {
    let reason = "a token of this node is needed, as \"Authorization: Bearer TOKEN\"";
    let error = ApiError::new(StatusCode::UNAUTHORIZED, ProblemCode::Unauthorized, reason);
    let mut response = error.into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Refuses a client whose role may not do what this one is needed for.
pub(super) async fn at_least(needed: Role, request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    let role = extensions.get::<Role>().copied().unwrap_or(Role::Reader);
    if role.may(needed) {
        return next.run(request).await;
    }
    let reason = match (extensions.get::<Principal>(), extensions.get::<UserName>()) {
        (Some(Principal::User(number)), Some(UserName(name))) => format!(
            "{name} (user {number}) is {role} at this node, and this needs the role {needed}: ask \
             one who has it, or have the line of {name} in [operators] of roastery.toml changed, \
             which counts from the node's next start"
        ),
        _ => "this token may only read: an act needs a token of the role operator, or the one in \
              api.token_file"
            .to_owned(),
    };
    ApiError::new(StatusCode::FORBIDDEN, ProblemCode::Forbidden, reason).into_response()
}

/// Refuses a token: this is for a user of this machine at the socket.
pub(super) fn user_only(by: &Principal, reason: &'static str) -> Result<(), ApiError> {
    if matches!(by, Principal::User(_)) {
        return Ok(());
    }
    Err(ApiError::new(StatusCode::FORBIDDEN, ProblemCode::Forbidden, reason))
}

/// Refuses a client that is not the process between people elsewhere and this node.
#[cfg(feature = "remote")]
pub(super) async fn relay_only(request: Request, next: Next) -> Response {
    if request.extensions().get() == Some(&Role::Relay) {
        return next.run(request).await;
    }
    let reason =
        "this is for the process of roastery console --remote, at the socket remote.socket";
    ApiError::new(StatusCode::FORBIDDEN, ProblemCode::Forbidden, reason).into_response()
}

/// The operations whose record is written with their effect: a decision, or a setting that has one
/// that a person is to be told.
const RECORD_THEMSELVES: &[&str] = &[
    "/v1/requests/{session}/approve",
    "/v1/requests/{session}/reject",
    "/v1/groups/{name}/requests",
    "/v1/groups/{name}/bar",
    "/v1/groups/{name}/name",
    "/v1/tokens",
    "/v1/tokens/{name}/revoke",
    #[cfg(feature = "remote")]
    "/v1/passkeys/keep",
    #[cfg(feature = "remote")]
    "/v1/passkeys/{name}/remove",
];

/// What is no look by its method, and changes nothing: what it looks at is in its body.
const CHANGE_NOTHING: [&str; 2] = ["/v1/requests/{session}/signed", "/v1/groups/{name}/examine"];

/// Records who asks for an operation before it has an effect. One that cannot be recorded is not
/// done, but for the stop.
pub(super) async fn recorded(service: &Service, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let is = |one: &str| path.is_some_and(|path| path.as_str() == one);
    let unrecorded = RECORD_THEMSELVES.iter().copied().chain(CHANGE_NOTHING).any(is);
    // The address that is given out already is given again.
    let same_address = is("/v1/wallets/{group}/addresses")
        && matches!(request.uri().query(), None | Some("" | "new=false"));
    let unrecorded = unrecorded || same_address;
    let looks = request.method() == Method::GET || request.method() == Method::HEAD;
    // A backup has the node's keys, and a kit has them under its words.
    if unrecorded || looks && !is("/v1/backup") && !is("/v1/kits/{name}/file") {
        return next.run(request).await;
    }
    let Some(by) = request.extensions().get::<Principal>().cloned() else {
        let reason = "a request without a client";
        return ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, ProblemCode::Internal, reason)
            .into_response();
    };
    let operation = format!("{} {}", request.method(), request.uri().path());
    match service.record(by, &operation).await {
        Err(error) if request.uri().path() != "/v1/stop" => ApiError::from(error).into_response(),
        _ => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_its_role_and_no_other_text_has_one() {
        let token = |text: &str| Token::new(Zeroizing::new(text.to_owned()));
        let tokens = Tokens { operator: token("may-approve"), reader: token("may-look") };
        let bearer = |text: &str| tokens.bearer(text.as_bytes());
        assert_eq!(bearer("may-approve"), Some(("api.token_file", Role::Operator)));
        assert_eq!(bearer("may-look"), Some(("api.read_token_file", Role::Reader)));
        for other in ["", "may-", "may-approve ", "may-lookx", "MAY-LOOK"] {
            assert_eq!(bearer(other), None, "{other:?}");
        }
    }

    #[test]
    fn the_user_of_the_node_and_root_are_operators_and_others_what_the_table_says() {
        use crate::config::UserRole;
        let table = |known: &[(u32, &str, UserRole)]| {
            let known = known.iter().map(|(user, name, role)| (*user, ((*name).to_owned(), *role)));
            Some(KnownUsers { known: known.collect(), problems: Vec::new() })
        };
        let known = [
            (1000, "anna", UserRole::Reader),
            (1001, "bert", UserRole::Approver),
            (0, "root", UserRole::Reader),
            (1002, "cleo", UserRole::Operator),
        ];
        let users = Users::new(1000, table(&known));
        assert_eq!(users.role(1000), Some(Role::Operator), "its own user");
        assert_eq!(users.role(0), Some(Role::Operator), "root");
        assert_eq!(users.role(1001), Some(Role::Approver));
        assert_eq!(users.role(1002), Some(Role::Operator));
        assert_eq!(users.role(1003), None);
        // An empty table is one too; without any the permissions of the socket say who comes.
        assert_eq!(Users::new(1000, table(&[])).role(1001), None);
        assert_eq!(Users::new(1000, None).role(1001), Some(Role::Operator));
    }

    #[test]
    fn what_records_itself_is_an_act_of_the_api() {
        let acts = crate::api::routes::all_acts().to_openapi();
        let acts = serde_json::to_value(acts).unwrap();
        for path in RECORD_THEMSELVES.iter().copied().chain(CHANGE_NOTHING) {
            assert!(acts["paths"][path]["post"].is_object(), "{path}");
        }
    }
}
