//! Addresses in a configuration, checked when it is read.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use bitcoin::hex::FromHex as _;
use roastery_libp2p::{DialAddress, ListenAddress, Reach, is_peer};
use roastery_protocol::group::PeerId;
use serde::{Deserialize, Deserializer, de::Error};

use super::Transport;

/// Reads a value that is written as a text.
pub(super) fn text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

pub(super) fn listen<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ListenAddress>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let mut addresses = Vec::new();
    for text in texts {
        let address: ListenAddress = text.parse().map_err(D::Error::custom)?;
        if addresses.contains(&address) {
            return Err(D::Error::custom(format!("{address} stands there twice")));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

pub(super) fn announce<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<DialAddress>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    DialAddress::list(&texts).map_err(D::Error::custom)
}

pub(super) fn of_peers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<PeerId, Vec<DialAddress>>, D::Error> {
    let texts = BTreeMap::<String, Vec<String>>::deserialize(deserializer)?;
    let read = |(peer, texts): (String, Vec<String>)| {
        let named = Vec::<u8>::from_hex(&peer).ok().and_then(|bytes| PeerId::new(bytes).ok());
        let named = named.filter(is_peer).ok_or_else(|| {
            D::Error::custom(format!(
                "{peer:?} is no peer: it is the \"peer\" of the member's card, 76 hexadecimal digits"
            ))
        })?;
        let of_peer = |text: &String| DialAddress::of_peer(text, &named);
        let addresses = texts.iter().map(of_peer).collect::<Result<_, _>>();
        let addresses = DialAddress::check_list(addresses.map_err(D::Error::custom)?);
        Ok((named, addresses.map_err(D::Error::custom)?))
    };
    texts.into_iter().map(read).collect()
}

impl Transport {
    /// Warnings about the addresses, one line each: from where this node cannot be reached, and
    /// why. None of them prevents its start.
    pub fn notes(&self) -> Vec<String> {
        if self.announce.is_empty() {
            return vec![
                match self.relay {
                    true => "no address is announced (transport.announce): the other members cannot call this node, \
                             it calls them; with those that announce none either it is connected through a member \
                             that both reach, and with none if there is no such member",
                    false => "no address is announced (transport.announce): the other members cannot call this node, \
                              it calls them, so each of them must announce one; with transport.relay = true at all it \
                              is reached through a member that both reach"
                }
                .to_owned(),
            ];
        }
        let mut notes = Vec::new();
        for address in &self.announce {
            if !self.listen.iter().any(|listen| listen.may_take(address)) {
                notes.push(format!(
                    "{address} is announced, and the node does not listen for such calls: \
                     transport.listen has no address of that kind"
                ));
            }
            match address.reach() {
                Reach::Anywhere => {}
                Reach::PrivateNetwork => notes.push(format!(
                    "{address} is announced, and can be called from the same private network only"
                )),
                Reach::ThisMachine => notes.push(format!(
                    "{address} is announced, and can be called from this machine only"
                )),
            }
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    fn read(transport: &str) -> Result<Config, ConfigError> {
        Config::parse(&format!("[transport]\n{transport}"), |_| None)
    }

    #[test]
    fn an_address_that_cannot_be_used_is_refused_where_it_stands() {
        let peer = "00".repeat(38);
        let wrong_peer = format!("peers.{peer} = [\"/ip4/203.0.113.7/tcp/7400\"]");
        let nine = format!("announce = [{}]", "\"/ip4/203.0.113.7/tcp/1\", ".repeat(9));
        for (text, said) in [
            ("listen = [\"/dns4/localhost/tcp/7400\"]", "a name cannot be listened at"),
            ("listen = [\"/ip4/0.0.0.0/tcp/1\", \"/ip4/0.0.0.0/tcp/1\"]", "stands there twice"),
            ("announce = [\"/ip4/203.0.113.7\"]", "it has no port"),
            ("announce = [\"/ip4/203.0.113.7/tcp/7400/ws\"]", "/ws is not spoken here"),
            ("announce = [\"/ip4/0.0.0.0/tcp/7400\"]", "means all addresses of a machine"),
            (&nine, "stands there twice"),
            (&wrong_peer, "is no peer: it is the \"peer\" of the member's card"),
            ("peers.anna = []", "is no peer"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("line 2"), "{text}: {error}");
            assert!(!error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn what_keeps_others_from_calling_a_node_is_said_and_keeps_it_from_nothing() {
        for (text, said) in [
            ("", &["no address is announced"][..]),
            ("announce = [\"/ip4/203.0.113.7/tcp/7400\"]", &[]),
            ("announce = [\"/dns/anna.example/udp/7400/quic-v1\"]", &[]),
            ("announce = [\"/ip6/2001:db8::7/tcp/7400\"]", &["does not listen for such calls"]),
            (
                "listen = [\"/ip4/0.0.0.0/tcp/1\"]\nannounce = [\"/dns/a.example/udp/1/quic-v1\"]",
                &["does not listen for such calls"],
            ),
            ("announce = [\"/ip4/10.0.0.1/tcp/7400\"]", &["same private network only"]),
            ("announce = [\"/ip4/127.0.0.1/tcp/7400\"]", &["this machine only"]),
            (
                "announce = [\"/ip6/::1/tcp/7400\"]",
                &["does not listen for such calls", "this machine only"],
            ),
        ] {
            let notes = read(text).unwrap().transport.notes();
            assert_eq!(notes.len(), said.len(), "{text}: {notes:?}");
            for (note, said) in notes.iter().zip(said) {
                assert!(note.contains(said), "{text}: {note}");
            }
        }
    }
}
