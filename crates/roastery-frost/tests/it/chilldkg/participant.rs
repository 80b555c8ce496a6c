//! The participant's steps.

use roastery_frost::chilldkg::{
    CoordinatorInvestigationMsg, CoordinatorMsg1, CoordinatorMsg2, HostSecretKey,
    ParticipantState1, SessionParams, Step2Error, participant_finalize, participant_investigate,
    participant_step1, participant_step2,
};

use crate::chilldkg::failure::Failure;
use crate::chilldkg::format::{Case, Group, Hex};
use crate::chilldkg::session::assert_output;

pub(crate) fn step1(_: &Group, case: &Case) -> Result<(), Failure> {
    let hostseckey = case.hostseckey.as_ref().unwrap().host_key()?;
    let params = case.params.as_ref().unwrap().read()?;
    let random = case.random.as_ref().unwrap().array()?;
    let (_, pmsg1) = participant_step1(&hostseckey, &params, &random)?;
    assert_eq!(pmsg1.to_bytes(), case.expected_pmsg1.as_ref().unwrap().0);
    Ok(())
}

pub(crate) fn step2(group: &Group, case: &Case) -> Result<(), Failure> {
    let (params, _, state1) = first_step(group);
    let hostseckey = case.hostseckey.as_ref().or(group.hostseckey.as_ref()).unwrap().host_key()?;
    let aux_rand = case.aux_rand.as_ref().or(group.aux_rand.as_ref()).unwrap().array()?;
    let cmsg1 = CoordinatorMsg1::parse(&case.cmsg1.as_ref().unwrap().0, &params)?;
    let (_, pmsg2) = participant_step2(&hostseckey, state1, &cmsg1, &aux_rand)?;
    assert_eq!(pmsg2.to_bytes().to_vec(), case.expected_pmsg2.as_ref().unwrap().0);
    Ok(())
}

pub(crate) fn finalize(group: &Group, case: &Case) -> Result<(), Failure> {
    let (params, hostseckey, state1) = first_step(group);
    let cmsg1 = CoordinatorMsg1::parse(&group.cmsg1.as_ref().unwrap().0, &params).unwrap();
    let aux_rand = group.aux_rand.as_ref().unwrap().array().unwrap();
    let (state2, pmsg2) = participant_step2(&hostseckey, state1, &cmsg1, &aux_rand).unwrap();
    assert_eq!(pmsg2.to_bytes().to_vec(), group.pmsg2.as_ref().unwrap().0);

    let cmsg2 = CoordinatorMsg2::parse(&case.cmsg2.as_ref().unwrap().0, &params)?;
    let (output, recovery_data) = participant_finalize(state2, &cmsg2)?;
    let expected = case.expected_output.as_ref().unwrap();
    assert_output(Some(output.secshare()), output.group(), &params, expected);
    assert_eq!(recovery_data.to_bytes(), expected.recovery_data.as_ref().unwrap().0);
    Ok(())
}

pub(crate) fn investigate(group: &Group, case: &Case) -> Result<(), Failure> {
    let (params, hostseckey, state1) = first_step(group);
    let aux_rand = group.aux_rand.as_ref().unwrap().array().unwrap();
    let cmsg1 = &group.cmsg1_pool[case.cmsg1_index.unwrap()].0;
    let cmsg1 = CoordinatorMsg1::parse(cmsg1, &params).unwrap();
    match participant_step2(&hostseckey, state1, &cmsg1, &aux_rand) {
        Err(Step2Error::Unknown(investigation)) => {
            let cinv = &case.cinv_msg.as_ref().unwrap().0;
            let cinv = CoordinatorInvestigationMsg::parse(cinv, &params)?;
            Err(participant_investigate(&investigation, &cinv).into())
        }
        other => panic!("nothing to investigate: {other:?}"),
    }
}

fn first_step(group: &Group) -> (SessionParams, HostSecretKey, ParticipantState1) {
    let params = group.params.as_ref().unwrap().read().unwrap();
    let hostseckey = group.hostseckey.as_ref().unwrap().host_key().unwrap();
    let random = group.random.as_ref().unwrap().array().unwrap();
    let (state1, pmsg1) = participant_step1(&hostseckey, &params, &random).unwrap();
    assert_eq!(Some(Hex(pmsg1.to_bytes())), group.pmsg1);
    (params, hostseckey, state1)
}
