use std::{collections::BTreeSet, sync::Arc};

use bitcoin::{Amount, Network, NetworkKind, hashes::Hash as _};
use roastery_bitcoin::{
    policy::{RuleError, SpendPolicy},
    psbt,
    spend::{Mismatch, Payee, Signing, Spend, SpendRequestError, Warning},
    wallet::{Wallet, WalletError},
};
use roastery_protocol::{
    SessionId,
    group::Group,
    request::{SigningRequest, Subject},
};
use roastery_store::{Coin, Examination, KeptRequest, Spending};
use roastery_wallet::{LiveView, View};
use thiserror::Error;

use super::{Caps, refusal::Refusal};
use crate::config::{PolicyConfig, ProofApproval, SubjectKind};

/// The rules of one group at this node.
#[derive(Debug)]
pub struct PolicyEngine {
    config: PolicyConfig,
    wallet: Wallet,
    transactions: SpendPolicy,
    /// What the node's chain source knows of the wallet, if it has one.
    chain: Option<Arc<LiveView>>,
    /// How many PSBTs were parsed.
    #[cfg(test)]
    reads: std::sync::atomic::AtomicUsize,
}

/// What a group's configuration says of its wallet.
#[derive(Clone, Copy, Debug, Default)]
pub struct WalletSettings<'a> {
    /// Further scripts that may spend from it.
    pub scripts: Option<&'a str>,
    /// How many addresses of each branch are searched, if not as many as usual.
    pub search_depth: Option<u32>,
}

/// Why the rules cannot be applied.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The scripts of the wallet, or the depth of its search, are invalid.
    #[error("scripts and search_depth: {0}")]
    Wallet(#[from] WalletError),
    /// The rules for transactions are invalid.
    #[error("policy.transactions: {0}")]
    Rules(#[from] RuleError),
}

/// A request that was examined: it is sound, and its subject is what it signs. It carries what was
/// found, so that nothing is parsed or computed again. Rules and limits have not been applied.
#[derive(Clone, Debug)]
pub struct Examined {
    about: Examination,
    life: u64,
    /// The transaction with its messages and warnings.
    spend: Option<Arc<Spend>>,
    spending: Spending,
    by_hand: bool,
    equivalents: Arc<[[u8; 32]]>,
    /// All requests of a transaction that is signed in several sessions; none if it is one.
    parts: Arc<[SigningRequest]>,
    counted_as: SessionId,
}

impl Examined {
    /// The requests that sign one transaction together with this one, each in its own session, in
    /// the order of their signatures, this one among them; none if this one signs all of it.
    pub fn parts(&self) -> &[SigningRequest] {
        &self.parts
    }

    /// The session under which limits count it: the first of its parts, so that a transaction
    /// counts once in however many sessions it is signed.
    pub fn counted_as(&self) -> SessionId {
        self.counted_as
    }

    /// Whether only the operator approves it: a proof of funds, if the rules do not say otherwise.
    pub fn is_by_hand(&self) -> bool {
        self.by_hand
    }

    /// Other messages by which the same is signed, of all parts of its transaction.
    pub fn equivalents(&self) -> &[[u8; 32]] {
        &self.equivalents
    }

    /// What it spends, with the messages and the warnings, if it is a transaction.
    pub fn spend(&self) -> Option<&Arc<Spend>> {
        self.spend.as_ref()
    }

    /// The amount and the coins that it spends from the group's wallet.
    pub fn spending(&self) -> &Spending {
        &self.spending
    }

    /// The examination, which a decision about this request refers to.
    pub fn about(&self) -> Examination {
        self.about
    }
}

/// What limits count of a transaction: the most that may leave the group, and the coins that are
/// recognised as its own. A proof of funds spends nothing.
fn spending_of(spend: &Spend) -> Spending {
    if spend.proof().is_some() {
        return Spending::default();
    }
    let ours = spend.inputs().iter().filter(|input| input.signing != Signing::NotOurs);
    let coins: BTreeSet<Coin> = ours
        .map(|input| Coin {
            transaction: input.outpoint.txid.to_byte_array(),
            output: input.outpoint.vout,
        })
        .collect();
    Spending { amount: spend.may_leave_the_group().to_sat(), coins: coins.into_iter().collect() }
}

/// The findings of an examination, as bytes: the amounts, which outputs pay the group's own wallet,
/// and what the chain source knows otherwise.
fn found(spend: &Spend, spending: &Spending) -> Vec<u8> {
    let own = spend.outputs().iter().map(|output| matches!(output.payee, Payee::Wallet(_)));
    let coins = spending.coins.iter();
    let coins = coins.flat_map(|coin| [&coin.transaction[..], &coin.output.to_le_bytes()].concat());
    let amount = spending.amount.to_le_bytes();
    // That a source is silent changes nothing that was found.
    let found = |warning: &&Warning| warning.is_about_chain() && **warning != Warning::ChainNotRead;
    let known = spend.warnings().iter().filter(found);
    // Each is one line.
    let known = known.flat_map(|warning| format!("{warning}\n").into_bytes());
    amount.into_iter().chain(own.map(u8::from)).chain(coins).chain(known).collect()
}

impl PolicyEngine {
    /// The rules of this configuration, for this group.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] says which part of the configuration cannot be applied.
    pub fn new(
        config: PolicyConfig,
        group: Arc<Group>,
        settings: WalletSettings<'_>,
        network: Network,
    ) -> Result<Self, PolicyError> {
        let wallet = match settings.scripts {
            None => Wallet::new(group)?,
            Some(tree) => Wallet::with_scripts(group, tree)?,
        };
        wallet.check_network(NetworkKind::from(network))?;
        let wallet = match settings.search_depth {
            None => wallet,
            Some(depth) => wallet.searching(depth)?,
        };
        let transactions = config.transactions.clone().check(network, config.review())?;
        Ok(Self {
            config,
            wallet,
            transactions,
            chain: None,
            #[cfg(test)]
            reads: Default::default(),
        })
    }

    /// The same rules, with warnings about what a chain source knows otherwise.
    pub fn beside(self, chain: Arc<LiveView>) -> Self {
        Self { chain: Some(chain), ..self }
    }

    /// What the node's chain source shows of the wallet now, if it has one.
    pub(crate) fn chain(&self) -> Option<Arc<View>> {
        self.chain.as_ref().map(|chain| chain.now())
    }

    /// Whether a payment is refused that was made before.
    pub(crate) fn pays_once(&self) -> bool {
        self.transactions.pays_once()
    }

    /// The configuration.
    pub fn config(&self) -> &PolicyConfig {
        &self.config
    }

    /// The group's wallet.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// The network of the group's addresses.
    pub fn network(&self) -> Network {
        self.transactions.network()
    }

    /// How many PSBTs were parsed.
    #[cfg(test)]
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Reads a PSBT with the group's keys. A hostile one takes some seconds: must not be called in
    /// an async task.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoTransaction`].
    pub fn read(&self, bytes: &[u8]) -> Result<Spend, Refusal> {
        #[cfg(test)]
        self.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let psbt = psbt::read(bytes).map_err(Refusal::NoTransaction)?;
        let spend = Spend::of(psbt, &self.wallet);
        Ok(match &self.chain {
            None => spend,
            Some(chain) => spend.beside(&*chain.now()),
        })
    }

    /// Examines a request: whether this node signs its kind, and whether its messages are those of
    /// its subject. Hashes and keys are computed here, from the subject and the group file: a text
    /// is made the message of BIP-322. `spend` is the subject's transaction, if it was
    /// [read](Self::read) already. Must not be called in an async task.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn examine(
        &self,
        kept: &KeptRequest,
        spend: Option<Arc<Spend>>,
    ) -> Result<Examined, Refusal> {
        let KeptRequest { request, subject, since, .. } = kept;
        let kind = SubjectKind::of(subject);
        let signs = |kind| self.config.kinds.contains(&kind);
        // A proof of funds is a text, and is known as one when it is read.
        let may_be_signed =
            signs(kind) || kind == SubjectKind::Transaction && signs(SubjectKind::Text);
        if !may_be_signed {
            return Err(Refusal::Kind { kind: subject.kind() });
        }
        subject.check(request)?;
        let (mut parts, mut equivalents) = (Vec::new(), Vec::new());
        let spend = match subject {
            Subject::Transaction(bytes) => {
                let spend = match spend {
                    Some(spend) => spend,
                    None => Arc::new(self.read(bytes)?),
                };
                let (kind, name) = match spend.proof() {
                    Some(_) => (SubjectKind::Text, "proof of funds"),
                    None => (SubjectKind::Transaction, subject.kind()),
                };
                if !signs(kind) {
                    return Err(Refusal::Kind { kind: name });
                }
                if spend.check(request)?.of > 1 {
                    parts = self.parts_of(&spend, request)?;
                }
                equivalents = spend.equivalents().map_err(Mismatch::from)?;
                Some(spend)
            }
            Subject::Text(text) => {
                self.wallet.check_text(request, text)?;
                None
            }
            Subject::Hash => None,
        };
        let life = request.expiry().saturating_sub(*since);
        let spending = spend.as_deref().map(spending_of).unwrap_or_default();
        let found = spend.as_deref().map(|spend| found(spend, &spending)).unwrap_or_default();
        let about = Examination::new(request, subject, &found);
        let by_hand = spend.as_deref().is_some_and(|spend| self.is_by_hand(spend));
        let counted_as = parts.first().unwrap_or(request).session_id();
        let (parts, equivalents) = (parts.into(), equivalents.into());
        Ok(Examined { about, life, spend, spending, by_hand, equivalents, parts, counted_as })
    }

    /// All requests that sign a transaction, from one of them.
    ///
    /// # Errors
    ///
    /// [`Refusal::Mismatch`] if nothing of it can be signed.
    pub fn parts_of(
        &self,
        spend: &Spend,
        request: &SigningRequest,
    ) -> Result<Vec<SigningRequest>, Refusal> {
        spend.requests(*request.id(), request.expiry()).map_err(|error| match error {
            SpendRequestError::CannotSign(error) => Mismatch::from(error).into(),
            // Of what is signed requests can be made.
            _ => Refusal::Unavailable,
        })
    }

    fn is_by_hand(&self, spend: &Spend) -> bool {
        spend.proof().is_some() && self.config.proofs_of_funds == ProofApproval::ByHand
    }

    /// Applies the rules that concern this request alone. The limits within a time are those of a
    /// [`Ledger`](super::Ledger).
    ///
    /// # Errors
    ///
    /// [`Refusal`] names the first rule that does not hold.
    pub fn allow(&self, examined: &Examined) -> Result<(), Refusal> {
        let (seconds, most) = (examined.life, self.config.longest_life_seconds);
        if seconds > most {
            return Err(Refusal::Life { seconds, most });
        }
        if let Some(spend) = &examined.spend {
            self.transactions.evaluate(spend, Amount::ZERO)?;
        }
        Ok(())
    }

    /// The limits within a time.
    pub fn caps(&self) -> Caps {
        Caps {
            most_per_hour: Some(self.config.most_per_hour).filter(|most| *most != 0),
            most_per_day: self.config.transactions.most_per_day,
        }
    }
}
