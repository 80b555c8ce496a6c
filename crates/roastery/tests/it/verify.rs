//! `roastery verify --address`: texts that any address has signed, with a published signature
//! of BIP-322.

use crate::nodes::support::roastery;

const ADDRESS: &str = "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l";
const SIGNATURE: &str = "smpAkcwRAIgZRfIY3p7/DoVTty6YZbWS71bc5Vct9p9Fia83eRmw2QCICK/ENGfwLtptFluMGs2KsqoNSk89pO7F29zJLUx9a/sASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI=";

#[test]
fn a_signature_of_any_address_is_valid_for_its_text_address_and_network_and_no_other() {
    let verify = |address: &str, text: &str, signature: &str, network: &[&str]| {
        let all = ["verify", "--address", address, "--text", text, "--signature", signature];
        roastery(&[&all, network].concat(), &[])
    };
    let bare = SIGNATURE.strip_prefix("smp").unwrap();
    for (signature, network) in [(SIGNATURE, &[][..]), (bare, &["--network", "main"])] {
        let said = verify(ADDRESS, "Hello World", signature, network).well();
        assert_eq!(said.trim_end(), format!("valid: signed by {ADDRESS}"));
        let other = verify(ADDRESS, "Hello world", signature, network);
        assert_eq!((other.status, other.out.starts_with("not valid for ")), (1, true), "{other:?}");
    }
    let taproot = "bc1pss0zhytly75awhm6x2hhvd5lnzv3vssgrf9axfheq8ldyzn88ges79fler";
    assert_eq!(verify(taproot, "Hello World", SIGNATURE, &[]).status, 1);
    let elsewhere = verify(ADDRESS, "Hello World", SIGNATURE, &["--network", "signet"]);
    assert_eq!(elsewhere.status, 2);
    assert!(elsewhere.err.contains("is not an address of signet"), "{elsewhere:?}");
}
