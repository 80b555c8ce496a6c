//! The coordinator's steps.

use roastery_frost::chilldkg::{
    ParticipantMsg1, ParticipantMsg2, SessionParams, coordinator_finalize, coordinator_investigate,
    coordinator_step1,
};

use crate::chilldkg::failure::Failure;
use crate::chilldkg::format::{Case, Group, Hex};
use crate::chilldkg::session::assert_output;

pub(crate) fn step1(group: &Group, case: &Case) -> Result<(), Failure> {
    let params = case.params.as_ref().unwrap().read()?;
    let pmsgs1 = case.pmsg1_indices.iter().map(|&index| &group.pmsg1_pool[index]);
    let (_, cmsg1) = coordinator_step1(&parsed(pmsgs1, &params)?, &params)?;
    assert_eq!(cmsg1.to_bytes(), case.expected_cmsg1.as_ref().unwrap().0);
    Ok(())
}

pub(crate) fn finalize(group: &Group, case: &Case) -> Result<(), Failure> {
    let params = group.params.as_ref().unwrap().read().unwrap();
    let pmsgs1 = parsed(group.pmsgs1.iter(), &params).unwrap();
    let (state, cmsg1) = coordinator_step1(&pmsgs1, &params).unwrap();
    assert_eq!(Some(Hex(cmsg1.to_bytes())), group.cmsg1);

    let pmsgs2 = case.pmsg2_indices.iter().map(|&index| &group.pmsg2_pool[index].0);
    let pmsgs2: Vec<ParticipantMsg2> =
        pmsgs2.map(|bytes| ParticipantMsg2::parse(bytes)).collect::<Result<_, _>>()?;
    let (cmsg2, keys, recovery_data) = coordinator_finalize(state, &pmsgs2)?;
    let expected = case.expected_output.as_ref().unwrap();
    assert_eq!(cmsg2.to_bytes(), expected.cmsg2.as_ref().unwrap().0);
    assert_output(None, &keys, &params, expected);
    assert_eq!(recovery_data.to_bytes(), expected.recovery_data.as_ref().unwrap().0);
    Ok(())
}

pub(crate) fn investigate(group: &Group, case: &Case) -> Result<(), Failure> {
    let params = group.params.as_ref().unwrap().read().unwrap();
    let cinvs = coordinator_investigate(&parsed(group.pmsgs1.iter(), &params)?, &params)?;
    let cinvs: Vec<Hex> = cinvs.iter().map(|cinv| Hex(cinv.to_bytes())).collect();
    assert_eq!(Some(cinvs), case.expected_cinv_msgs);
    Ok(())
}

fn parsed<'a>(
    pmsgs1: impl Iterator<Item = &'a Hex>,
    params: &SessionParams,
) -> Result<Vec<ParticipantMsg1>, Failure> {
    Ok(pmsgs1.map(|pmsg1| ParticipantMsg1::parse(&pmsg1.0, params)).collect::<Result<_, _>>()?)
}
