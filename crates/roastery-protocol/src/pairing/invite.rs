//! How a node invites: what is offered, and a line for each other member.

use std::collections::BTreeMap;

use roastery_frost::Seat;

use super::{
    Terms,
    kept::{Invited, Inviting, Kept, Role},
    line::{Line, LineAddress, MOST_LINE_ADDRESSES, Purpose},
    machine::{Own, Pairing, PairingError},
    secret::Secret,
};
use crate::{clock::Moment, group::Name};

/// The longest that a line can be used, in seconds: seven days.
pub const MOST_LINE_SECONDS: u32 = 7 * 24 * 60 * 60;

/// The shortest that a line can be used, in seconds: ten minutes.
pub const LEAST_LINE_SECONDS: u32 = 10 * 60;

/// What a node that invites needs to begin.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The group's name.
    pub group: Name,
    /// How many must sign.
    pub threshold: u16,
    /// The members' names: this node's first.
    pub names: Vec<Name>,
    /// This node's Ed25519 key, as lines name it.
    pub key: [u8; 32],
    /// Where it is dialled; the first four are in the lines.
    pub addresses: Vec<LineAddress>,
    /// How long the lines can be used, in seconds: [`LEAST_LINE_SECONDS`] to
    /// [`MOST_LINE_SECONDS`].
    pub seconds: u32,
}

impl Invite {
    pub(super) fn line(&self, secret: Secret<16>, now: Moment) -> Line {
        let Self { key, addresses, seconds, .. } = self;
        Line::new(Purpose::Join, *key, secret, (*seconds, now), addresses)
    }
}

impl Line {
    /// A line that can be used for so many seconds from now, between [`LEAST_LINE_SECONDS`] and
    /// [`MOST_LINE_SECONDS`]. It has the first four of these addresses.
    pub fn new(
        purpose: Purpose,
        inviter: [u8; 32],
        secret: Secret<16>,
        (seconds, now): (u32, Moment),
        addresses: &[LineAddress],
    ) -> Self {
        let seconds = seconds.clamp(LEAST_LINE_SECONDS, MOST_LINE_SECONDS);
        let expiry = now.wall_seconds().saturating_add(seconds.into());
        let expiry = u32::try_from(expiry).unwrap_or(u32::MAX);
        let addresses = addresses.iter().take(MOST_LINE_ADDRESSES).cloned().collect();
        Self { purpose, inviter, secret, expiry, addresses }
    }
}

impl Pairing {
    /// Begins a pairing as the node that invites, with a line for each other member.
    ///
    /// # Errors
    ///
    /// [`PairingError`] names the rule that does not hold.
    pub fn invite(invite: &Invite, mut own: Own, now: Moment) -> Result<Self, PairingError> {
        let random = (own.entropy)().ok_or(PairingError::Randomness)?;
        let mut pairing = [0; 16];
        pairing.copy_from_slice(&random[..16]);
        let terms = Terms {
            pairing,
            group: invite.group.clone(),
            threshold: invite.threshold,
            names: invite.names.clone(),
            network: own.network.clone(),
        };
        terms.check()?;
        let mut invited = BTreeMap::new();
        let mut deadline = 0;
        for seat in terms.seats().skip(1) {
            let line = invite.line(draw(&mut own)?, now);
            deadline = line.expiry.into();
            invited.insert(seat.to_u16(), Invited { line, used: None, declined: false });
        }
        let role = Role::Inviting(Inviting { terms, invited, entries: BTreeMap::new() });
        let mut pairing = Self::with(own, Kept::new(role, deadline), now)?;
        pairing.begin_attempt(1).ok_or(PairingError::Randomness)?;
        pairing.flush();
        Ok(pairing)
    }

    /// At the inviter: the line of each seat.
    pub fn lines(&self) -> Vec<(Seat, &Line)> {
        let Role::Inviting(inviting) = &self.kept.role else { return Vec::new() };
        let seat = |seat: u16| Seat::new(seat.into()).ok();
        inviting
            .invited
            .iter()
            .filter_map(|(at, invited)| Some((seat(*at)?, &invited.line)))
            .collect()
    }
}

/// The secret of a line.
pub(super) fn draw(own: &mut Own) -> Result<Secret<16>, PairingError> {
    let random = Secret::new((own.entropy)().ok_or(PairingError::Randomness)?);
    let mut secret = [0; 16];
    secret.copy_from_slice(&random.expose()[..16]);
    Ok(Secret::new(secret))
}
