//! Authentication and roles of clients.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{connections::Place, error::ApiError, operations::Operations};
use crate::{Role, view::ProblemCode};

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

/// The token of each role.
#[derive(Clone)]
pub(super) struct Tokens {
    pub(super) operator: Token,
    pub(super) reader: Token,
}

impl Tokens {
    fn role(&self, brought: &[u8]) -> Option<Role> {
        // Both are compared, so that the time does not depend on which one it is.
        let (operator, reader) = (self.operator.is(brought), self.reader.is(brought));
        match (operator, reader) {
            (true, _) => Some(Role::Operator),
            (false, true) => Some(Role::Reader),
            (false, false) => None,
        }
    }
}

/// How clients at one listener are authenticated.
#[derive(Clone)]
pub(super) enum Access {
    /// By the permissions of the socket: only the operator can connect.
    Socket,
    /// By a token.
    Tokens(Tokens),
}

/// Gives the request its role, and its connection a place in the quota of this role.
pub(super) async fn authorise(
    access: &Access,
    operations: &Operations,
    mut request: Request,
    next: Next,
) -> Response {
    let role = match access {
        Access::Socket => Role::Operator,
        Access::Tokens(tokens) => {
            let Some(role) = brought(&request).and_then(|brought| tokens.role(brought)) else {
                return unauthorized();
            };
            let place = request.extensions().get::<Arc<Place>>();
            if place.is_some_and(|place| place.identify(role).is_err()) {
                return operations.no_connection(role).into_response();
            }
            role
        }
    };
    request.extensions_mut().insert(role);
    next.run(request).await
}

fn brought(request: &Request) -> Option<&[u8]> {
    request.headers().get(header::AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ")
}

fn unauthorized() -> Response {
    let reason = "a token of this node is needed, as \"Authorization: Bearer TOKEN\"";
    let error = ApiError::new(StatusCode::UNAUTHORIZED, ProblemCode::Unauthorized, reason);
    let mut response = error.into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// Refuses a client that is not the operator.
pub(super) async fn operator_only(request: Request, next: Next) -> Response {
    if request.extensions().get() == Some(&Role::Operator) {
        return next.run(request).await;
    }
    let reason = "this token may only read: an act needs the token in api.token_file";
    ApiError::new(StatusCode::FORBIDDEN, ProblemCode::Forbidden, reason).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_its_role_and_no_other_text_has_one() {
        let token = |text: &str| Token::new(Zeroizing::new(text.to_owned()));
        let tokens = Tokens { operator: token("may-approve"), reader: token("may-look") };
        assert_eq!(tokens.role(b"may-approve"), Some(Role::Operator));
        assert_eq!(tokens.role(b"may-look"), Some(Role::Reader));
        for other in ["", "may-", "may-approve ", "may-lookx", "MAY-LOOK"] {
            assert_eq!(tokens.role(other.as_bytes()), None, "{other:?}");
        }
    }
}
