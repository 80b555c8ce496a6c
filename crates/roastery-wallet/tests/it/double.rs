//! The wallet of a group that signs here, and sources of a chain in this process.

use std::time::Duration;

use bitcoin::{Network, ScriptBuf};
use roastery_bitcoin::wallet::{Branch, Wallet};
use roastery_testkit::{chain::Double, payments::TestGroup};
use roastery_wallet::{ChainWallet, Login, Patience, Source, SourceError, SourceSettings};

pub fn bitcoind(double: &Double) -> Source {
    let login = Login::File(double.cookie().to_owned());
    let url = format!("http://{}", double.address);
    source(SourceSettings::Bitcoind { url, login, start_height: 0 })
}

pub fn esplora(double: &Double) -> Source {
    source(SourceSettings::Esplora { url: format!("http://{}/api", double.address) })
}

pub fn source(settings: SourceSettings) -> Source {
    let patience = Patience { answer: Duration::from_secs(5), all: Duration::from_secs(20) };
    Source::new(settings, patience)
}

/// The wallet of a group that signs here, and the library's view of its coins.
pub struct Watched {
    pub group: TestGroup,
    pub wallet: Wallet,
    pub chain: ChainWallet,
    pub now: u64,
}

impl Watched {
    pub fn new() -> Self {
        Self::with(None)
    }

    pub fn with(scripts: Option<&str>) -> Self {
        let group = TestGroup::three_of_five();
        let wallet = match scripts {
            None => group.wallet(),
            Some(tree) => group.wallet_with(tree),
        };
        let chain = ChainWallet::open(descriptors(&wallet), Network::Regtest, None).unwrap();
        Self { group, wallet, chain, now: 1_900_000_000 }
    }

    pub fn script(&self, index: u32) -> ScriptBuf {
        self.wallet.script(Branch::Receive, index).unwrap()
    }

    /// Reads a source to its end.
    pub fn read(&mut self, source: &mut Source) -> Result<(), SourceError> {
        self.now += 60;
        source.begin();
        while let Some(found) = source.next(&self.chain.question(self.now))? {
            self.chain.take(found, self.now).unwrap();
        }
        Ok(())
    }
}

pub fn descriptors(wallet: &Wallet) -> [String; 2] {
    Branch::ALL.map(|branch| wallet.descriptor(branch, Network::Regtest.into()).unwrap())
}
