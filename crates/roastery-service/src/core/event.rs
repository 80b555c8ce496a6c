use roastery_protocol::session;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::now_ms;
use crate::{text::visible, view::Time};

/// Something that has happened, for whoever looks on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceEvent {
    /// When.
    pub time: Time,
    /// The group's name, or the ceremony's.
    pub group: String,
    /// The session (or the ceremony): 64 hexadecimal digits.
    pub session: String,
    /// What, in a word that stays the same.
    pub kind: String,
    /// What, for people.
    pub text: String,
}

impl ServiceEvent {
    pub(super) fn new(group: &str, session: String, kind: &str, text: String) -> Self {
        let (group, kind, text) = (visible(group), kind.to_owned(), visible(&text));
        Self { time: Time::from_milliseconds(now_ms()), group, session, kind, text }
    }
}

/// A session's event in a word and in a line.
pub(super) fn describe(event: &session::Event) -> Option<(&'static str, String)> {
    use session::Event;
    Some(match event {
        Event::Committed { attempt, coordinator } => (
            "committed",
            format!("attempt {attempt}: this node has shown its nonces to seat {coordinator}"),
        ),
        Event::Coordinating { attempt } => {
            ("coordinating", format!("attempt {attempt}: this node coordinates"))
        }
        Event::SlotReceived { attempt, signer } => {
            ("slot", format!("attempt {attempt}: seat {signer} is ready"))
        }
        Event::PackageIssued { attempt, number, signers } => {
            let signers: Vec<String> = signers.iter().map(ToString::to_string).collect();
            (
                "package",
                format!("attempt {attempt}: package {number} asks seats {}", signers.join(", ")),
            )
        }
        Event::ShareReleased { attempt, package } => (
            "share-released",
            format!("attempt {attempt}: this node gives its share for package {package}"),
        ),
        Event::ShareReceived { attempt, signer, number } => (
            "share",
            format!("attempt {attempt}: the share of seat {signer} for package {number} is in"),
        ),
        Event::Proven { finding, .. } => {
            ("proven", format!("{} by seat {} is proven", finding.fault, finding.accused))
        }
        Event::Refused { seat, reason } => {
            ("refused", format!("seat {seat} does not take part: {reason}"))
        }
        Event::Signed(outcome) => ("signed", format!("{} signatures", outcome.signatures.len())),
        Event::Stopped(reason) => ("stopped", reason.to_string()),
        _ => return None,
    })
}
