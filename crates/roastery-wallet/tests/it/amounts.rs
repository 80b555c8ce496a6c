use bitcoin::{Amount, Network};
use roastery_wallet::{AmountError, btc, fee_rate, parse_btc, payee};

#[test]
fn an_amount_is_read_and_shown_to_the_last_satoshi() {
    for (text, sat) in [
        ("0.12", 12_000_000),
        ("0.00000001", 1),
        ("21000000", 2_100_000_000_000_000),
        ("20999999.99999999", 2_099_999_999_999_999),
        ("0.10000000", 10_000_000),
        ("07.5", 750_000_000),
    ] {
        assert_eq!(parse_btc(text).unwrap(), Amount::from_sat(sat), "{text}");
    }
    assert_eq!(btc(Amount::from_sat(2_099_999_999_999_999)), "20999999.99999999");
    assert_eq!(btc(Amount::from_sat(1)), "0.00000001");
}

#[test]
fn what_is_no_amount_is_refused() {
    for text in [
        "",
        ".",
        "0",
        "0.0",
        "-1",
        "+1",
        "1e2",
        "0x1",
        "1,5",
        "1.",
        ".5",
        "0.000000001",
        "21000001",
        "21000000.00000001",
        "99999999999999999999999",
        "NaN",
        "inf",
        "1 BTC",
        "1\u{0661}",
        "1.2.3",
    ] {
        assert!(parse_btc(text).is_err(), "{text}");
    }
}

#[test]
fn a_fee_rate_has_two_digits_at_most_and_bounds() {
    assert_eq!(fee_rate("1").unwrap().to_sat_per_kwu(), 250);
    assert_eq!(fee_rate("8.7").unwrap().to_sat_per_kwu(), 2175);
    // Rounded up to a whole satoshi for 1000 weight units.
    assert_eq!(fee_rate("1.01").unwrap().to_sat_per_kwu(), 253);
    assert_eq!(fee_rate("1000").unwrap().to_sat_per_kwu(), 250_000);
    for text in ["0", "0.99", "1000.01", "1001", "1.", "1.234", "1e1", "-1", "", "99999999999"] {
        assert!(fee_rate(text).is_err(), "{text}");
    }
}

#[test]
fn an_address_of_another_network_is_refused_by_name() {
    let main = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr";
    assert!(payee(main, Network::Bitcoin).is_ok());
    let error = payee(main, Network::Regtest).unwrap_err();
    assert!(matches!(error, AmountError::Network { .. }));
    assert!(error.to_string().ends_with("is no address of regtest, the network of this node"));
    for wrong in ["", "bc1p5cyx", "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcx"]
    {
        assert!(matches!(payee(wrong, Network::Bitcoin), Err(AmountError::Address { .. })));
    }
}
