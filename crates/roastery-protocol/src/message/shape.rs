use borsh::BorshDeserialize;
use thiserror::Error;

use super::{
    Body, Commitments, Envelope, FinalSignature, Kind, Proposal, SignatureShare, SigningPackage,
};
use crate::{Attempt, SessionId, election::Order, group::Group, proof::Proof, wire};

/// The structural rules of this version for the messages of one session. They are closed and
/// context-free: they depend on the group file and the request only, and not on other messages, so
/// that breaking one is provable.
///
/// The rules, beside exact length and full consumption of every body:
///
/// * the attempt's number is below 2^16;
/// * a package's sender is the attempt's coordinator; its number is at most n - t; it has exactly t
///   signers, ascending and below n; one aggregate nonce a message, each of which decodes (infinity
///   allowed);
/// * a slot has one nonce a message, each of which decodes (infinity not allowed);
/// * a share has one scalar a message, each below the group order;
/// * final signatures are one a message.
#[derive(Clone, Debug)]
pub struct Shape {
    n: usize,
    t: usize,
    messages: usize,
    order: Order,
}

/// Which structural rule a body breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Malformation {
    /// The content does not decode, exactly and to its end.
    #[error("the content does not decode: {0}")]
    Encoding(String),
    /// The attempt's number is out of range.
    #[error("attempt {attempt}; numbers are below 65536")]
    Attempt {
        /// The attempt's number that the header names.
        attempt: u32,
    },
    /// A package by a seat that does not coordinate its attempt.
    #[error("a package by seat {sender}; the coordinator is seat {coordinator}")]
    NotTheCoordinator {
        /// The sender's seat.
        sender: u16,
        /// The seat that coordinates the attempt.
        coordinator: u16,
    },
    /// A package's number is out of range.
    #[error("package number {number}; at most {most} is allowed")]
    PackageNumber {
        /// The number that the package has.
        number: u16,
        /// The highest number allowed, n - t.
        most: usize,
    },
    /// A package with too few or too many signers.
    #[error("{count} signers; a package has exactly {threshold}")]
    SignerCount {
        /// The number that the body has.
        count: usize,
        /// The threshold, t: how many members must sign.
        threshold: usize,
    },
    /// A package whose signers are not ascending or not in the group.
    #[error("the signers are not ascending seats below {n}")]
    Signers {
        /// The number of members, n.
        n: usize,
    },
    /// The number of entries is not the number of messages of the request.
    #[error("{count} entries; the request has {messages} messages")]
    MessageCount {
        /// The number that the body has.
        count: usize,
        /// The number of messages in the request, m.
        messages: usize,
    },
    /// A proposal whose header names another session than the request that it carries.
    #[error("the header names another session than the request")]
    OtherSession,
}

impl Shape {
    /// The shape of a session's messages.
    pub fn new(group: &Group, session: SessionId, messages: usize) -> Self {
        let order = Order::of(session, group.seats());
        Self { n: group.size(), t: group.threshold(), messages, order }
    }

    /// The order in which the seats coordinate attempts.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// m: the number of messages that the request has.
    pub fn messages(&self) -> usize {
        self.messages
    }

    /// Decodes the content of a message of this session and checks every structural rule.
    ///
    /// # Errors
    ///
    /// [`Malformation`] names the rule that the message breaks. It is provable against the member
    /// that has signed the message.
    pub fn read(&self, envelope: &Envelope) -> Result<(Attempt, Body), Malformation> {
        let number = envelope.header().attempt;
        let attempt = Attempt::new(number).ok_or(Malformation::Attempt { attempt: number })?;
        let content = envelope.content();
        let body = match envelope.kind() {
            Kind::Proposal => Body::Proposal(read_proposal(envelope)?),
            Kind::Commitments => {
                let commitments: Commitments = exact(content)?;
                self.one_each(commitments.slot.0.len())?;
                Body::Commitments(commitments)
            }
            Kind::SigningPackage => Body::SigningPackage(self.read_package(attempt, envelope)?),
            Kind::SignatureShare => {
                let share: SignatureShare = exact(content)?;
                self.one_each(share.scalars.len())?;
                if let Some(next) = &share.next {
                    self.one_each(next.slot.0.len())?;
                }
                Body::SignatureShare(share)
            }
            Kind::Signature => {
                let signature: FinalSignature = exact(content)?;
                self.one_each(signature.signatures.len())?;
                Body::Signature(signature)
            }
            Kind::Want => Body::Want(exact(content)?),
            Kind::Refusal => Body::Refusal(exact(content)?),
            Kind::Evidence => Body::Evidence(exact::<Proof>(content)?),
        };
        Ok((attempt, body))
    }

    fn read_package(
        &self,
        attempt: Attempt,
        envelope: &Envelope,
    ) -> Result<SigningPackage, Malformation> {
        let (sender, coordinator) =
            (envelope.header().sender, self.order.coordinator(attempt).to_u16());
        if sender != coordinator {
            return Err(Malformation::NotTheCoordinator { sender, coordinator });
        }
        let package: SigningPackage = exact(envelope.content())?;
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

/// Reads a proposal, which needs no session to be known.
pub(crate) fn read_proposal(envelope: &Envelope) -> Result<Proposal, Malformation> {
    let proposal: Proposal = exact(envelope.content())?;
    let request = &proposal.request;
    if request.session_id() != envelope.header().session
        || request.group() != envelope.header().group
    {
        return Err(Malformation::OtherSession);
    }
    Ok(proposal)
}

fn exact<T: BorshDeserialize>(content: &[u8]) -> Result<T, Malformation> {
    wire::decode(content).map_err(|error| Malformation::Encoding(error.to_string()))
}
