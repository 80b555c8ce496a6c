//! The values of the service as the JSON of the API, and back.

mod acts;
mod audit_line;
mod change;
mod draft;
mod epochs;
mod hook;
mod keygen;
mod kit;
mod pairing;
mod records;
mod request;
mod returning;
mod settings;
mod status;
mod wallet;

pub(super) use self::{
    audit_line::audit_line,
    draft::draft_of,
    wallet::{history_of, transaction_of, wallet_of},
};
use bitcoin::hex::DisplayHex as _;
use roastery_protocol::{Seat, group::PeerId};

use crate::{ServiceEvent, view};

impl From<ServiceEvent> for view::ServiceEvent {
    fn from(event: ServiceEvent) -> Self {
        let ServiceEvent { time, group, session, kind, text } = event;
        Self { time, group, session, kind, text }
    }
}

fn peer_id(peer: &PeerId) -> String {
    peer.as_bytes().to_lower_hex_string()
}

fn numbers(seats: &[Seat]) -> Vec<u16> {
    seats.iter().map(|seat| seat.to_u16()).collect()
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
