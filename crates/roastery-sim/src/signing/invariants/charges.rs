use roastery_protocol::{Seat, member::machine::Rejected};

use super::{Case, Found, Invariant};
use crate::{violation::Violation, world::Packet};

/// What an honest node sends costs no more than its link may, whatever other links bring: an honest
/// node refuses nothing of another one because an allowance is used up.
pub(super) fn judge(case: &Case, node: Seat, packet: &Packet, why: &Rejected) -> Result<(), Found> {
    let Rejected::OverQuota { link } = why else { return Ok(()) };
    if !case.is_honest(node) || !case.is_honest(packet.from) {
        return Ok(());
    }
    let what = format!(
        "the node of seat {node} refuses a message of that of seat {}, because the allowance of \
         the link to seat {link} is used up",
        packet.from
    );
    Err(Violation::of(Invariant::ChargesStayApart, what))
}
