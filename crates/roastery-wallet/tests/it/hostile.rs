//! What a source may not do.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use roastery_testkit::{
    chain::Double,
    payments::{funding, pay},
};
use roastery_wallet::{Patience, Source, SourceError, SourceKind, SourceSettings};

use crate::double::{Watched, bitcoind, esplora, source};

#[test]
fn an_answer_that_is_nothing_of_the_kind_is_an_error_and_the_wallet_stays_as_it_is() {
    let deep = "[".repeat(100_000);
    let answers =
        ["", "null", "{}", "[]", "-1", "4294967296", "\u{1b}[2J", "{\"result\":1e999}", &deep];
    for answer in answers {
        for kind in [bitcoind, esplora] {
            let (double, mut watched) = (Double::start(), Watched::new());
            let before = watched.chain.view();
            double.chain().instead = Some(answer.as_bytes().to_vec());
            let error = watched.read(&mut kind(&double)).unwrap_err().to_string();
            assert!(!error.chars().any(char::is_control) && error.len() < 400, "{error}");
            assert_eq!(watched.chain.view(), before);
        }
    }
}

#[test]
fn a_block_and_a_transaction_that_are_not_those_asked_for_are_refused() {
    let (double, mut watched) = (Double::start(), Watched::new());
    double.chain().mine(vec![funding(1, vec![pay(5_000, watched.script(0))])]);
    watched.read(&mut bitcoind(&double)).unwrap();
    // The genesis block's text in place of everything: the count is no number then.
    let wrong = br#"{"result":"00","error":null}"#;
    double.chain().instead = Some(wrong.to_vec());
    let error = watched.read(&mut bitcoind(&double)).unwrap_err();
    assert!(matches!(error, SourceError::Answer(_)), "{error}");
}

/// A server that reads a request and then does this for ever.
fn serving(
    act: impl Fn(&mut std::net::TcpStream) -> std::io::Result<()> + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            while act(&mut stream).is_ok() {}
        }
    });
    address.to_string()
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let endless = |stream: &mut std::net::TcpStream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            stream.write_all(&[b'7'; 65_536])?;
        }
    };
    let mut watched = Watched::new();
    let url = format!("http://{}", serving(endless));
    let error = watched.read(&mut source(SourceSettings::Esplora { url })).unwrap_err();
    assert_eq!(error, SourceError::TooLong { most: 65_536 });
    let endless = |stream: &mut std::net::TcpStream| stream.write_all(&[b'7'; 65_536]);
    let url = format!("tcp://{}", serving(endless));
    let error = watched.read(&mut source(SourceSettings::Electrum { url })).unwrap_err();
    assert!(matches!(error, SourceError::Silent(_)), "{error}");
}

#[test]
fn a_source_that_never_answers_ends_within_its_time() {
    let silent = |_: &mut std::net::TcpStream| {
        thread::sleep(Duration::from_secs(60));
        Ok(())
    };
    let host = serving(silent);
    let patience = Patience { answer: Duration::from_millis(200), all: Duration::from_millis(300) };
    let esplora = SourceSettings::Esplora { url: format!("http://{host}") };
    let electrum = SourceSettings::Electrum { url: format!("tcp://{host}") };
    for settings in [esplora, electrum] {
        let (begun, mut watched) = (Instant::now(), Watched::new());
        let mut source = Source::new(settings, patience);
        assert!(watched.read(&mut source).is_err());
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_url_says_how_the_source_is_reached_and_has_no_password() {
    use SourceKind::{Bitcoind, Electrum, Esplora};
    let right = [
        (Bitcoind, "http://127.0.0.1:8332"),
        (Bitcoind, "http://[::1]:18443"),
        (Bitcoind, "http://localhost"),
        (Electrum, "ssl://electrum.example:50002"),
        (Electrum, "tcp://127.0.0.1:50001"),
        (Esplora, "https://esplora.example/api"),
    ];
    for (kind, url) in right {
        assert_eq!(SourceSettings::check_url(kind, url), Ok(()), "{url}");
    }
    let wrong = [
        (Bitcoind, "127.0.0.1:8332"),
        (Bitcoind, "https://127.0.0.1:8332"),
        (Bitcoind, "http://user:secret@127.0.0.1:8332"),
        (Bitcoind, "http://127.0.0.1:83321"),
        (Electrum, "ssl://electrum.example"),
        (Electrum, "ssl://electrum.example:50002/path"),
        (Electrum, "http://electrum.example:50002"),
        (Esplora, "ftp://esplora.example"),
        (Esplora, "https://"),
        (Esplora, "https://esplora.example/a b"),
        (Esplora, "https://esplora.example/?key=1"),
    ];
    for (kind, url) in wrong {
        let error = SourceSettings::check_url(kind, url).unwrap_err().to_string();
        assert!(error.contains("allowed is"), "{error}");
    }
}
