use roastery_frost::{PublicNonce, Seat, SessionContext, nonce_agg};

use super::{Fault, Indeterminate, Proof, ProvenFault, Verdict};
use crate::{
    Attempt,
    group::Group,
    message::{Body, Envelope, Kind, Shape, SignatureShare, SigningPackage, SlotNonces},
    request::message_keys,
};

impl Proof {
    /// Decides the claim, with the group file and nothing else. Costs at most one signature check
    /// for each envelope in it and, for a wrong aggregate nonce, the decoding of all nonces; one
    /// share check for an invalid share.
    pub fn verify(&self, group: &Group) -> Verdict {
        match Judge::new(self, group).and_then(|judge| judge.decide(&self.fault)) {
            Ok(Some(accused)) => Verdict::Invalid(ProvenFault {
                accused,
                fault: self.fault.kind(),
                session: self.request.session_id(),
            }),
            Ok(None) => Verdict::Valid,
            Err(reason) => Verdict::Indeterminate(reason),
        }
    }
}

/// `Some(seat)`: proven against that seat. `None`: its message is valid.
type Decision = Result<Option<Seat>, Indeterminate>;

struct Judge<'a> {
    group: &'a Group,
    proof: &'a Proof,
    shape: Shape,
}

impl<'a> Judge<'a> {
    fn new(proof: &'a Proof, group: &'a Group) -> Result<Self, Indeterminate> {
        let request = &proof.request;
        if request.group() != group.id() {
            let (proof, group) = (request.group(), group.id());
            return Err(Indeterminate::OtherGroup { proof, group });
        }
        let shape = Shape::new(group, request.session_id(), request.messages().len());
        Ok(Self { group, proof, shape })
    }

    fn decide(&self, fault: &Fault) -> Decision {
        match fault {
            Fault::PackageConflict { first, second } => self.package_conflict(first, second),
            Fault::SlotAssignedTwice { first, second } => self.slot_assigned_twice(first, second),
            Fault::WrongAggregateNonce { package, slots } => self.wrong_aggregate(package, slots),
            Fault::ShareConflict { first, second } => self.share_conflict(first, second),
            Fault::InvalidShare { package, nonces, share, message } => {
                self.invalid_share(package, nonces, share, *message)
            }
            Fault::MalformedMessage { message } => self.malformed_message(message),
        }
    }

    fn package_conflict(&self, first: &Envelope, second: &Envelope) -> Decision {
        let (accused, attempt, one) = self.package(first)?;
        let (other_sender, other_attempt, other) = self.package(second)?;
        let same = (accused, attempt, one.run, one.number)
            == (other_sender, other_attempt, other.run, other.number);
        if !same {
            return Err(Indeterminate::NotComparable);
        }
        Ok((first.body() != second.body()).then_some(accused))
    }

    fn slot_assigned_twice(&self, first: &Envelope, second: &Envelope) -> Decision {
        let (accused, attempt, one) = self.package(first)?;
        let (other_sender, other_attempt, other) = self.package(second)?;
        if (accused, attempt, one.run) != (other_sender, other_attempt, other.run) {
            return Err(Indeterminate::NotComparable);
        }
        let twice = one.signers.iter().any(|entry| other.signers.contains(entry));
        Ok((twice && first.body() != second.body()).then_some(accused))
    }

    fn wrong_aggregate(&self, package: &Envelope, slots: &[SlotNonces]) -> Decision {
        let (accused, attempt, content) = self.package(package)?;
        if slots.len() != content.signers.len() {
            return Err(Indeterminate::OtherNonces);
        }
        for (entry, nonces) in content.signers.iter().zip(slots) {
            self.check_slot(attempt, entry.seat, nonces, entry.slot)?;
        }
        for (position, aggregate) in content.aggregates.iter().enumerate() {
            let nonces: Result<Vec<PublicNonce>, _> =
                slots.iter().map(|slot| PublicNonce::from_bytes(&slot.0[position])).collect();
            match nonces {
                Ok(nonces) if nonce_agg(&nonces).to_bytes() == aggregate.to_bytes() => {}
                // An honest coordinator names no slot whose nonces it could not read.
                Ok(_) | Err(_) => return Ok(Some(accused)),
            }
        }
        Ok(None)
    }

    fn share_conflict(&self, first: &Envelope, second: &Envelope) -> Decision {
        let (accused, attempt, one) = self.share(first)?;
        let (other_sender, other_attempt, other) = self.share(second)?;
        if (accused, attempt, one.package) != (other_sender, other_attempt, other.package) {
            return Err(Indeterminate::NotComparable);
        }
        // The next slot may differ between two sendings of one share; the scalars may not.
        Ok((one.scalars != other.scalars).then_some(accused))
    }

    fn invalid_share(
        &self,
        package: &Envelope,
        nonces: &SlotNonces,
        share: &Envelope,
        message: u8,
    ) -> Decision {
        let (_, attempt, content) = self.package(package)?;
        let (accused, share_attempt, answer) = self.share(share)?;
        if answer.package != package.body_hash() || share_attempt != attempt {
            return Err(Indeterminate::OtherPackage);
        }
        let named = content.slot_of(accused).ok_or(Indeterminate::AccusedNotInPackage)?;
        self.check_slot(attempt, accused, nonces, named)?;
        let position = usize::from(message);
        let count = self.shape.messages();
        let (Some(pair), Some(aggregate), Some(scalar)) = (
            nonces.0.get(position),
            content.aggregates.get(position),
            answer.scalars.get(position),
        ) else {
            return Err(Indeterminate::NoSuchMessage { message, count });
        };
        let nonce = PublicNonce::from_bytes(pair).map_err(|_| Indeterminate::UndecodableNonces)?;
        let keys = message_keys(&self.proof.request, self.group).map_err(|(_, error)| error)?;
        let signers =
            self.group.keys().signers(&content.seats()).map_err(|_| Indeterminate::NotOfTheKind)?;
        let key = &keys[position];
        let context = SessionContext::new(&signers, aggregate, &key.tweaks, &key.message)
            .map_err(|_| Indeterminate::Undefined)?;
        Ok(context.verify(scalar, &nonce, accused).is_err().then_some(accused))
    }

    fn malformed_message(&self, message: &Envelope) -> Decision {
        let sender = self.authenticate(message)?;
        match message.kind() {
            // A proposal comes before its session, and a proof is checked by its own claim.
            Kind::Proposal | Kind::Evidence => Err(Indeterminate::FormNotProvable),
            _ => Ok(self.shape.read(message).is_err().then_some(sender)),
        }
    }

    fn authenticate(&self, envelope: &Envelope) -> Result<Seat, Indeterminate> {
        let header = envelope.header();
        let request = &self.proof.request;
        if header.group != self.group.id() || header.session != request.session_id() {
            return Err(Indeterminate::OtherSession);
        }
        match envelope.sender(self.group) {
            Some(seat) if envelope.is_signed_by_its_sender(self.group) => Ok(seat),
            _ => Err(Indeterminate::NotSigned),
        }
    }

    fn package(
        &self,
        envelope: &Envelope,
    ) -> Result<(Seat, Attempt, SigningPackage), Indeterminate> {
        let sender = self.authenticate(envelope)?;
        match self.shape.read(envelope) {
            Ok((attempt, Body::SigningPackage(package))) => Ok((sender, attempt, package)),
            _ => Err(Indeterminate::NotOfTheKind),
        }
    }

    fn share(&self, envelope: &Envelope) -> Result<(Seat, Attempt, SignatureShare), Indeterminate> {
        let sender = self.authenticate(envelope)?;
        match self.shape.read(envelope) {
            Ok((attempt, Body::SignatureShare(share))) => Ok((sender, attempt, share)),
            _ => Err(Indeterminate::NotOfTheKind),
        }
    }

    fn check_slot(
        &self,
        attempt: Attempt,
        signer: Seat,
        nonces: &SlotNonces,
        named: crate::SlotHash,
    ) -> Result<(), Indeterminate> {
        let request = &self.proof.request;
        let right_count = nonces.0.len() == self.shape.messages();
        let hash = nonces.hash(request.group(), request.session_id(), attempt, signer);
        if right_count && hash == named { Ok(()) } else { Err(Indeterminate::OtherNonces) }
    }
}
