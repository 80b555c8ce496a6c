use roastery_protocol::member::machine::Event;

use crate::{Time, service::now_ms, text::visible};

/// An event, for clients that observe the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEvent {
    /// When it happened.
    pub time: Time,
    /// The name of the group, or of the one that a key generation makes.
    pub group: String,
    /// The id of the session or of the key generation: 64 hexadecimal digits.
    pub session: String,
    /// The kind, in a stable word.
    pub kind: String,
    /// A description for people.
    pub text: String,
}

/// Whether an event of a session is a step on the way to its end. A signature has some ten of them
/// at each node: they are for clients that observe, and for a log of level `debug`.
pub(in crate::service) fn is_step(event: &Event) -> bool {
    matches!(
        event,
        Event::Reigning { .. }
            | Event::TakesPart { .. }
            | Event::PackageIssued { .. }
            | Event::ShareReleased { .. }
    )
}

impl ServiceEvent {
    pub(in crate::service) fn new(group: &str, session: String, kind: &str, text: String) -> Self {
        let (group, kind, text) = (visible(group), kind.to_owned(), visible(&text));
        Self { time: Time::from_milliseconds(now_ms()), group, session, kind, text }
    }
}

/// The kind and the description of a session's event.
pub(in crate::service) fn describe(event: &Event) -> Option<(&'static str, String)> {
    Some(match event {
        Event::Reigning { .. } => ("coordinating", "this node coordinates".to_owned()),
        Event::TakesPart { seat, .. } => ("takes-part", format!("seat {seat} takes part")),
        Event::PackageIssued { number, signers, .. } => {
            let signers: Vec<String> = signers.iter().map(ToString::to_string).collect();
            ("package", format!("package {number} asks seats {}", signers.join(", ")))
        }
        Event::ShareReleased { package, .. } => {
            ("share-released", format!("this node gives its share for package {package}"))
        }
        Event::Proven { fault, .. } => {
            ("proven", format!("{} by seat {} is proven", fault.fault, fault.accused))
        }
        Event::Refused { seat, reason, .. } => {
            ("refused", format!("seat {seat} does not take part: {reason}"))
        }
        Event::Signed(outcome) => ("signed", format!("{} signatures", outcome.signatures.len())),
        Event::Stopped { reason, .. } => ("stopped", reason.to_string()),
        _ => return None,
    })
}
