#![no_main]

use std::sync::LazyLock;

use bitcoin::{Amount, Network};
use libfuzzer_sys::fuzz_target;
use roastery_bitcoin::{policy::{Review, Rules}, psbt::read, spend::Spend, wallet::Wallet};
use roastery_fuzz::GROUP;

static WALLET: LazyLock<Wallet> =
    LazyLock::new(|| Wallet::new(GROUP.clone()).expect("a group's key makes a descriptor"));

fuzz_target!(|bytes: &[u8]| {
    let Ok(psbt) = read(bytes) else { return };
    let older = psbt.to_version_0().expect("what was read can be written in version 0");
    assert_eq!(older.decoded(), psbt.decoded());
    let spend = Spend::of(psbt, &WALLET);
    assert!(spend.warnings().iter().all(|warning| !warning.to_string().contains('\n')));
    let _ = (spend.fee_rate(), spend.leaves_the_group());
    for request in spend.requests([0; 32], 1).unwrap_or_default() {
        spend.check(&request).expect("a request is that of its own PSBT");
    }
    let policy = Rules { most_fee: Some(1), change_must_be_ours: Some(true), ..Rules::default() };
    let policy = policy.check(Network::Bitcoin, Review::RulesAlone).expect("no destinations");
    let _ = policy.evaluate(&spend, Amount::ZERO);
});
