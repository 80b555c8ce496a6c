use bdk_wallet::{
    Update,
    chain::{BlockId, CheckPoint},
};
use bitcoin::{Amount, BlockHash, Network, OutPoint, constants::genesis_block, hashes::Hash as _};
use roastery_bitcoin::{spend::ChainView as _, wallet::Branch};
use roastery_testkit::{
    chain::Double,
    payments::{elsewhere, funding, pay},
};
use roastery_wallet::{ChainWallet, Draft, Found, Source, SourceError, TakeError, btc, fee_rate};

use crate::double::{Watched, bitcoind, descriptors, esplora};

const KINDS: [fn(&Double) -> Source; 2] = [bitcoind, esplora];

fn balance(watched: &Watched) -> [String; 3] {
    let balance = watched.chain.view().balance;
    [balance.confirmed, balance.change, balance.incoming].map(btc)
}

#[test]
fn what_is_paid_to_the_wallet_is_its_balance_in_a_block_and_before() {
    for kind in KINDS {
        let (double, mut watched) = (Double::start(), Watched::new());
        let mut source = kind(&double);
        assert!(!watched.chain.view().whole);
        let first = funding(1, vec![pay(5_000, watched.script(0)), pay(7, elsewhere())]);
        double.chain().mine(vec![first.clone()]);
        double.chain().mine(vec![]);
        let second = funding(2, vec![pay(900, watched.script(3))]);
        double.chain().mempool = vec![second.clone(), funding(3, vec![pay(1, elsewhere())])];
        watched.read(&mut source).unwrap();
        assert_eq!(balance(&watched), ["0.00005000", "0.00000000", "0.00000900"]);
        let view = watched.chain.view();
        assert!(view.whole);
        assert_eq!(view.tip.unwrap().0, 2);
        let known: Vec<_> = view.entries.iter().map(|entry| (entry.txid, entry.height)).collect();
        let (one, two) = (first.compute_txid(), second.compute_txid());
        assert_eq!(known, [(two, None), (one, Some(1))]);
        let coin = &view.coins[&OutPoint::new(two, 0)];
        assert_eq!((coin.path, coin.spent_by), ((0, 3), None));
        // What is known is there after a restart, without the source.
        let kept = watched.chain.to_keep().unwrap().unwrap();
        assert_eq!(watched.chain.to_keep().unwrap(), None);
        let again = descriptors(&watched.wallet);
        let again = ChainWallet::open(again, Network::Regtest, Some(&kept)).unwrap();
        assert_eq!(again.view(), view);
    }
}

#[test]
fn a_reorganisation_takes_back_what_its_blocks_had() {
    for kind in KINDS {
        let (double, mut watched) = (Double::start(), Watched::new());
        let mut source = kind(&double);
        let paid = funding(1, vec![pay(5_000, watched.script(0))]);
        for _ in 0..3 {
            double.chain().mine(vec![]);
        }
        double.chain().mine(vec![paid.clone()]);
        double.chain().mine(vec![]);
        watched.read(&mut source).unwrap();
        assert_eq!(balance(&watched)[0], "0.00005000");
        // Other blocks, without the payment, which is nowhere now.
        double.chain().unwind(2);
        for _ in 0..3 {
            double.chain().mine(vec![]);
        }
        watched.read(&mut source).unwrap();
        assert_eq!(balance(&watched), ["0.00000000"; 3]);
        assert_eq!(watched.chain.view().tip.unwrap().0, 6);
        // It is mined again, at another height.
        double.chain().mine(vec![paid]);
        watched.read(&mut source).unwrap();
        assert_eq!(balance(&watched)[0], "0.00005000");
        assert_eq!(watched.chain.view().entries[0].height, Some(7));
    }
}

#[test]
fn what_leaves_the_mempool_is_no_balance_and_comes_back_with_it() {
    for kind in KINDS {
        let (double, mut watched) = (Double::start(), Watched::new());
        let mut source = kind(&double);
        double.chain().mine(vec![]);
        let paid = funding(1, vec![pay(5_000, watched.script(0))]);
        for held in [true, false, true] {
            double.chain().mempool = if held { vec![paid.clone()] } else { Vec::new() };
            watched.read(&mut source).unwrap();
            let incoming = if held { "0.00005000" } else { "0.00000000" };
            assert_eq!(balance(&watched)[2], incoming);
        }
    }
}

#[test]
fn an_address_far_beyond_the_last_one_of_another_member_is_found_in_blocks() {
    let (double, mut watched) = (Double::start(), Watched::new());
    let paid = funding(1, vec![pay(5_000, watched.script(150))]);
    double.chain().mine(vec![paid]);
    watched.read(&mut bitcoind(&double)).unwrap();
    assert_eq!(balance(&watched)[0], "0.00005000");
}

#[test]
fn more_transactions_of_one_address_than_a_page_has_are_all_found() {
    let (double, mut watched) = (Double::start(), Watched::new());
    for number in 0..60 {
        let paid = funding(number, vec![pay(100, watched.script(0))]);
        double.chain().mine(vec![paid]);
    }
    watched.read(&mut esplora(&double)).unwrap();
    assert_eq!(balance(&watched)[0], "0.00006000");
}

#[test]
fn a_transaction_that_is_sent_is_at_the_source_and_in_the_wallet() {
    for kind in KINDS {
        let (double, mut watched) = (Double::start(), Watched::new());
        let mut source = kind(&double);
        double.chain().mine(vec![funding(1, vec![pay(50_000, watched.script(0))])]);
        watched.read(&mut source).unwrap();
        let draft =
            Draft::Pay { to: elsewhere(), amount: Amount::from_sat(20_000), inputs: vec![] };
        let psbt = watched.chain.draft(&draft, fee_rate("2").unwrap(), &[].into()).unwrap();
        let sent = psbt.unsigned_tx;
        source.broadcast(&sent).unwrap();
        assert_eq!(double.chain().sent, std::slice::from_ref(&sent));
        watched.chain.sent(sent.clone(), watched.now);
        let view = watched.chain.view();
        let coin = view.coin(&sent.input[0].previous_output).unwrap();
        assert_eq!(coin.spent_by.unwrap().txid, sent.compute_txid());
        watched.read(&mut source).unwrap();
        assert_eq!(watched.chain.view().balance, view.balance);
    }
}

#[test]
fn what_a_server_refuses_is_sent_only_if_it_has_the_transaction() {
    let double = Double::start();
    let sent = funding(1, vec![pay(1, elsewhere())]);
    double.chain().refuses = true;
    let error = esplora(&double).broadcast(&sent).unwrap_err();
    assert!(matches!(error, SourceError::Says(_)), "{error}");
    double.chain().mempool = vec![sent.clone()];
    esplora(&double).broadcast(&sent).unwrap();
}

/// What a server that is asked for addresses says of a chain with this last block.
fn history(network: Network, height: u32) -> Found {
    let first = genesis_block(network).block_hash();
    let block = |height, hash| BlockId { height, hash };
    let last = block(height, BlockHash::from_byte_array([7; 32]));
    let chain = CheckPoint::from_block_ids([block(0, first), last]).unwrap();
    let update = Update { chain: Some(chain), ..Update::default() };
    Found::History { update: Box::new(update), last: true }
}

#[test]
fn a_height_that_no_block_has_by_now_is_not_taken() {
    // In 2026 main has less than a million blocks.
    let now = 1_790_000_000;
    for (network, good, wrong) in [
        (Network::Bitcoin, 1_000_000, 20_000_000),
        (Network::Bitcoin, 1_000_000, 500_000_000),
        (Network::Regtest, 20_000_000, 500_000_000),
    ] {
        let watched = Watched::new();
        let kind = network.into();
        let texts = Branch::ALL.map(|branch| watched.wallet.descriptor(branch, kind).unwrap());
        let mut chain = ChainWallet::open(texts, network, None).unwrap();
        let before = chain.view();
        let error = chain.take(history(network, wrong), now).unwrap_err();
        assert!(matches!(error, TakeError::Height { height, .. } if height == wrong), "{error}");
        assert_eq!(chain.view(), before);
        chain.take(history(network, good), now).unwrap();
        assert_eq!(chain.view().tip.unwrap().0, good);
    }
}

#[test]
fn a_wallet_whose_chain_fits_no_other_is_read_anew_with_its_addresses() {
    let (double, mut watched) = (Double::start(), Watched::new());
    for _ in 0..5 {
        watched.chain.address(true).unwrap();
    }
    double.chain().mine(vec![funding(1, vec![pay(5_000, watched.script(150))])]);
    watched.chain.take(history(Network::Regtest, 900), watched.now).unwrap();
    watched.chain.read_anew().unwrap();
    let view = watched.chain.view();
    assert_eq!((view.tip.unwrap().0, view.whole), (0, false));
    assert_eq!(watched.chain.address(true).unwrap().0, 5);
    watched.read(&mut bitcoind(&double)).unwrap();
    assert_eq!(balance(&watched)[0], "0.00005000");
}

#[test]
fn a_fee_rate_is_exactly_what_the_source_estimates() {
    let double = Double::start();
    // 0.00012345 BTC for 1000 vB are 12345 sat for 4000 weight units.
    assert_eq!(bitcoind(&double).fee_rate().unwrap().unwrap().to_sat_per_kwu(), 3087);
    assert_eq!(esplora(&double).fee_rate().unwrap(), Some(fee_rate("12.34").unwrap()));
}

#[test]
fn the_cookie_is_read_anew_and_a_wrong_one_is_named() {
    let (double, mut watched) = (Double::start(), Watched::new());
    double.chain().mine(vec![]);
    let mut source = bitcoind(&double);
    std::fs::write(double.cookie(), "__cookie__:other").unwrap();
    // The first bytes of the user are what the double compares.
    std::fs::write(double.cookie(), "someone:secret").unwrap();
    assert_eq!(watched.read(&mut source).unwrap_err(), SourceError::Login);
    std::fs::write(double.cookie(), "no colon").unwrap();
    let error = watched.read(&mut source).unwrap_err().to_string();
    assert!(error.contains("USER:PASSWORD") && !error.contains("no colon"), "{error}");
    std::fs::write(double.cookie(), "__cookie__:secret\n").unwrap();
    watched.read(&mut source).unwrap();
}

#[test]
fn a_source_on_another_chain_is_refused() {
    for kind in KINDS {
        let double = Double::start();
        let mut watched = Watched::new();
        let texts = descriptors(&watched.wallet);
        watched.chain = ChainWallet::open(texts, Network::Signet, None).unwrap();
        let error = watched.read(&mut kind(&double)).unwrap_err();
        assert_eq!(error, SourceError::OtherChain("signet".to_owned()));
    }
}
