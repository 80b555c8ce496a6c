use std::collections::BTreeSet;

use bitcoin::{Amount, Network, OutPoint, Psbt, Transaction, TxOut, absolute};
use roastery_bitcoin::{
    policy::{Refusal, Review, Rules},
    psbt,
    spend::{Completion, Spend, Warning, extract},
};
use roastery_testkit::{
    chain::Double,
    payments::{elsewhere, funding, judge_all, pay},
};
use roastery_wallet::{Draft, DraftError, MOST_UNUSED, View, fee_rate};

use crate::double::{Watched, bitcoind};

/// A wallet with coins of these amounts, each of its own transaction and address.
fn funded(scripts: Option<&str>, amounts: &[u64]) -> (Double, Watched) {
    let (double, mut watched) = (Double::start(), Watched::with(scripts));
    let coins = amounts.iter().zip(0..);
    let paid: Vec<Transaction> =
        coins.map(|(sat, index)| funding(index, vec![pay(*sat, watched.script(index))])).collect();
    double.chain().mine(paid);
    watched.read(&mut bitcoind(&double)).unwrap();
    (double, watched)
}

fn payment(sat: u64) -> Draft {
    Draft::Pay { to: elsewhere(), amount: Amount::from_sat(sat), inputs: Vec::new() }
}

fn draft(watched: &mut Watched, what: &Draft, rate: &str) -> Result<Psbt, DraftError> {
    watched.chain.draft(what, fee_rate(rate).unwrap(), &BTreeSet::new())
}

/// What the group makes of a PSBT, which Bitcoin Core's consensus code accepts.
fn signed(watched: &Watched, made: &Psbt) -> (Spend, Transaction) {
    let document = psbt::read(&made.serialize()).unwrap();
    let spend = Spend::of(document, &watched.wallet);
    let signatures = watched.group.sign(&spend.messages().unwrap());
    let completed = spend.complete(&signatures, Completion::Finalised).unwrap();
    let transaction = extract(completed.document()).unwrap();
    let spent = spend.inputs().iter().map(|input| input.previous.clone().unwrap());
    let spent: Vec<TxOut> = spent.collect();
    judge_all(&transaction, &spent);
    (spend, transaction)
}

#[test]
fn a_payment_pays_what_is_asked_for_and_the_rest_returns() {
    let tree = "{pk(@0/<2;3>/*),and_v(v:pk(@0/<4;5>/*),older(144))}";
    for scripts in [None, Some(tree)] {
        let (_double, mut watched) = funded(scripts, &[100_000]);
        let made = draft(&mut watched, &payment(30_000), "3").unwrap();
        let (spend, transaction) = signed(&watched, &made);
        assert_eq!(spend.warnings(), []);
        let paid: Vec<_> =
            transaction.output.iter().filter(|out| out.script_pubkey == elsewhere()).collect();
        assert_eq!((paid.len(), paid[0].value.to_sat()), (1, 30_000));
        assert_eq!(spend.outputs().iter().filter(|output| output.is_ours()).count(), 1);
        assert!(spend.inputs().iter().all(|input| input.proven));
        let (fee, size) = (spend.fee().unwrap().to_sat(), transaction.vsize() as u64);
        assert!(fee >= 3 * size && fee < 4 * size + 150, "{fee} for {size} vB");
    }
}

#[test]
fn chosen_coins_are_spent_and_no_others() {
    let (_double, mut watched) = funded(None, &[100_000, 50_000, 40_000]);
    let coins: Vec<OutPoint> = watched.chain.view().coins.keys().copied().collect();
    let what =
        Draft::Pay { to: elsewhere(), amount: Amount::from_sat(1000), inputs: coins[1..].to_vec() };
    let made = draft(&mut watched, &what, "1").unwrap();
    let spent: BTreeSet<_> =
        made.unsigned_tx.input.iter().map(|input| input.previous_output).collect();
    assert_eq!(spent, coins[1..].iter().copied().collect());
    let unknown = OutPoint { vout: 77, ..coins[0] };
    let what =
        Draft::Pay { to: elsewhere(), amount: Amount::from_sat(1000), inputs: vec![unknown] };
    let error = draft(&mut watched, &what, "1").unwrap_err();
    assert!(matches!(error, DraftError::Coin(coin) if coin == unknown));
}

#[test]
fn a_coin_of_an_open_request_is_not_spent_again() {
    let (_double, mut watched) = funded(None, &[100_000, 50_000]);
    let all: BTreeSet<OutPoint> = watched.chain.view().coins.keys().copied().collect();
    let rate = fee_rate("1").unwrap();
    let error = watched.chain.draft(&payment(1000), rate, &all).unwrap_err();
    assert!(matches!(error, DraftError::Funds { available: Amount::ZERO, .. }), "{error}");
    let one = *all.first().unwrap();
    let made = watched.chain.draft(&payment(1000), rate, &[one].into()).unwrap();
    assert!(made.unsigned_tx.input.iter().all(|input| input.previous_output != one));
    let chosen = Draft::Sweep { to: elsewhere(), inputs: vec![one] };
    let error = watched.chain.draft(&chosen, rate, &[one].into()).unwrap_err();
    assert!(matches!(error, DraftError::InUse(coin) if coin == one));
    let sweep = Draft::Sweep { to: elsewhere(), inputs: Vec::new() };
    assert!(matches!(watched.chain.draft(&sweep, rate, &all), Err(DraftError::Nothing)));
}

#[test]
fn a_sweep_leaves_nothing() {
    let (_double, mut watched) = funded(None, &[100_000, 50_000]);
    let made =
        draft(&mut watched, &Draft::Sweep { to: elsewhere(), inputs: Vec::new() }, "2").unwrap();
    let (spend, transaction) = signed(&watched, &made);
    assert_eq!((transaction.input.len(), transaction.output.len()), (2, 1));
    let fee = spend.fee().unwrap().to_sat();
    assert_eq!(transaction.output[0].value.to_sat(), 150_000 - fee);
    let nothing =
        spend.warnings().iter().any(|said| matches!(said, Warning::NothingReturns { .. }));
    assert!(nothing);
}

#[test]
fn a_bump_pays_the_same_with_a_higher_fee_and_the_change_bears_it() {
    let (_double, mut watched) = funded(None, &[100_000]);
    let made = draft(&mut watched, &payment(30_000), "1").unwrap();
    let (first, sent) = signed(&watched, &made);
    watched.chain.sent(sent.clone(), watched.now);
    let txid = sent.compute_txid();
    let low = draft(&mut watched, &Draft::Bump { txid }, "1").unwrap_err();
    assert!(matches!(low, DraftError::RateTooLow(_)), "{low}");
    let made = draft(&mut watched, &Draft::Bump { txid }, "5").unwrap();
    let (second, replacing) = signed(&watched, &made);
    assert!(second.fee().unwrap() > first.fee().unwrap());
    assert_eq!(replacing.input[0].previous_output, sent.input[0].previous_output);
    assert!(
        replacing
            .output
            .contains(&TxOut { value: Amount::from_sat(30_000), script_pubkey: elsewhere() })
    );
    let beside = second.beside(&watched.chain.view());
    let expected = Warning::CoinSpent { input: 0, by: txid, confirmed: false };
    assert_eq!(beside.warnings(), [expected]);
}

#[test]
fn what_cannot_be_bumped_says_why() {
    let (double, mut watched) = funded(None, &[100_000]);
    let entry = watched.chain.view().entries[0].txid;
    let error = draft(&mut watched, &Draft::Bump { txid: entry }, "5").unwrap_err();
    assert!(matches!(error, DraftError::Foreign(_)), "{error}");
    let made = draft(&mut watched, &payment(30_000), "1").unwrap();
    let (_, sent) = signed(&watched, &made);
    let txid = sent.compute_txid();
    let error = draft(&mut watched, &Draft::Bump { txid }, "5").unwrap_err();
    assert!(matches!(error, DraftError::Unknown(_)), "{error}");
    double.chain().mine(vec![sent]);
    watched.read(&mut bitcoind(&double)).unwrap();
    let error = draft(&mut watched, &Draft::Bump { txid }, "5").unwrap_err();
    assert!(matches!(error, DraftError::Confirmed(_)), "{error}");
}

#[test]
fn too_little_and_too_small_are_refused_with_the_amounts() {
    let (_double, mut watched) = funded(None, &[10_000]);
    let error = draft(&mut watched, &payment(10_000), "1").unwrap_err().to_string();
    assert!(error.contains("has 0.00010000 BTC"), "{error}");
    assert!(matches!(draft(&mut watched, &payment(100), "1"), Err(DraftError::Dust)));
}

#[test]
fn no_height_that_a_source_says_is_in_a_transaction() {
    let (_double, mut watched) = funded(None, &[100_000]);
    let made = draft(&mut watched, &payment(30_000), "1").unwrap();
    assert_eq!(made.unsigned_tx.lock_time, absolute::LockTime::ZERO);
    let (_, sent) = signed(&watched, &made);
    let txid = sent.compute_txid();
    watched.chain.sent(sent, watched.now);
    let made = draft(&mut watched, &Draft::Bump { txid }, "5").unwrap();
    assert_eq!(made.unsigned_tx.lock_time, absolute::LockTime::ZERO);
}

#[test]
fn a_transaction_whose_change_an_open_request_spends_is_not_replaced() {
    let (_double, mut watched) = funded(None, &[100_000]);
    let made = draft(&mut watched, &payment(30_000), "1").unwrap();
    let (_, sent) = signed(&watched, &made);
    let txid = sent.compute_txid();
    let spent = sent.input[0].previous_output;
    watched.chain.sent(sent, watched.now);
    let change = OutPoint { txid, vout: 0 };
    let mut bump = |avoid: OutPoint| {
        let rate = fee_rate("5").unwrap();
        watched.chain.draft(&Draft::Bump { txid }, rate, &BTreeSet::from([avoid]))
    };
    let error = bump(change).unwrap_err();
    assert!(matches!(error, DraftError::InUse(coin) if coin == change), "{error}");
    // Its own coins are spent anew.
    assert!(bump(spent).is_ok());
}

#[test]
fn a_transaction_whose_change_is_spent_is_not_replaced() {
    let (_double, mut watched) = funded(None, &[100_000]);
    let mut ids = Vec::new();
    for sat in [30_000, 20_000] {
        let made = draft(&mut watched, &payment(sat), "1").unwrap();
        let (_, sent) = signed(&watched, &made);
        ids.push(sent.compute_txid());
        watched.chain.sent(sent, watched.now);
    }
    let [txid, later] = ids[..] else { panic!("two") };
    let error = draft(&mut watched, &Draft::Bump { txid }, "9").unwrap_err();
    assert!(
        matches!(error, DraftError::SpentAfter { txid: of, by } if of == txid && by == later),
        "{error}"
    );
    assert!(draft(&mut watched, &Draft::Bump { txid: later }, "9").is_ok());
}

#[test]
fn what_others_pay_in_no_block_is_spent_only_where_it_is_chosen() {
    let (double, mut watched) = funded(None, &[]);
    let paid = funding(7, vec![pay(100_000, watched.script(0))]);
    let coin = OutPoint::new(paid.compute_txid(), 0);
    double.chain().mempool = vec![paid];
    watched.read(&mut bitcoind(&double)).unwrap();
    let error = draft(&mut watched, &payment(1000), "1").unwrap_err();
    assert!(matches!(error, DraftError::Funds { .. }), "{error}");
    let chosen = Draft::Sweep { to: elsewhere(), inputs: vec![coin] };
    assert!(draft(&mut watched, &chosen, "1").is_ok());
}

#[test]
fn the_reward_of_a_block_is_spent_100_blocks_after_it_and_no_earlier() {
    let (double, mut watched) = funded(None, &[]);
    let script = watched.script(0);
    double.chain().mine_to(script);
    let sweep = |inputs| Draft::Sweep { to: elsewhere(), inputs };
    for _ in 0..98 {
        double.chain().mine(vec![]);
    }
    watched.read(&mut bitcoind(&double)).unwrap();
    let coin = *watched.chain.view().coins.keys().next().unwrap();
    let error = draft(&mut watched, &sweep(vec![coin]), "1").unwrap_err();
    assert!(matches!(error, DraftError::Immature(of) if of == coin), "{error}");
    let error = draft(&mut watched, &sweep(vec![]), "1").unwrap_err();
    assert!(matches!(error, DraftError::Nothing), "{error}");
    double.chain().mine(vec![]);
    watched.read(&mut bitcoind(&double)).unwrap();
    assert!(draft(&mut watched, &sweep(vec![coin]), "1").is_ok());
    assert!(draft(&mut watched, &sweep(vec![]), "1").is_ok());
}

#[test]
fn addresses_that_were_not_paid_to_are_given_out_up_to_a_bound() {
    let mut watched = Watched::new();
    let (index, first) = watched.chain.address(false).unwrap();
    assert_eq!((index, watched.chain.address(false).unwrap().1), (0, first.clone()));
    assert_eq!(first.script_pubkey(), watched.script(0));
    for index in 1..MOST_UNUSED {
        assert_eq!(watched.chain.address(true).unwrap().0, index);
    }
    assert_eq!(watched.chain.address(true), None);
    assert_eq!(watched.chain.address(false).unwrap().0, 0);
}

#[test]
fn what_a_chain_source_knows_otherwise_is_said() {
    let (double, mut watched) = funded(None, &[100_000, 50_000]);
    let beside = |watched: &Watched, made: &Psbt| {
        let spend = Spend::of(psbt::read(&made.serialize()).unwrap(), &watched.wallet);
        spend.beside(&watched.chain.view()).warnings().to_vec()
    };
    let coins: Vec<OutPoint> = watched.chain.view().coins.keys().copied().collect();
    let of = |coin: usize, sat: u64| Draft::Pay {
        to: elsewhere(),
        amount: Amount::from_sat(sat),
        inputs: vec![coins[coin]],
    };
    let first = draft(&mut watched, &of(0, 30_000), "1").unwrap();
    let rival = draft(&mut watched, &of(0, 31_000), "5").unwrap();
    let twice = draft(&mut watched, &of(1, 30_000), "1").unwrap();
    for made in [&first, &rival, &twice] {
        assert_eq!(beside(&watched, made), []);
    }
    // An amount that is not the coin's.
    let mut wrong = first.clone();
    let known = wrong.inputs[0].witness_utxo.clone().unwrap().value;
    wrong.inputs[0].non_witness_utxo = None;
    let stated = known + Amount::from_sat(1);
    wrong.inputs[0].witness_utxo.as_mut().unwrap().value = stated;
    assert_eq!(beside(&watched, &wrong), [Warning::CoinDiffers { input: 0, stated, known }]);
    // A coin that the source does not have.
    let mut unknown = first.clone();
    unknown.inputs[0].non_witness_utxo = None;
    unknown.unsigned_tx.input[0].previous_output.vout = 9;
    assert_eq!(beside(&watched, &unknown), [Warning::CoinUnknown { input: 0 }]);

    let (_, sent) = signed(&watched, &first);
    let by = sent.compute_txid();
    watched.chain.sent(sent.clone(), watched.now);
    for confirmed in [false, true] {
        assert_eq!(beside(&watched, &first), [Warning::SentAlready { confirmed }]);
        let spent = Warning::CoinSpent { input: 0, by, confirmed };
        assert_eq!(beside(&watched, &rival), [spent]);
        let (output, paid) = (
            twice.unsigned_tx.output.iter().position(|out| out.script_pubkey == elsewhere()),
            Amount::from_sat(30_000),
        );
        let before = Warning::PaidBefore { output: output.unwrap(), amount: paid, by };
        assert_eq!(beside(&watched, &twice), [before]);
        let spend = Spend::of(psbt::read(&twice.serialize()).unwrap(), &watched.wallet)
            .beside(&watched.chain.view());
        for pay_once in [false, true] {
            let rules = Rules { pay_once, ..Rules::default() };
            let policy = rules.check(Network::Regtest, Review::Shown).unwrap();
            let refused = policy.evaluate(&spend, Amount::ZERO).err();
            assert_eq!(matches!(refused, Some(Refusal::PaidBefore(_))), pay_once, "{refused:?}");
        }
        double.chain().mine(vec![sent.clone()]);
        watched.read(&mut bitcoind(&double)).unwrap();
    }
    // What it showed before it fell silent is compared, and there may be more.
    let stale = View { stale: true, ..watched.chain.view() };
    let spend = Spend::of(psbt::read(&rival.serialize()).unwrap(), &watched.wallet).beside(&stale);
    let spent = Warning::CoinSpent { input: 0, by, confirmed: true };
    assert_eq!(spend.warnings(), [spent, Warning::ChainNotRead]);
    // Before the source was read to its end nothing is compared.
    assert_eq!(beside(&Watched::new(), &first), [Warning::ChainNotRead]);
}
