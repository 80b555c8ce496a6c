//! The transaction as a whole: its fee, and what returns to the group.

use bitcoin::Amount;

use super::{
    Output, Signing, Spend,
    warning::{HIGH_FEE, HIGH_FEE_PERCENT, HIGH_FEE_RATE, Warning, is_more_than},
};

/// The warnings about the transaction as a whole.
pub(super) fn warnings(spend: &Spend) -> Vec<Warning> {
    let known = spend.inputs().iter().all(|input| input.previous.is_some());
    if known && spend.fee().is_none() || spend.total_out().is_none() {
        return vec![Warning::Overspent];
    }
    let mut said = Vec::new();
    if spend.proof().is_none()
        && spend.inputs().iter().any(|input| input.signing != Signing::NotOurs)
        && !spend.outputs().iter().any(Output::is_ours)
    {
        let outputs = spend.outputs().iter().filter(|output| !output.is_burnt()).count();
        said.push(Warning::NothingReturns { outputs, amount: spend.leaves_the_group() });
    }
    let fee = spend.fee().filter(|fee| *fee > HIGH_FEE).map(|fee| Warning::HighFee { fee });
    let rate = spend.fee_rate().filter(|rate| *rate > HIGH_FEE_RATE);
    said.extend(fee.into_iter().chain(rate.map(|rate| Warning::HighFeeRate { rate })));
    let spent = spend.spent_by_the_group();
    // Where no input is the group's there is nothing to sign.
    let lost = spend
        .lost_by_the_group()
        .filter(|lost| spent > Amount::ZERO && is_more_than(*lost, HIGH_FEE_PERCENT, spent));
    said.extend(lost.map(|lost| Warning::HighFeeShare { lost, spent }));
    said
}
