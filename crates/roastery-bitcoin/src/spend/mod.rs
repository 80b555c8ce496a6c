//! What a PSBT spends, to whom, and what this group signs of it.

mod chain;
mod complete;
mod error;
mod input;
mod left;
mod output;
mod proof;
mod report;
mod request;
mod signed;
mod size;
mod spender;
mod warning;
mod whole;

use std::sync::{Arc, OnceLock};

use bitcoin::{Amount, Transaction};
use roastery_protocol::group::Group;

pub(crate) use self::warning::is_more_than;
pub use self::{
    chain::{ChainCoin, ChainView, Spender},
    complete::{Completed, Completion, extract},
    error::{CannotSign, CompleteError, Mismatch, SpendRequestError},
    input::{Input, Leaf, Signing, State},
    left::{Left, Missing, Need},
    output::{Output, Payee},
    proof::{Proof, ProofError},
    report::Report,
    request::{MAX_PARTS, Part},
    warning::{HIGH_FEE, HIGH_FEE_PERCENT, HIGH_FEE_RATE, Level, Warning},
};
use self::{request::Task, signed::Signatures};
use crate::{
    psbt::Document,
    wallet::{Wallet, Work},
};

/// A PSBT, evaluated for one group. Everything in it is computed from the PSBT and the group file;
/// statements of other parties are not used.
#[derive(Clone, Debug)]
pub struct Spend {
    document: Document,
    group: Arc<Group>,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    warnings: Vec<Warning>,
    /// Set if this is no payment.
    proof: Option<Result<Proof, ProofError>>,
    /// Whether it names more keys and leaves than are looked into.
    exceeds_work: bool,
    /// The signatures to make. Computed once, when they are first needed: the hashes of a large
    /// transaction take time.
    tasks: OnceLock<Result<Vec<Task>, CannotSign>>,
}

impl Spend {
    /// Evaluates a PSBT. Nothing is refused here: what is wrong is among the
    /// [`warnings`](Spend::warnings), and what keeps the group from signing is the error of
    /// [`messages`](Spend::messages).
    pub fn of(document: Document, wallet: &Wallet) -> Self {
        let mut warnings = Vec::new();
        let psbt = document.decoded();
        let mut work = Work::default();
        let previous = input::previous_outputs(psbt, &mut warnings);
        let known: Option<Vec<_>> =
            previous.iter().map(|found| found.as_ref().map(|(out, _)| out)).collect();
        let mut signatures = Signatures::of(psbt, known.as_deref());
        let inputs: Vec<Input> = previous
            .iter()
            .enumerate()
            .map(|(index, previous)| {
                let previous = previous.clone();
                let looking = (wallet, &mut work);
                input::evaluate(psbt, index, previous, &mut signatures, looking, &mut warnings)
            })
            .collect();
        let outputs: Vec<Output> = (0..psbt.unsigned_tx.output.len())
            .map(|index| output::evaluate(&document, index, wallet, &mut work, &mut warnings))
            .collect();
        let (group, tasks) = (wallet.group().clone(), OnceLock::new());
        let proof = proof::recognise(&document);
        let exceeds_work = work.is_exceeded();
        let mut spend =
            Self { document, group, inputs, outputs, warnings, proof, exceeds_work, tasks };
        let further = whole::warnings(&spend);
        spend.warnings.extend(further);
        spend.soften_warnings();
        spend
    }

    /// The PSBT as it was read.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The transaction without signatures.
    pub fn transaction(&self) -> &Transaction {
        &self.document.decoded().unsigned_tx
    }

    /// The inputs, in the transaction's order.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The outputs, in the transaction's order.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The outputs that pay others, with their indexes: what could be paid twice. A
    /// [proof](Self::proof) pays nothing.
    pub fn payments(&self) -> impl Iterator<Item = (usize, &Output)> {
        let pays = self.proof.is_none();
        self.outputs.iter().enumerate().filter(move |(_, output)| pays && output.is_payment())
    }

    /// The warnings for the operator, each of one line.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The sum of all inputs; `None` if an amount is not known.
    pub fn total_in(&self) -> Option<Amount> {
        let amounts = self.inputs.iter().map(|input| Some(input.previous.as_ref()?.value));
        amounts.sum_checked()
    }

    /// The sum of all outputs; `None` if it is more than an amount can be.
    pub fn total_out(&self) -> Option<Amount> {
        self.outputs.iter().map(|output| Some(output.amount)).sum_checked()
    }

    /// The fee; `None` if it is not known or negative. A [proof](Self::proof) has none.
    pub fn fee(&self) -> Option<Amount> {
        let fee = self.total_in()?.checked_sub(self.total_out()?)?;
        Some(if self.proof().is_some() { Amount::ZERO } else { fee })
    }

    /// The fee rate in satoshi per virtual byte, rounded up, where the fee is known. The size is
    /// what the transaction will have at least, so that the rate is never understated.
    pub fn fee_rate(&self) -> Option<u64> {
        Some(self.fee()?.to_sat().div_ceil(self.virtual_size().max(1)))
    }

    /// The size of the signed transaction in virtual bytes, estimated from below: an input of
    /// another's that is not signed yet, and is of no common kind, counts as if it were never to
    /// be.
    pub fn virtual_size(&self) -> u64 {
        size::virtual_size(self)
    }

    /// What leaves the group, fee included: what it signs for, less what comes back to addresses of
    /// its wallet. An input that anything is wrong with counts with the amount that is known of it,
    /// if any.
    pub fn leaves_the_group(&self) -> Amount {
        self.beyond_what_returns(|input| input.signing != Signing::NotOurs)
    }

    /// The most that may leave the group, fee included: as if every input that
    /// [may be the group's](Input::may_be_ours) were. This is what limits are about. The creator of
    /// a PSBT chooses which inputs are recognised, and can ask for the rest in another request.
    pub fn may_leave_the_group(&self) -> Amount {
        self.beyond_what_returns(|input| input.signing != Signing::NotOurs || input.may_be_ours())
    }

    /// What these inputs spend, less what comes back. With a [proof](Self::proof) nothing leaves.
    fn beyond_what_returns(&self, counts: impl Fn(&Input) -> bool) -> Amount {
        if self.proof().is_some() {
            return Amount::ZERO;
        }
        let comes =
            sum(self.outputs.iter().filter(|output| output.is_ours()).map(|out| out.amount));
        let inputs = self.inputs.iter().filter(|input| counts(input));
        let goes = sum(inputs.filter_map(|input| input.previous.as_ref()).map(|out| out.value));
        Amount::from_sat(goes.to_sat().saturating_sub(comes.to_sat()))
    }

    /// The amounts of the group's own inputs, as far as they are known.
    pub fn spent_by_the_group(&self) -> Amount {
        let ours = self.inputs.iter().filter(|input| input.signing != Signing::NotOurs);
        sum(ours.filter_map(|input| input.previous.as_ref()).map(|previous| previous.value))
    }

    /// What no payee receives of the group's money at most: the fee, and what goes to outputs that
    /// no one or anyone can spend, as far as it
    /// [may leave the group](Self::may_leave_the_group). `None` where the fee is not known.
    pub fn lost_by_the_group(&self) -> Option<Amount> {
        let lost = self.outputs.iter().filter(|out| out.is_burnt() || out.anyone_can_spend());
        let lost = self.fee()?.to_sat().saturating_add(sum(lost.map(|out| out.amount)).to_sat());
        Some(Amount::from_sat(lost).min(self.may_leave_the_group()))
    }
}

/// The sum, or the largest possible amount if the sum is greater.
fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    Amount::from_sat(amounts.fold(0, |sum, amount| sum.saturating_add(amount.to_sat())))
}

trait SumChecked {
    fn sum_checked(self) -> Option<Amount>;
}

impl<I: Iterator<Item = Option<Amount>>> SumChecked for I {
    /// The sum; `None` if an amount is missing or the sum is more than an amount can be.
    fn sum_checked(mut self) -> Option<Amount> {
        self.try_fold(Amount::ZERO, |sum, amount| sum.checked_add(amount?))
            .filter(|sum| *sum <= Amount::MAX_MONEY)
    }
}
