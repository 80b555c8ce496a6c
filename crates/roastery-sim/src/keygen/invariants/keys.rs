use std::{collections::BTreeMap, sync::Arc};

use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use roastery_frost::{GroupKeys, SecretShare};
use roastery_protocol::{Seat, group::Group, keygen::recover_group};

use super::{Invariant, Participants};
use crate::{keygen::Node, signatures::sign_with, violation::Violation};

/// Checks of the key that a key generation has made.
#[derive(Debug)]
pub struct Keys<'a> {
    /// The keys of all members.
    pub participants: &'a Participants,
    /// The generator from which the signers are drawn.
    pub rng: &'a mut ChaCha8Rng,
}

/// The shares of those that hold a certificate, and their group.
pub type Shares = (Arc<Group>, BTreeMap<Seat, SecretShare>);

impl Keys<'_> {
    /// Takes the shares out of the nodes with a certificate and checks them: each matches the
    /// group, all groups are one, and a node whose `Debug` text shows a secret is found. Nothing if
    /// no node holds a certificate.
    pub fn take<'n>(
        &mut self,
        nodes: impl Iterator<Item = &'n mut Node>,
    ) -> Result<Option<Shares>, Violation<Invariant>> {
        let mut group: Option<Arc<Group>> = None;
        let mut shares = BTreeMap::new();
        for node in nodes.filter(|node| node.is_done()) {
            let seat = node.seat;
            let Some(machine) = node.machine_mut() else { continue };
            let words = format!("{machine:?}");
            let Some(own) = machine.recovery_file().map(|file| file.group().clone()) else {
                continue;
            };
            let Some(taken) = machine.take_shares() else {
                return unfit(format!("seat {seat} has a certificate and no share"));
            };
            if machine.take_shares().is_some() {
                return unfit(format!("seat {seat} gives its share twice"));
            }
            if taken.len() != self.participants.seats_of(seat).len() {
                return unfit(format!("the node of seat {seat} has not a share of each seat"));
            }
            let group = group.get_or_insert_with(|| own.clone());
            if group.encode() != own.encode() {
                return unfit(format!("seat {seat} has another group than the others"));
            }
            for (seat, share) in taken {
                self.look_at_share(seat, &share, &own, &words)?;
                shares.insert(seat, share);
            }
        }
        Ok(group.map(|group| (group, shares)))
    }

    /// A share matches the group, and no secret of its seat is in these words.
    fn look_at_share(
        &self,
        seat: Seat,
        share: &SecretShare,
        group: &Group,
        words: &str,
    ) -> Result<(), Violation<Invariant>> {
        let [host, seed] = self.participants.secrets(seat);
        for secret in [share.expose_bytes(), host, seed] {
            if shows(words, &secret) {
                let what = format!("the key generation of seat {seat} shows a secret in its Debug");
                return Err(Violation::of(Invariant::Secrets, what));
            }
        }
        match share.matches(group.keys(), seat) {
            true => Ok(()),
            false => unfit(format!("the share of seat {seat} does not match its public share")),
        }
    }

    /// The file of one member brings back share and group of these, with their host keys.
    pub fn recover(
        &self,
        file: &[u8],
        seats: impl Iterator<Item = Seat>,
        (group, shares): &Shares,
    ) -> Result<BTreeMap<Seat, SecretShare>, Violation<Invariant>> {
        let mut brought = BTreeMap::new();
        for seat in seats {
            let violation = |what: String| Violation::of(Invariant::Recovery, what);
            let recovered = recover_group(self.participants.host(seat), file, Some(group.id()));
            let recovered = recovered
                .map_err(|error| violation(format!("seat {seat} recovers nothing: {error}")))?;
            let same = shares
                .get(&seat)
                .is_none_or(|share| share.expose_bytes() == recovered.share.expose_bytes());
            if recovered.seat != seat || recovered.group.encode() != group.encode() || !same {
                return Err(violation(format!("seat {seat} recovers something else")));
            }
            if !recovered.share.matches(group.keys(), seat) {
                return Err(violation(format!("seat {seat} recovers a share that does not fit")));
            }
            brought.insert(seat, recovered.share);
        }
        Ok(brought)
    }

    /// Some t of these sign a message.
    pub fn sign(
        &mut self,
        keys: &GroupKeys,
        shares: &BTreeMap<Seat, SecretShare>,
    ) -> Result<(), Violation<Invariant>> {
        let mut seats: Vec<Seat> = shares.keys().copied().collect();
        seats.shuffle(self.rng);
        seats.truncate(keys.threshold());
        if seats.len() < keys.threshold() {
            return Ok(());
        }
        match sign_with(keys, shares, &seats, self.rng) {
            Some(()) => Ok(()),
            None => unfit(format!("seats {seats:?} do not sign")),
        }
    }
}

fn unfit<T>(what: String) -> Result<T, Violation<Invariant>> {
    Err(Violation::of(Invariant::SharesFit, what))
}

/// Whether a text holds these bytes, as hexadecimal digits or as a list of numbers.
fn shows(words: &str, secret: &[u8; 32]) -> bool {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<String> = secret.iter().map(u8::to_string).collect();
    words.to_lowercase().contains(&hex) || words.contains(&list.join(", "))
}
