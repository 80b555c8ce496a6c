//! What the new machine is given, and checks.

use std::collections::BTreeMap;

use roastery_frost::Seat;
use thiserror::Error;

use super::{Copies, MOST_HOLDERS, ReturnEnd, ReturnFrame, SeatOffer};
use crate::{
    group::{Group, Name, PeerId},
    keygen::{RecoveryError, RecoveryFile},
    kit::{Kit, KitLabel},
    pairing::{MAX_FRAME, TransportKeys, Whereabouts},
    wire,
};

/// What a node with a line to return was given so far.
#[derive(Debug)]
pub struct Given {
    /// The node that has made the line, which its link proves.
    maker: PeerId,
    seat: Option<Offered>,
    copies: BTreeMap<Seat, Vec<KitCopy>>,
    whereabouts: BTreeMap<PeerId, Whereabouts>,
    end: Option<ReturnEnd>,
}

#[derive(Debug)]
struct Offered {
    offer: SeatOffer,
    file: RecoveryFile,
}

/// A copy of a kit that a member keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KitCopy {
    /// It says that it is of the seat. Whether it opens only the words show.
    Sealed(Box<Kit>),
    /// It is of no such seat.
    Foreign,
}

/// Why a message has no effect.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GivenError {
    /// It is longer than allowed.
    #[error("a message of {length} bytes; at most {MAX_FRAME} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// It does not decode.
    #[error("the message does not decode: {0}")]
    Encoding(#[source] std::io::Error),
    /// The recovery file does not verify.
    #[error("the group's recovery file does not verify: {0}")]
    Recovery(#[from] RecoveryError),
    /// The seat is none of the group or that of the node that has made the line, or that node is
    /// not the member that it says it is.
    #[error("the line is for a seat that the group does not have, or its node is no member")]
    NoSeat,
    /// It shows another seat or group than before.
    #[error("the node that has made the line shows another group or seat than before")]
    OtherSeat,
    /// It is of no other member of the group, or comes before the seat is known.
    #[error("it is about no other member of the group")]
    NoMember,
    /// The addresses are not signed by their node.
    #[error("the addresses of a member are not signed by its node")]
    Unsigned,
}

impl Given {
    /// Nothing yet, of the node that has made the line.
    pub fn new(maker: PeerId) -> Self {
        Self { maker, seat: None, copies: BTreeMap::new(), whereabouts: BTreeMap::new(), end: None }
    }

    /// Takes a message of the node that has made the line.
    ///
    /// # Errors
    ///
    /// [`GivenError`]; then it has no effect.
    pub fn handle(&mut self, bytes: &[u8], keys: &dyn TransportKeys) -> Result<(), GivenError> {
        let length = bytes.len();
        if length > MAX_FRAME {
            return Err(GivenError::TooLong { length });
        }
        match wire::decode(bytes).map_err(GivenError::Encoding)? {
            ReturnFrame::Seat(offer) => self.take_seat(*offer),
            ReturnFrame::Copies(copies) => self.take_copies(copies),
            ReturnFrame::Told(peer, said) => self.take_whereabouts(peer, said, keys),
            ReturnFrame::End(end) => {
                self.end.get_or_insert(end);
                Ok(())
            }
        }
    }

    fn take_seat(&mut self, offer: SeatOffer) -> Result<(), GivenError> {
        if let Some(known) = &self.seat {
            // It is said again after an interruption, with another clock.
            let same = SeatOffer { clock: known.offer.clock, ..offer } == known.offer;
            return if same { Ok(()) } else { Err(GivenError::OtherSeat) };
        }
        let file = RecoveryFile::decode(&offer.recovery)?;
        let has = file.group().member(offer.seat).is_some();
        let through = file.group().member(offer.through).map(|member| &member.peer);
        if !has || through != Some(&self.maker) || offer.seat == offer.through {
            return Err(GivenError::NoSeat);
        }
        self.seat = Some(Offered { offer, file });
        Ok(())
    }

    fn take_copies(&mut self, copies: Copies) -> Result<(), GivenError> {
        let Some(Offered { offer, file }) = &self.seat else { return Err(GivenError::NoMember) };
        let is_other = copies.holder != offer.seat && file.group().member(copies.holder).is_some();
        if !is_other || self.copies.len() >= MOST_HOLDERS {
            return Err(GivenError::NoMember);
        }
        let of = copies.kits.iter().map(|bytes| copy_of(bytes, file.group(), offer.seat));
        let of: Vec<KitCopy> = of.collect();
        self.copies.insert(copies.holder, of);
        Ok(())
    }

    fn take_whereabouts(
        &mut self,
        peer: PeerId,
        said: Whereabouts,
        keys: &dyn TransportKeys,
    ) -> Result<(), GivenError> {
        let Some(Offered { offer, file }) = &self.seat else { return Err(GivenError::NoMember) };
        let group = file.group();
        let own = group.member(offer.seat).map(|member| &member.peer);
        let is_other = group.members().iter().any(|member| member.peer == peer);
        if !is_other || own == Some(&peer) {
            return Err(GivenError::NoMember);
        }
        if !said.are_signed_by(&peer, keys) {
            return Err(GivenError::Unsigned);
        }
        let known = self.whereabouts.get(&peer).map(|known| known.sequence);
        if known.is_none_or(|known| known < said.sequence) {
            self.whereabouts.insert(peer, said);
        }
        Ok(())
    }

    /// What was offered, once it was.
    pub fn offer(&self) -> Option<&SeatOffer> {
        self.seat.as_ref().map(|seat| &seat.offer)
    }

    /// The group's recovery file, once it was given and has verified.
    pub fn file(&self) -> Option<&RecoveryFile> {
        self.seat.as_ref().map(|seat| &seat.file)
    }

    /// The name of a seat, as all members have agreed on it before the key was made.
    pub fn name(&self, seat: Seat) -> Option<&Name> {
        self.file()?.invitation().names().get(seat.index())
    }

    /// The label of the paper that has the words.
    pub fn label(&self) -> Option<KitLabel> {
        let Offered { offer, file } = self.seat.as_ref()?;
        file.group().member(offer.seat).map(|member| KitLabel::of(&member.host_key))
    }

    /// The copies, by the seat of who keeps them.
    pub fn copies(&self) -> &BTreeMap<Seat, Vec<KitCopy>> {
        &self.copies
    }

    /// Where members are dialled.
    pub fn whereabouts(&self) -> impl Iterator<Item = (&PeerId, &Whereabouts)> {
        self.whereabouts.iter()
    }

    /// Why the line is good for nothing any more.
    pub fn end(&self) -> Option<ReturnEnd> {
        self.end
    }
}

fn copy_of(bytes: &[u8], group: &Group, seat: Seat) -> KitCopy {
    let host = group.member(seat).map(|member| member.host_key);
    let fits = |kit: &Kit| {
        kit.group() == group.id()
            && kit.epoch() == group.epoch().number()
            && kit.seat() == seat
            && Some(kit.host()) == host
    };
    Kit::decode(bytes)
        .ok()
        .filter(fits)
        .map_or(KitCopy::Foreign, |kit| KitCopy::Sealed(Box::new(kit)))
}
