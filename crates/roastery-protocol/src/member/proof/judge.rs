use roastery_frost::{PublicNonce, Seat, SessionContext, nonce_agg};

use super::{Fault, Indeterminate, Proof, ProvenFault, Verdict};
use crate::{
    group::Group,
    member::frame::{
        Content, NamedSlots, Shape, SignatureShare, SignerSlots, SigningPackage, Statement,
        StatementKind, slot_hash,
    },
    request::message_keys,
};

impl Proof {
    /// Decides the claim, with the group file and nothing else. Costs at most one signature check
    /// for each statement in it and, for a wrong aggregate nonce, the decoding of all nonces; one
    /// share check for an invalid share.
    pub fn verify(&self, group: &Group) -> Verdict {
        match Judge::new(self, group).and_then(|judge| judge.decide(self.fault())) {
            Ok(Some(accused)) => Verdict::Invalid(ProvenFault {
                accused,
                fault: self.fault().kind(),
                session: self.request().session_id(),
            }),
            Ok(None) => Verdict::Valid,
            Err(reason) => Verdict::Indeterminate(reason),
        }
    }
}

/// `Some(seat)`: proven against that seat. `None`: its statement is valid.
type Decision = Result<Option<Seat>, Indeterminate>;

struct Judge<'a> {
    group: &'a Group,
    proof: &'a Proof,
    shape: Shape,
}

impl<'a> Judge<'a> {
    fn new(proof: &'a Proof, group: &'a Group) -> Result<Self, Indeterminate> {
        let request = proof.request();
        if request.group() != group.id() {
            let (proof, group) = (request.group(), group.id());
            return Err(Indeterminate::OtherGroup { proof, group });
        }
        Ok(Self { group, proof, shape: Shape::new(group, request.messages().len()) })
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

    fn package_conflict(&self, first: &Statement, second: &Statement) -> Decision {
        let (accused, one) = self.package(first)?;
        let (other_sender, other) = self.package(second)?;
        if (accused, one.run, one.number) != (other_sender, other.run, other.number) {
            return Err(Indeterminate::NotComparable);
        }
        Ok((first.body() != second.body()).then_some(accused))
    }

    fn slot_assigned_twice(&self, first: &Statement, second: &Statement) -> Decision {
        let (accused, one) = self.package(first)?;
        let (other_sender, other) = self.package(second)?;
        if (accused, one.run) != (other_sender, other.run) {
            return Err(Indeterminate::NotComparable);
        }
        // An index is what the signer states; the hash is what it promised.
        let names = |entry: &SignerSlots| {
            other.entry_of(entry.seat).is_some_and(|there| there.hash == entry.hash)
        };
        let twice = one.signers.iter().any(names);
        Ok((twice && first.body() != second.body()).then_some(accused))
    }

    fn wrong_aggregate(&self, package: &Statement, slots: &[NamedSlots]) -> Decision {
        let (accused, content) = self.package(package)?;
        if slots.len() != content.signers.len() {
            return Err(Indeterminate::OtherNonces);
        }
        for (entry, nonces) in content.signers.iter().zip(slots) {
            self.check_slots(accused, entry, nonces)?;
        }
        for (position, aggregate) in content.aggregates.iter().enumerate() {
            let nonces: Result<Vec<PublicNonce>, _> =
                slots.iter().map(|slots| PublicNonce::from_bytes(&slots.0[position])).collect();
            match nonces {
                Ok(nonces) if nonce_agg(&nonces).to_bytes() == aggregate.to_bytes() => {}
                // An honest coordinator names no slots whose nonces it could not read.
                Ok(_) | Err(_) => return Ok(Some(accused)),
            }
        }
        Ok(None)
    }

    fn share_conflict(&self, first: &Statement, second: &Statement) -> Decision {
        let (accused, one) = self.share(first)?;
        let (other_sender, other) = self.share(second)?;
        if (accused, one.package) != (other_sender, other.package) {
            return Err(Indeterminate::NotComparable);
        }
        Ok((one.scalars != other.scalars).then_some(accused))
    }

    fn invalid_share(
        &self,
        package: &Statement,
        nonces: &NamedSlots,
        share: &Statement,
        message: u8,
    ) -> Decision {
        let (coordinator, content) = self.package(package)?;
        let (accused, answer) = self.share(share)?;
        if answer.package != package.body_hash() {
            return Err(Indeterminate::OtherPackage);
        }
        let entry = content.entry_of(accused).ok_or(Indeterminate::AccusedNotInPackage)?;
        self.check_slots(coordinator, entry, nonces)?;
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
        let keys = message_keys(self.proof.request(), self.group).map_err(|(_, error)| error)?;
        let signers =
            self.group.keys().signers(&content.seats()).map_err(|_| Indeterminate::NotOfTheKind)?;
        let key = &keys[position];
        let context = SessionContext::new(&signers, aggregate, &key.tweaks, &key.message)
            .map_err(|_| Indeterminate::Undefined)?;
        Ok(context.verify(scalar, &nonce, accused).is_err().then_some(accused))
    }

    fn malformed_message(&self, message: &Statement) -> Decision {
        let sender = self.authenticate(message)?;
        match message.kind() {
            // A proposal comes before its session, and a refusal or a proof blames itself only.
            StatementKind::Proposal | StatementKind::Refusal | StatementKind::Evidence => {
                Err(Indeterminate::FormNotProvable)
            }
            StatementKind::SigningPackage
            | StatementKind::SignatureShare
            | StatementKind::Signature => Ok(self.shape.read(message).is_err().then_some(sender)),
        }
    }

    fn authenticate(&self, statement: &Statement) -> Result<Seat, Indeterminate> {
        let header = statement.header();
        let request = self.proof.request();
        if header.group != self.group.id() || header.session != request.session_id() {
            return Err(Indeterminate::OtherSession);
        }
        match statement.sender(self.group) {
            Some(seat) if statement.is_signed_by_its_sender(self.group) => Ok(seat),
            _ => Err(Indeterminate::NotSigned),
        }
    }

    fn package(&self, statement: &Statement) -> Result<(Seat, SigningPackage), Indeterminate> {
        let sender = self.authenticate(statement)?;
        match self.shape.read(statement) {
            Ok(Content::SigningPackage(package)) => Ok((sender, package)),
            _ => Err(Indeterminate::NotOfTheKind),
        }
    }

    fn share(&self, statement: &Statement) -> Result<(Seat, SignatureShare), Indeterminate> {
        let sender = self.authenticate(statement)?;
        match self.shape.read(statement) {
            Ok(Content::SignatureShare(share)) => Ok((sender, share)),
            _ => Err(Indeterminate::NotOfTheKind),
        }
    }

    fn check_slots(
        &self,
        coordinator: Seat,
        entry: &SignerSlots,
        nonces: &NamedSlots,
    ) -> Result<(), Indeterminate> {
        let right_count = nonces.0.len() == self.shape.messages();
        let hash = slot_hash(self.group.id(), coordinator, entry.seat, &nonces.0);
        if right_count && hash == entry.hash { Ok(()) } else { Err(Indeterminate::OtherNonces) }
    }
}
