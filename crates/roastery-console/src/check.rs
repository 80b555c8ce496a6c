//! The check of the chain of acts and shares, which a person asks for: it reads all of them.

use axum::http::StatusCode;
use maud::{Markup, html};
use roastery_service::{view::Chain, words::chain};

use crate::{console::Shared, pages};

/// Has the node compute its chain anew, and says what it says.
pub(crate) async fn check(shared: &Shared) -> (StatusCode, Markup) {
    match shared.deciding.get::<Chain>("/v1/audit/chain").await {
        Ok(whole) => (StatusCode::OK, html! { p.good.long { bdi { (chain(&whole)) } } }),
        Err(error) => pages::refused(&error),
    }
}
