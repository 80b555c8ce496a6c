use std::io;

use bitcoin::{OutPoint, Txid, hashes::Hash as _, hex::DisplayHex as _};
use roastery_store::{AuditEntry, Coin, Decider};

use crate::{
    Time,
    text::to_json,
    view::{AuditLine, DecidedBy},
};

/// An entry of the audit log as a line of an export, with its line end.
pub(in crate::api) fn audit_line(number: u64, entry: &AuditEntry) -> io::Result<String> {
    let coin = |coin: &Coin| {
        let txid = Txid::from_byte_array(coin.transaction);
        OutPoint { txid, vout: coin.output }.to_string()
    };
    let (decided_by, said) = match &entry.decision.by {
        Decider::Operator => (DecidedBy::Operator, ""),
        Decider::Rules => (DecidedBy::Rules, ""),
        Decider::Command { said } => (DecidedBy::Command, said.as_str()),
    };
    let line = AuditLine {
        number,
        time: Time::from_milliseconds(entry.time_ms),
        group: entry.group.to_string(),
        session: entry.session.to_string(),
        seat: entry.seat.to_u16(),
        coordinator: entry.coordinator.to_u16(),
        package: entry.package.to_string(),
        messages: entry.messages.iter().map(|bytes| bytes.to_lower_hex_string()).collect(),
        key: entry.key.to_lower_hex_string(),
        decided_by,
        said: said.to_owned(),
        about: entry.decision.about.to_bytes().to_lower_hex_string(),
        revision: entry.decision.revision,
        decided: Time::from_seconds(entry.decision.at),
        satoshi: entry.spending.amount,
        coins: entry.spending.coins.iter().map(coin).collect(),
    };
    let mut line = to_json(&line)?;
    line.push('\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::fixture::audit_entry;

    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn a_line_is_as_the_manual_describes_it() {
        let ones = |digits: &str| digits.repeat(32);
        let line = audit_line(7, &audit_entry(NOW + 5, "let\u{202e} it \"pass\"")).unwrap();
        let about = audit_entry(0, "").decision.about.to_bytes().to_lower_hex_string();
        let expected = format!(
            "{{\"number\":7,\"time\":\"2027-01-15T08:00:00.005Z\",\"group\":\"{}\",\
             \"session\":\"{}\",\"seat\":0,\"coordinator\":1,\"package\":\"{}\",\"messages\":[\"{}\"],\
             \"key\":\"{}\",\"decided_by\":\"command\",\"said\":\"let\\u202e it \\\"pass\\\"\",\
             \"about\":\"{about}\",\"revision\":1,\"decided\":\"1970-01-01T00:00:08Z\",\
             \"satoshi\":60000,\"coins\":[\"{}:1\"]}}\n",
            ones("02"),
            ones("05"),
            ones("04"),
            ones("09"),
            ones("03"),
            ones("06")
        );
        assert_eq!(line, expected);
    }
}
