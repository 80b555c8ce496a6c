//! A policy without a person, beside payments that Core relays.

use super::{Core, both, group_on, is_in_mempool, pay_in, source_of};
use crate::nodes::support::Group;

/// What the group may pay in a day, in satoshi.
const MOST_PER_DAY: &str = "approval = \"automatic\"

[policy.transactions]
most_per_day = 30010000";

/// Restarts all nodes with rules in place of people.
fn without_people(core: &Core, group: &Group) {
    let source = source_of(core);
    let source: Vec<_> = source.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for node in 0..3 {
        group.edit(node, "[policy.transactions]\n", "");
        group.set_policy(node, MOST_PER_DAY);
        group.stop(node);
        group.restart(node, &source);
    }
}

#[test]
fn a_bump_at_the_limit_of_a_policy_passes_and_a_second_payment_does_not() {
    let Some(core) = Core::start("core-limit", &[]) else { return };
    core.begin();
    let group = group_on(&core, "core-limits");
    core.watch(&group);
    pay_in(&core, &group, &["0.5", "0.5"]);
    core.mine(1);
    assert_eq!(both(&core, &group), (100_000_000, 0));
    without_people(&core, &group);
    both(&core, &group);

    // 0.3 of the 0.3001 that a day may have.
    let to = core.to(&["-rpcwallet=miner", "getnewaddress"]);
    let send = ["wallet", "send", &to, "0.3", "--fee-rate", "2", "--yes"];
    let txid = group.tell(0, &send).well().trim().to_owned();
    assert!(is_in_mempool(&core, &txid));
    // The bump pays the 0.3 again, and counts once.
    both(&core, &group);
    let bump = ["wallet", "bump", &txid, "--fee-rate", "30", "--yes"];
    let bumped = group.tell(0, &bump).well().trim().to_owned();
    assert!(is_in_mempool(&core, &bumped) && !is_in_mempool(&core, &txid));
    // A bump whose fee alone would go beyond the limit is refused, and the first one stays.
    both(&core, &group);
    let beyond = ["wallet", "bump", &bumped, "--fee-rate", "90", "--yes"];
    let refused = group.tell(0, &beyond);
    assert_ne!(refused.status, 0);
    assert!(refused.err.contains("limit per day"), "{refused:?}");
    assert!(is_in_mempool(&core, &bumped));

    // A second payment from the other coin is one too many, before a block and after it.
    for blocks in [0, 1] {
        core.mine(blocks);
        both(&core, &group);
        let elsewhere = core.to(&["-rpcwallet=miner", "getnewaddress"]);
        let second = ["wallet", "send", &elsewhere, "0.01", "--fee-rate", "2", "--yes"];
        let refused = group.tell(0, &second);
        assert_ne!(refused.status, 0);
        assert!(refused.err.contains("limit per day"), "{refused:?}");
    }
    assert_eq!(core.to(&["-rpcwallet=miner", "getreceivedbyaddress", &to]), "0.30000000");
}
