use super::{
    Content, FinalSignature, Malformation, SignatureShare, SigningPackage, Statement,
    StatementKind, evidence::Proof, malformation::exact,
};
use crate::{group::Group, request::Proposal};

/// The structural rules for the statements of one session. They are closed and context-free: they
/// depend on the group file and the request only, and not on other statements, so that breaking one
/// in a package, a share or a signature is provable.
///
/// The rules, beside full consumption of every content:
///
/// * a package has a number of at most n - t, exactly t signers, ascending and below n, and one
///   aggregate nonce a message, each of which decodes (infinity allowed);
/// * a share has one scalar a message, each below the group order;
/// * final signatures are one a message.
///
/// Run, incarnation and indexes may have any value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    n: usize,
    t: usize,
    messages: usize,
}

impl Shape {
    /// The shape of the statements about a request of so many messages.
    pub fn new(group: &Group, messages: usize) -> Self {
        Self { n: group.size(), t: group.threshold(), messages }
    }

    /// m: the number of messages that the request has.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// Decodes the content of a statement of this session and checks every structural rule.
    ///
    /// # Errors
    ///
    /// [`Malformation`] names the rule that the statement breaks. In a package, a share or a
    /// signature it is provable against the member that has signed the statement.
    pub fn read(&self, statement: &Statement) -> Result<Content, Malformation> {
        let content = statement.content();
        Ok(match statement.kind() {
            StatementKind::Proposal => Content::Proposal(read_proposal(statement)?),
            StatementKind::SigningPackage => Content::SigningPackage(self.read_package(content)?),
            StatementKind::SignatureShare => {
                let share: SignatureShare = exact(content)?;
                self.one_each(share.scalars.len())?;
                Content::SignatureShare(share)
            }
            StatementKind::Signature => {
                let signature: FinalSignature = exact(content)?;
                self.one_each(signature.signatures.len())?;
                Content::Signature(signature)
            }
            StatementKind::Refusal => Content::Refusal(exact(content)?),
            StatementKind::Evidence => Content::Evidence(exact::<Proof>(content)?),
        })
    }

    fn read_package(&self, content: &[u8]) -> Result<SigningPackage, Malformation> {
        let package: SigningPackage = exact(content)?;
        let most = self.n - self.t;
        if usize::from(package.number) > most {
            return Err(Malformation::PackageNumber { number: package.number, most });
        }
        if package.signers.len() != self.t {
            let (count, threshold) = (package.signers.len(), self.t);
            return Err(Malformation::SignerCount { count, threshold });
        }
        let ascending = package.signers.windows(2).all(|pair| pair[0].seat < pair[1].seat);
        let known = package.signers.iter().all(|entry| entry.seat.index() < self.n);
        if !(ascending && known) {
            return Err(Malformation::Signers { n: self.n });
        }
        self.one_each(package.aggregates.len())?;
        Ok(package)
    }

    fn one_each(&self, count: usize) -> Result<(), Malformation> {
        if count == self.messages {
            Ok(())
        } else {
            Err(Malformation::MessageCount { count, messages: self.messages })
        }
    }
}

/// Reads the content of a proposal, whose session need not be known.
///
/// # Errors
///
/// [`Malformation`] names the rule that it breaks: none of which is provable.
pub fn read_proposal(statement: &Statement) -> Result<Proposal, Malformation> {
    let proposal: Proposal = exact(statement.content())?;
    let (request, header) = (&proposal.request, statement.header());
    if request.session_id() != header.session || request.group() != header.group {
        return Err(Malformation::OtherSession);
    }
    Ok(proposal)
}

/// Reads the content of an evidence statement, whose session need not be known.
///
/// # Errors
///
/// [`Malformation`] if it does not decode. It proves nothing.
pub fn read_evidence(statement: &Statement) -> Result<Proof, Malformation> {
    exact(statement.content())
}
