//! A node's rules for transactions: plain data, and a check that names the rule and the numbers.

mod rules;

use bitcoin::{Amount, Network};
use roastery_protocol::request::RefusalReason;
use thiserror::Error;

pub use self::rules::{
    MAX_DESTINATIONS, Review, RuleError, Rules, SpendPolicy, USUAL_FEE_PERCENT, USUAL_FEE_RATE,
};
use crate::spend::{CannotSign, Input, Spend, Warning, is_more_than};

/// Which rule a spend breaks: one line, with the numbers. Inputs and outputs are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The PSBT cannot be signed.
    #[error(transparent)]
    CannotSign(#[from] CannotSign),
    /// More would leave the group than one transaction may take.
    #[error("limit per transaction: {amount} would leave the group; at most {most} may")]
    PerTransaction {
        /// The amount that would leave the group, fees included.
        amount: Amount,
        /// The greatest amount allowed.
        most: Amount,
    },
    /// More would leave the group than is allowed within 24 hours.
    #[error(
        "limit per day: {amount} would leave the group after {before} within 24 hours; together at most {most} may"
    )]
    PerDay {
        /// The amount that would leave the group, fees included.
        amount: Amount,
        /// The amount that has left the group within the last 24 hours.
        before: Amount,
        /// The greatest amount allowed.
        most: Amount,
    },
    /// An output pays a recipient that is not on the list.
    #[error("allow list: output {output} pays {amount} to {destination}, which is not on it")]
    Destination {
        /// The output's index, from 0.
        output: usize,
        /// The amount that it pays.
        amount: Amount,
        /// The address, or the script in hexadecimal digits.
        destination: String,
    },
    /// An input may be the group's and is not recognised as such, so more may leave than is
    /// counted.
    #[error(
        "limits count what is recognised: input {input} is Taproot and is not recognised as this group's, so more may leave than is counted; give the derivation fields of all inputs, or approve by hand (policy.approval = \"manual\")"
    )]
    Unrecognised {
        /// The input's index, from 0.
        input: usize,
    },
    /// The fee is higher than the rules allow.
    #[error("fee cap: the fee is {fee}; at most {most} is allowed")]
    Fee {
        /// The fee.
        fee: Amount,
        /// The greatest amount allowed.
        most: Amount,
    },
    /// The fee rate is higher than the rules allow.
    #[error("fee rate cap: the fee rate is {rate} sat/vB; at most {most} sat/vB is allowed")]
    FeeRate {
        /// The fee rate, in satoshi per virtual byte.
        rate: u64,
        /// The highest fee rate allowed, in satoshi per virtual byte.
        most: u64,
    },
    /// Too large a part of what the group spends is fee or burnt.
    #[error(
        "fee share cap: {lost} of {spent} that the group spends are fee or burnt; at most {most} % may be (most_fee_percent)"
    )]
    FeeShare {
        /// The fee and the burnt amounts: what no payee receives.
        lost: Amount,
        /// The sum of the group's inputs.
        spent: Amount,
        /// The largest part allowed, in percent.
        most: u8,
    },
    /// An output looks like change and is not an address of the wallet.
    #[error("change must be ours: {0}")]
    Change(Warning),
    /// The same was paid before.
    #[error("pay once: {0}")]
    PaidBefore(Warning),
    /// The previous transaction of an input is missing, so its amount is not proven.
    #[error("previous transactions required: that of input {input} is missing")]
    PreviousTransaction {
        /// The input's index, from 0.
        input: usize,
    },
}

impl Refusal {
    /// The reason that the other members receive.
    pub fn reason(&self) -> RefusalReason {
        match self {
            Refusal::CannotSign(_) => RefusalReason::Unacceptable,
            _ => RefusalReason::Policy,
        }
    }
}

impl SpendPolicy {
    /// Whether a payment is refused that was made before.
    pub fn pays_once(&self) -> bool {
        self.rules.pay_once
    }

    /// The network whose addresses the rules name.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Whether this node signs. `before` is what has left the group within the last 24 hours.
    /// Returns the amount that this spend adds to it.
    ///
    /// # Errors
    ///
    /// [`Refusal`] names the first rule that the spend breaks.
    pub fn evaluate(&self, spend: &Spend, before: Amount) -> Result<Amount, Refusal> {
        // A spend that cannot be signed has amounts that cannot be known.
        spend.tasks()?;
        // Nothing leaves with a proof of funds: whether its text is signed is for its approver.
        if spend.proof().is_some() {
            return Ok(Amount::ZERO);
        }
        let rules = &self.rules;
        self.check_recognition(spend)?;
        let amount = spend.may_leave_the_group();
        if let Some(most) = rules.most_per_transaction.map(Amount::from_sat)
            && amount > most
        {
            return Err(Refusal::PerTransaction { amount, most });
        }
        if let Some(most) = rules.most_per_day.map(Amount::from_sat)
            && before.checked_add(amount).is_none_or(|sum| sum > most)
        {
            return Err(Refusal::PerDay { amount, before, most });
        }
        self.check_destinations(spend)?;
        self.check_fee(spend)?;
        self.check_change(spend)?;
        self.check_paid_before(spend)?;
        if rules.previous_transactions_required
            && let Some(input) = spend.inputs().iter().position(|input| !input.proven)
        {
            return Err(Refusal::PreviousTransaction { input });
        }
        Ok(amount)
    }

    /// One transaction can be asked for in two requests, each of which shows another part of the
    /// group's inputs as its own and has the same outputs return. Where no person decides, all
    /// inputs that could be the group's must be recognised then; where one does, limits count them
    /// as the group's ([`Spend::may_leave_the_group`]).
    fn check_recognition(&self, spend: &Spend) -> Result<(), Refusal> {
        let rules = &self.rules;
        let limited = rules.most_per_transaction.is_some() || rules.most_per_day.is_some();
        if !limited || self.review == Review::Shown {
            return Ok(());
        }
        match spend.inputs().iter().position(Input::may_be_ours) {
            Some(input) => Err(Refusal::Unrecognised { input }),
            None => Ok(()),
        }
    }

    fn check_fee(&self, spend: &Spend) -> Result<(), Refusal> {
        let rules = &self.rules;
        let fee = spend.fee().ok_or(CannotSign::Overspent)?;
        if let Some(most) = rules.most_fee.map(Amount::from_sat)
            && fee > most
        {
            return Err(Refusal::Fee { fee, most });
        }
        let rate = spend.fee_rate().ok_or(CannotSign::Overspent)?;
        let most = rules.most_fee_rate.unwrap_or(USUAL_FEE_RATE);
        if rate > most {
            return Err(Refusal::FeeRate { rate, most });
        }
        let lost = spend.lost_by_the_group().ok_or(CannotSign::Overspent)?;
        let (spent, most) =
            (spend.spent_by_the_group(), rules.most_fee_percent.unwrap_or(USUAL_FEE_PERCENT));
        if is_more_than(lost, most, spent) {
            return Err(Refusal::FeeShare { lost, spent, most });
        }
        Ok(())
    }

    fn check_change(&self, spend: &Spend) -> Result<(), Refusal> {
        let usual = self.review == Review::RulesAlone;
        if !self.rules.change_must_be_ours.unwrap_or(usual) {
            return Ok(());
        }
        // Where all payees are on the list, none of the outputs is a change that was given another
        // address.
        let listed = self.destinations.is_some();
        let about_change = |warning: &&Warning| {
            warning.is_about_change()
                && !(listed && matches!(warning, Warning::NothingReturns { .. }))
        };
        match spend.warnings().iter().find(about_change) {
            Some(warning) => Err(Refusal::Change(warning.clone())),
            None => Ok(()),
        }
    }

    fn check_paid_before(&self, spend: &Spend) -> Result<(), Refusal> {
        let paid = |warning: &&Warning| matches!(warning, Warning::PaidBefore { .. });
        match spend.warnings().iter().find(paid) {
            Some(warning) if self.rules.pay_once => Err(Refusal::PaidBefore(warning.clone())),
            _ => Ok(()),
        }
    }

    fn check_destinations(&self, spend: &Spend) -> Result<(), Refusal> {
        let Some(allowed) = &self.destinations else { return Ok(()) };
        for (output, paid) in spend.outputs().iter().enumerate() {
            if !paid.is_ours() && !allowed.contains(&paid.script) {
                let destination = paid
                    .address(self.network)
                    .map_or_else(|| paid.script.to_hex_string(), |address| address.to_string());
                return Err(Refusal::Destination { output, amount: paid.amount, destination });
            }
        }
        Ok(())
    }
}
