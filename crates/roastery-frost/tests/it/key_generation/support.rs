//! Whole sessions, and where the parts of messages stand.

use std::ops::Range;

use roastery_frost::chilldkg::{
    CoordinatorInvestigationMsg, CoordinatorMsg1, CoordinatorMsg2, CoordinatorState, Fault,
    HostSecretKey, ParticipantMsg1, ParticipantMsg2, ParticipantState1, ParticipantState2,
    SessionParams, Step2Error, coordinator_investigate, coordinator_step1, participant_investigate,
    participant_step1, participant_step2,
};
use roastery_frost::hash::tagged_hash;
use roastery_frost::{MaybeScalar, Seat};
use zeroize::Zeroizing;

pub(crate) fn seat(id: usize) -> Seat {
    Seat::new(id as u32).unwrap()
}

/// 32 bytes that differ for every purpose and number.
pub(crate) fn bytes(purpose: &str, number: usize) -> [u8; 32] {
    tagged_hash(purpose, &[&(number as u64).to_be_bytes()])
}

pub(crate) fn host_key(number: usize) -> HostSecretKey {
    HostSecretKey::from_bytes(Zeroizing::new(bytes("host key", number))).unwrap()
}

/// `bytes` with one byte changed.
pub(crate) fn altered(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

/// A session whose participants are all honest.
pub(crate) struct Session {
    pub(crate) params: SessionParams,
    pub(crate) keys: Vec<HostSecretKey>,
}

impl Session {
    pub(crate) fn new(t: usize, n: usize) -> Session {
        let keys: Vec<HostSecretKey> = (0..n).map(host_key).collect();
        let hostpubkeys = keys.iter().map(HostSecretKey::hostpubkey_gen).collect();
        Session { params: SessionParams::new(hostpubkeys, t).unwrap(), keys }
    }

    pub(crate) fn step1(&self, participant: usize) -> (ParticipantState1, ParticipantMsg1) {
        let random = bytes("random", participant);
        participant_step1(&self.keys[participant], &self.params, &random).unwrap()
    }

    pub(crate) fn pmsgs1(&self) -> Vec<ParticipantMsg1> {
        (0..self.keys.len()).map(|participant| self.step1(participant).1).collect()
    }

    pub(crate) fn coordinator_step1(&self) -> (CoordinatorState, CoordinatorMsg1) {
        coordinator_step1(&self.pmsgs1(), &self.params).unwrap()
    }

    pub(crate) fn step2(
        &self,
        participant: usize,
        cmsg1: &CoordinatorMsg1,
    ) -> Result<(ParticipantState2, ParticipantMsg2), Step2Error> {
        let (state1, _) = self.step1(participant);
        participant_step2(&self.keys[participant], state1, cmsg1, &bytes("aux", participant))
    }

    pub(crate) fn pmsgs2(&self, cmsg1: &CoordinatorMsg1) -> Vec<ParticipantMsg2> {
        (0..self.keys.len()).map(|i| self.step2(i, cmsg1).unwrap().1).collect()
    }

    /// The coordinator's messages of a session that succeeds.
    pub(crate) fn cmsgs(&self) -> (CoordinatorMsg1, CoordinatorMsg2) {
        let (_, cmsg1) = self.coordinator_step1();
        let cmsg2 = CoordinatorMsg2::new(&self.pmsgs2(&cmsg1));
        (cmsg1, cmsg2)
    }

    /// The party that `participant` takes to be at fault, if there is one, with the help of the
    /// coordinator's investigation messages about `pmsgs1`.
    pub(crate) fn blamed(
        &self,
        participant: usize,
        cmsg1: &CoordinatorMsg1,
        pmsgs1: &[ParticipantMsg1],
    ) -> Option<Fault> {
        match self.step2(participant, cmsg1) {
            Ok(_) => None,
            Err(Step2Error::Fault(fault)) => Some(fault),
            Err(Step2Error::Unknown(investigation)) => {
                let cinv = &coordinator_investigate(pmsgs1, &self.params).unwrap()[participant];
                let cinv = CoordinatorInvestigationMsg::parse(&cinv.to_bytes(), &self.params);
                Some(participant_investigate(&investigation, &cinv.unwrap()))
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// What stands where in a participant's first message.
    pub(crate) fn pmsg1_layout(&self) -> Pmsg1Layout {
        let (t, n) = (self.params.t(), self.params.n());
        let [com, pop, pubnonce, enc_shares] = layout([33 * t, 64, 33, 32 * n]);
        Pmsg1Layout { com, pop, pubnonce, enc_shares }
    }

    /// What stands where in the coordinator's first message.
    pub(crate) fn cmsg1_layout(&self) -> Cmsg1Layout {
        let (t, n) = (self.params.t(), self.params.n());
        let [coms, sum_coms, pops, pubnonces, enc_secshares] =
            layout([33 * n, 33 * (t - 1), 64 * n, 33 * n, 32 * n]);
        Cmsg1Layout { coms, sum_coms, pops, pubnonces, enc_secshares }
    }
}

pub(crate) struct Pmsg1Layout {
    pub(crate) com: Range<usize>,
    pub(crate) pop: Range<usize>,
    pub(crate) pubnonce: Range<usize>,
    pub(crate) enc_shares: Range<usize>,
}

pub(crate) struct Cmsg1Layout {
    pub(crate) coms: Range<usize>,
    pub(crate) sum_coms: Range<usize>,
    pub(crate) pops: Range<usize>,
    pub(crate) pubnonces: Range<usize>,
    pub(crate) enc_secshares: Range<usize>,
}

/// The ranges of parts that follow each other.
pub(crate) fn layout<const N: usize>(lengths: [usize; N]) -> [Range<usize>; N] {
    let mut end = 0;
    lengths.map(|length| {
        let start = end;
        end += length;
        start..end
    })
}

/// Entry `index` of a list of points, negated: another point.
pub(crate) fn with_point_negated(mut bytes: Vec<u8>, list: &Range<usize>, index: usize) -> Vec<u8> {
    bytes[list.start + 33 * index] ^= 1;
    bytes
}

/// One is added to entry `index` of a list of scalars.
pub(crate) fn with_scalar_raised(mut bytes: Vec<u8>, list: &Range<usize>, index: usize) -> Vec<u8> {
    let entry = &mut bytes[list.start + 32 * index..][..32];
    let raised = MaybeScalar::from_slice(entry).unwrap() + MaybeScalar::one();
    entry.copy_from_slice(&raised.serialize());
    bytes
}
