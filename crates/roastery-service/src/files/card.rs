use std::fmt;

use bitcoin::hex::{DisplayHex as _, FromHex as _};
use roastery_frost::{Signature, XOnlyPublicKey, decode_point};
use roastery_libp2p::{
    TransportKey, TransportSignature, Whereabouts, WhereaboutsError, is_card_of_peer, is_peer,
};
use roastery_protocol::{
    group::{Member, Name, NameError, NamedMember, PeerId},
    keys::IdentityKey,
    pairing::Entry,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest card, in bytes: that of a node with the most seats.
pub const MAX_CARD: usize = 32 * 1024;

/// The most seats of one node in a group.
pub const MAX_CARD_SEATS: usize = 32;

/// The version of cards and invitation files that this program reads and writes.
pub(super) const VERSION: u32 = 3;

/// The card by which a node introduces itself to other members: all public. A value of this type
/// was verified.
///
/// It has an entry for each seat of the node. The seat's host key has signed its entry in the
/// roster; the seat's identity key and the node's transport key have each signed that and the name.
/// So no card names a key or a peer of another node. The addresses have a signature of their own,
/// by the transport key, because they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeCard {
    name: Name,
    seats: Vec<CardSeat>,
    whereabouts: Whereabouts,
}

/// A seat on a card.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CardSeat {
    member: Member,
    identity_signature: Signature,
    transport_signature: TransportSignature,
}

/// A key that signs a card.
///
/// Exhaustive: a further variant is a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardKey {
    /// The key that takes part in key generation.
    Host,
    /// The key that signs messages.
    Identity,
    /// The transport key, which names the peer.
    Transport,
}

/// Why a text is not a card.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CardError {
    /// It is longer than allowed.
    #[error("{length} bytes; a card has at most {MAX_CARD}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It is an invitation.
    #[error("this is an invitation, not a card: roastery group join takes it")]
    Invitation,
    /// It has a wrong form. The parser's own error has the line where it is, which may be a secret
    /// of a file that was given by mistake.
    #[error("{0}")]
    Form(String),
    /// It has another version.
    #[error("a card of version {version}; this program reads version {VERSION}")]
    OtherVersion {
        /// The version.
        version: i64,
    },
    /// The name is not allowed.
    #[error("the name: {0}")]
    Name(#[from] NameError),
    /// It has no seat, or too many.
    #[error("{count} seats; a card has 1 to {MAX_CARD_SEATS}")]
    Seats {
        /// The number of seats.
        count: usize,
    },
    /// A key, peer name or signature is invalid.
    #[error("{field} is not {allowed}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// The allowed values.
        allowed: &'static str,
    },
    /// Its addresses are not signed, or too many.
    #[error("the addresses: {0}")]
    Whereabouts(#[from] WhereaboutsError),
    /// A key has not signed it.
    #[error(
        "the {by} on this card has not signed it: it was changed on its way, or names a key of another \
         node; have it sent again"
    )]
    NotSigned {
        /// Which key.
        by: CardKey,
    },
}

impl From<toml::de::Error> for CardError {
    fn from(error: toml::de::Error) -> Self {
        Self::Form(one_line(&error))
    }
}

impl fmt::Display for CardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host key",
            Self::Identity => "identity key",
            Self::Transport => "transport key (its peer)",
        })
    }
}

/// A parser's error has several lines, with an excerpt.
pub(super) fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}

/// The format of a card.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    version: u32,
    name: String,
    peer: String,
    whereabouts: WrittenWhereabouts,
    seat: Vec<WrittenSeat>,
}

/// The format of a seat on a card.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSeat {
    host_key: String,
    identity_key: String,
    sequence: u64,
    host_signature: String,
    identity_signature: String,
    transport_signature: String,
}

/// The format of a peer's addresses. The peer is named beside them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenWhereabouts {
    sequence: u64,
    addresses: Vec<String>,
    signature: String,
}

impl WrittenWhereabouts {
    pub(super) fn of(whereabouts: &Whereabouts) -> Self {
        Self {
            sequence: whereabouts.sequence(),
            addresses: whereabouts.addresses().to_vec(),
            signature: whereabouts.signature().to_lower_hex_string(),
        }
    }

    pub(super) fn read(self, peer: PeerId) -> Result<Whereabouts, CardError> {
        let signature = signature("whereabouts.signature", &self.signature)?;
        Ok(Whereabouts::check(peer, self.sequence, self.addresses, signature)?)
    }
}

fn signature(field: &'static str, text: &str) -> Result<[u8; 64], CardError> {
    let allowed = "a signature of 128 hexadecimal digits";
    <[u8; 64]>::from_hex(text).map_err(|_| CardError::Field { field, allowed })
}

/// The version in a text, if it is another one, whatever else the text contains.
pub(super) fn other_version(table: &toml::Table) -> Option<i64> {
    let version = table.get("version")?.as_integer()?;
    (version != i64::from(VERSION)).then_some(version)
}

impl NodeCard {
    /// A node's card, signed by its keys: an entry for each seat, whose host key must have signed
    /// the roster entry before, and the identity key that signs it.
    pub fn sign<'a>(
        name: Name,
        seats: impl IntoIterator<Item = (Member, &'a IdentityKey)>,
        whereabouts: Whereabouts,
        transport: &TransportKey,
    ) -> Self {
        let sign = |(member, identity): (Member, &IdentityKey)| {
            let card = NamedMember { name: name.clone(), member };
            let identity_signature = identity.sign_card(&card);
            let transport_signature = transport.sign_card(&card);
            CardSeat { member: card.member, identity_signature, transport_signature }
        };
        let seats = seats.into_iter().map(sign).collect();
        Self { name, seats, whereabouts }
    }

    /// Reads a card and checks all of it.
    ///
    /// # Errors
    ///
    /// [`CardError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, CardError> {
        let length = text.len();
        if length > MAX_CARD {
            return Err(CardError::TooLong { length });
        }
        let table: toml::Table = toml::from_str(text)?;
        if table.contains_key("member") {
            return Err(CardError::Invitation);
        }
        if let Some(version) = other_version(&table) {
            return Err(CardError::OtherVersion { version });
        }
        Self::from_written(toml::from_str(text)?)
    }

    /// The card as text; [`NodeCard::parse`] reads it.
    pub fn to_text(&self) -> String {
        let written = toml::to_string(&self.to_written())
            .expect("strings, numbers below 2^63 and lists of strings are TOML");
        format!("# The card of a Roastery node: public, for the others of a group.\n{written}")
    }

    /// The card of a member of a pairing, whose keys have signed the same.
    ///
    /// # Errors
    ///
    /// [`CardError`] if its addresses are not signed.
    pub fn of_pairing(entry: &Entry) -> Result<Self, CardError> {
        let Entry { card, whereabouts, .. } = entry;
        let (name, member) = (card.named.name.clone(), card.named.member.clone());
        let (sequence, addresses) = (whereabouts.sequence, whereabouts.addresses.clone());
        let peer = member.peer.clone();
        let whereabouts = Whereabouts::check(peer, sequence, addresses, whereabouts.signature)?;
        let seat = CardSeat {
            member,
            identity_signature: card.identity_signature,
            transport_signature: card.transport_signature,
        };
        Ok(Self { name, seats: vec![seat], whereabouts })
    }

    /// The node's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its peer.
    pub fn peer(&self) -> &PeerId {
        self.whereabouts.peer()
    }

    /// The entries of its seats in the roster, at least one.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.seats.iter().map(|seat| &seat.member)
    }

    /// Its addresses.
    pub fn whereabouts(&self) -> &Whereabouts {
        &self.whereabouts
    }

    pub(super) fn from_written(written: Written) -> Result<Self, CardError> {
        let Written { version, name, peer, whereabouts, seat: seats } = written;
        if version != VERSION {
            return Err(CardError::OtherVersion { version: version.into() });
        }
        let count = seats.len();
        if !(1..=MAX_CARD_SEATS).contains(&count) {
            return Err(CardError::Seats { count });
        }
        let allowed = "the peer of an Ed25519 key: 76 hexadecimal digits";
        let peer = Vec::<u8>::from_hex(&peer)
            .ok()
            .and_then(|bytes| PeerId::new(bytes).ok())
            .filter(is_peer)
            .ok_or(CardError::Field { field: "peer", allowed })?;
        let name: Name = name.parse()?;
        let read = |seat: WrittenSeat| seat.read(&name, &peer);
        let seats = seats.into_iter().map(read).collect::<Result<_, _>>()?;
        let whereabouts = whereabouts.read(peer.clone())?;
        Ok(Self { name, seats, whereabouts })
    }

    pub(super) fn to_written(&self) -> Written {
        Written {
            version: VERSION,
            name: self.name.to_string(),
            peer: self.peer().as_bytes().to_lower_hex_string(),
            whereabouts: WrittenWhereabouts::of(&self.whereabouts),
            seat: self.seats.iter().map(WrittenSeat::of).collect(),
        }
    }
}

impl WrittenSeat {
    fn of(seat: &CardSeat) -> Self {
        let member = &seat.member;
        Self {
            host_key: member.host_key.serialize().to_lower_hex_string(),
            identity_key: member.identity_key.to_bytes().to_lower_hex_string(),
            sequence: member.sequence,
            host_signature: member.binding.to_bytes().to_lower_hex_string(),
            identity_signature: seat.identity_signature.to_bytes().to_lower_hex_string(),
            transport_signature: seat.transport_signature.to_lower_hex_string(),
        }
    }

    /// The seat, if all three keys have signed it.
    fn read(self, name: &Name, peer: &PeerId) -> Result<CardSeat, CardError> {
        let field = |field, allowed| CardError::Field { field, allowed };
        let host_key = <[u8; 33]>::from_hex(&self.host_key)
            .ok()
            .and_then(|bytes| decode_point(&bytes).ok())
            .ok_or(field("host_key", "a public key of 66 hexadecimal digits"))?;
        let identity_key = <[u8; 32]>::from_hex(&self.identity_key)
            .ok()
            .and_then(|bytes| XOnlyPublicKey::from_bytes(&bytes).ok())
            .ok_or(field("identity_key", "a public key of 64 hexadecimal digits"))?;
        let binding = Signature::from_bytes(&signature("host_signature", &self.host_signature)?);
        let identity_signature =
            Signature::from_bytes(&signature("identity_signature", &self.identity_signature)?);
        let transport_signature = signature("transport_signature", &self.transport_signature)?;
        let (peer, sequence) = (peer.clone(), self.sequence);
        let member = Member { host_key, identity_key, peer, sequence, binding };
        let card = NamedMember { name: name.clone(), member };
        for (by, signed) in [
            (CardKey::Host, card.member.is_bound()),
            (CardKey::Identity, identity_signature.verify(&identity_key, &card.identity_digest())),
            (CardKey::Transport, is_card_of_peer(&card, &transport_signature)),
        ] {
            if !signed {
                return Err(CardError::NotSigned { by });
            }
        }
        Ok(CardSeat { member: card.member, identity_signature, transport_signature })
    }
}

#[cfg(test)]
mod tests;
