//! A real Electrum server between Core and the nodes, over TLS. `ELECTRUMX` names the program
//! `electrumx_server` of the Python package `e-x` (2.0.0, installed as `e-x[leveldb]`).

use std::{
    env,
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::{Core, both, pay_and_bump, pay_in, replace_last_block};
use crate::nodes::support::{Group, TestFolder, free_ports, fresh_folder, until};

/// A server that ends with the test.
struct Server {
    process: Child,
    folder: TestFolder,
    port: u16,
}

impl Server {
    /// Starts one that reads this Core; `None`, and a word, if there is no program.
    fn start(core: &Core) -> Option<Self> {
        let Some(program) = env::var_os("ELECTRUMX").map(PathBuf::from) else {
            eprintln!("skipped: ELECTRUMX does not name the program electrumx_server");
            return None;
        };
        let (folder, port) = (fresh_folder("electrumx"), free_ports(2));
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        fs::create_dir(folder.join("db")).unwrap();
        let cookie = fs::read_to_string(core.cookie()).unwrap();
        let process = Command::new(&program)
            .env("DB_ENGINE", "leveldb")
            .env("COIN", "Bitcoin")
            .env("NET", "regtest")
            .env("DB_DIRECTORY", folder.join("db"))
            .env("DAEMON_URL", format!("http://{}@127.0.0.1:{}", cookie.trim(), core.port))
            .env("SERVICES", format!("ssl://localhost:{port},rpc://localhost:{}", port + 1))
            .env("SSL_CERTFILE", &certificate)
            .env("SSL_KEYFILE", &key)
            .env("PEER_DISCOVERY", "off")
            .env("ALLOW_ROOT", "true")
            .stdout(File::create(folder.join("out")).unwrap())
            .stderr(File::create(folder.join("err")).unwrap())
            .spawn()
            .unwrap();
        Some(Self { process, folder, port })
    }

    fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start(server: &Server, certificates: &str) -> Group {
    let url = format!("ssl://localhost:{}", server.port);
    let source = [
        ("ROASTERY_BITCOIN_NETWORK", "regtest"),
        ("ROASTERY_WALLET_SOURCE", "electrum"),
        ("ROASTERY_WALLET_URL", &url),
        ("SSL_CERT_FILE", certificates),
    ];
    Group::start_with("electrum", 3, 2, &source)
}

#[test]
fn payments_and_bumps_go_through_an_electrum_server_whose_certificate_the_system_trusts() {
    let indexes = ["-txindex=1", "-txospenderindex=1", "-rest=1"].map(str::to_owned);
    let Some(core) = Core::start("core-electrum", &indexes) else { return };
    core.begin();
    let Some(server) = Server::start(&core) else { return };
    let certificate = server.certificate();
    let group = start(&server, certificate.to_str().unwrap());
    core.watch(&group);
    pay_in(&core, &group, &["0.5", "0.25"]);
    assert_eq!(both(&core, &group), (0, 75_000_000));
    core.mine(1);
    assert_eq!(both(&core, &group), (75_000_000, 0));

    let to = core.to(&["-rpcwallet=miner", "getnewaddress"]);
    pay_and_bump(&core, &group, &to);
    core.mine(1);
    let (after, pending) = both(&core, &group);
    assert_eq!(pending, 0);
    let history = group.tell(0, &["wallet", "history", "--json"]).json();
    assert_eq!(after, 75_000_000 - 30_000_000 - history[0]["fee"].as_u64().unwrap());

    // Its block is replaced by others that do not have it.
    replace_last_block(&core);
    let (confirmed, pending) = both(&core, &group);
    assert!(confirmed + pending == after && pending > 0, "{confirmed} {pending} {after}");

    // Without the authority nothing is read, and the status says why.
    group.stop(2);
    let url = format!("ssl://localhost:{}", server.port);
    let none = group.path("none.pem");
    fs::write(&none, "").unwrap();
    let source = [
        ("ROASTERY_BITCOIN_NETWORK", "regtest"),
        ("ROASTERY_WALLET_SOURCE", "electrum"),
        ("ROASTERY_WALLET_URL", &url),
        ("SSL_CERT_FILE", &none),
    ];
    group.restart(2, &source);
    until("the certificate is refused", || {
        let said = group.tell(2, &["wallet", "balance", "--json"]).json();
        said["source"]["problem"].as_str()?.contains("ertificate").then_some(())
    });
}
