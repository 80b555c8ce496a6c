//! Transactions with more inputs than one session signs.

use std::{fs, path::Path, sync::Arc};

use bitcoin::{
    Psbt, TxOut,
    base64::{Engine as _, prelude::BASE64_STANDARD},
};
use roastery_bitcoin::{
    psbt::read,
    spend::extract,
    wallet::{Branch, Wallet},
};
use roastery_protocol::group::Group as GroupFile;
use roastery_testkit::payments::{elsewhere, judge_all, pay, spending};

use crate::nodes::support::Group;

const INPUTS: u32 = 130;

pub(crate) fn wallet(group: &Group) -> Wallet {
    let file = group.path("group.roastery");
    group.tell(0, &["group", "export", "local", "--group-file", &file]).well();
    let bytes = fs::read(Path::new(&file)).unwrap();
    Wallet::new(Arc::new(GroupFile::decode(&bytes).unwrap())).unwrap()
}

fn payment(wallet: &Wallet) -> (Psbt, Vec<TxOut>) {
    payment_of(wallet, INPUTS)
}

/// 10 000 sat of each input, nearly all of them to another.
pub(crate) fn payment_of(wallet: &Wallet, inputs: u32) -> (Psbt, Vec<TxOut>) {
    let ours = |index| pay(10_000, wallet.script(Branch::Receive, index).unwrap());
    let spent: Vec<TxOut> = (0..inputs).map(ours).collect();
    let paid = u64::from(inputs) * 10_000 * 25 / 26;
    let mut psbt = spending(&spent, vec![pay(paid, elsewhere())]);
    psbt.inputs.iter_mut().for_each(|input| input.non_witness_utxo = None);
    (psbt, spent)
}

/// Asks for signatures at node 0; returns the session of the first part.
pub(crate) fn ask(group: &Group, psbt: &Psbt) -> String {
    let file = group.path("payment.psbt");
    fs::write(&file, psbt.serialize()).unwrap();
    let sign = ["psbt", "sign", &file, "--group", "local", "--wait", "0", "--json"];
    group.tell(0, &sign).json()["session"].as_str().unwrap().to_owned()
}

#[test]
fn one_approval_signs_all_inputs_in_several_sessions_and_limits_count_them_once() {
    let group = Group::start("parts", 3, 2);
    group.stop(1);
    let limits = "[policy.transactions]\nmost_per_day = 1300000\n";
    group.edit(1, "[policy.transactions]\n", limits);
    group.set_policy(1, "most_per_hour = 1");
    group.restart(1, &[]);
    let (psbt, spent) = payment(&wallet(&group));
    let session = ask(&group, &psbt);
    let asked = group.request_in(1, &session, "proposed");
    let parts: Vec<&str> =
        asked["parts"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
    assert_eq!((parts.len(), parts[0]), (3, session.as_str()));
    assert_eq!(asked["summary"]["part"], serde_json::json!({ "number": 1, "of": 3 }));
    // Any of the parts stands for all of them.
    group.approve(1, parts[2]);
    let fetch = ["psbt", "fetch", &session, "--wait", "100"];
    let signed = BASE64_STANDARD.decode(group.tell(0, &fetch).well().trim()).unwrap();
    let transaction = extract(&read(&signed).unwrap()).unwrap();
    assert_eq!(transaction.input.len(), INPUTS as usize);
    judge_all(&transaction, &spent);
    for part in parts {
        let known = group.request_in(1, part, "signed");
        assert_eq!(known["summary"]["warnings"].as_array().unwrap().len(), 1, "{known}");
    }
    // The limits are used up.
    let later = ask(&group, &{
        let mut psbt = psbt.clone();
        psbt.unsigned_tx.output[0].value -= bitcoin::Amount::from_sat(1);
        psbt
    });
    let refused = group.request_in(1, &later, "refused");
    assert!(refused["text"].as_str().unwrap().contains("most_per_hour"), "{refused}");
}

#[test]
fn a_rejection_of_one_part_is_one_of_all() {
    let group = Group::start("parts-rejected", 2, 2);
    let (psbt, _) = payment(&wallet(&group));
    let session = ask(&group, &psbt);
    let asked = group.request_in(1, &session, "proposed");
    group.tell(1, &["reject", asked["parts"][1].as_str().unwrap(), "--note", "not this"]).well();
    for part in asked["parts"].as_array().unwrap() {
        let part = group.request_in(1, part.as_str().unwrap(), "refused");
        assert!(part["text"].as_str().unwrap().contains("not this"), "{part}");
    }
    let fetched = group.tell(0, &["psbt", "fetch", &session, "--wait", "30"]);
    assert_eq!(fetched.status, 1, "{fetched:?}");
}

#[test]
fn a_rejection_that_the_store_cannot_take_is_one_of_all_parts_after_a_restart() {
    let group = Group::start("parts-beside", 3, 3);
    group.stop(2);
    group.stop(1);
    group.restart_ignoring_file_limits(1);
    let (psbt, _) = payment(&wallet(&group));
    let session = ask(&group, &psbt);
    let asked = group.request_in(1, &session, "proposed");
    let parts: Vec<&str> =
        asked["parts"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
    group.approve(1, &session);
    for part in &parts {
        group.request_in(1, part, "approved");
    }
    group.limit_files(1, "4096");
    let said = group.tell(1, &["reject", parts[1], "--note", "not this"]);
    assert_ne!(said.status, 0, "{said:?}");
    group.kill_if_it_runs(1);
    group.restart(1, &[]);
    for part in &parts {
        let known = group.request_in(1, part, "refused");
        assert!(known["text"].as_str().unwrap().contains("not this"), "{known}");
    }
}
