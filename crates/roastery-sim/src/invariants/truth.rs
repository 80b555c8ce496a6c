use roastery_frost::{PublicNonce, nonce_agg};
use roastery_protocol::{
    Attempt,
    message::{Body, Envelope, SignatureShare, SigningPackage, SlotNonces},
    proof::Fault,
};

use super::{Case, ShareCheck};

impl Case {
    /// Whether the claim of a proof is true, checked independently of
    /// [`Proof::verify`](roastery_protocol::proof::Proof::verify): by the content of the messages,
    /// and not by what a third party can verify.
    pub fn is_true(&self, fault: &Fault) -> bool {
        match fault {
            Fault::PackageConflict { first, second } => {
                let (Some((attempt, one)), Some((other_attempt, other))) =
                    (self.package(first), self.package(second))
                else {
                    return false;
                };
                (attempt, one.run, one.number) == (other_attempt, other.run, other.number)
                    && one != other
            }
            Fault::SlotAssignedTwice { first, second } => {
                let (Some((attempt, one)), Some((other_attempt, other))) =
                    (self.package(first), self.package(second))
                else {
                    return false;
                };
                (attempt, one.run) == (other_attempt, other.run)
                    && one != other
                    && one.signers.iter().any(|entry| other.signers.contains(entry))
            }
            Fault::WrongAggregateNonce { package, slots } => {
                self.package(package).is_some_and(|(_, package)| !adds_up(&package, slots))
            }
            Fault::ShareConflict { first, second } => {
                let (Some((attempt, one)), Some((other_attempt, other))) =
                    (self.share(first), self.share(second))
                else {
                    return false;
                };
                (attempt, one.package) == (other_attempt, other.package)
                    && one.scalars != other.scalars
            }
            Fault::InvalidShare { package, nonces, share, .. } => {
                let Some(signer) = share.sender(&self.group) else { return false };
                let (Some((_, package)), Some((_, share))) =
                    (self.package(package), self.share(share))
                else {
                    return false;
                };
                self.check_share(&package, signer, nonces, &share) != ShareCheck::Right
            }
            Fault::MalformedMessage { message } => self.shape.read(message).is_err(),
        }
    }

    fn package(&self, envelope: &Envelope) -> Option<(Attempt, SigningPackage)> {
        match self.shape.read(envelope).ok()? {
            (attempt, Body::SigningPackage(package)) => Some((attempt, package)),
            _ => None,
        }
    }

    fn share(&self, envelope: &Envelope) -> Option<(Attempt, SignatureShare)> {
        match self.shape.read(envelope).ok()? {
            (attempt, Body::SignatureShare(share)) => Some((attempt, share)),
            _ => None,
        }
    }
}

fn adds_up(package: &SigningPackage, slots: &[SlotNonces]) -> bool {
    package.aggregates.iter().enumerate().all(|(at, aggregate)| {
        let nonces: Option<Vec<PublicNonce>> =
            slots.iter().map(|slot| PublicNonce::from_bytes(slot.0.get(at)?).ok()).collect();
        nonces.is_some_and(|nonces| nonce_agg(&nonces).to_bytes() == aggregate.to_bytes())
    })
}
