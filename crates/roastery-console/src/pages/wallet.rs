//! The wallet of a group, as the chain source shows it.

use maud::{Markup, html};
use roastery_service::{
    api::{Client, ClientError},
    view::{ProblemCode, Status, Wallet as WalletView, WalletAddress, WalletEntry},
    words::{Clock, btc},
};

use super::{
    empty,
    entry::{gain, what},
    foreign, fours, pill, propose,
    qr::qr,
    time,
};

/// The transactions of one page.
const MOST: usize = 100;

/// What the page needs beside its frame.
#[derive(Clone, Debug)]
pub(super) struct Wallet {
    /// The id of the group.
    pub(super) group: String,
    /// The name of the group, where it is known.
    pub(super) name: String,
    /// What the chain source shows; absent without one.
    pub(super) known: Option<Known>,
}

#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) wallet: WalletView,
    pub(super) address: Option<WalletAddress>,
    pub(super) history: Vec<WalletEntry>,
}

pub(super) async fn load(
    client: &Client,
    id: &str,
    status: &Status,
) -> Result<Wallet, ClientError> {
    let group = status.groups.iter().find(|group| group.id == id);
    let name = group.map_or_else(String::new, |group| group.name.clone());
    let path = format!("/v1/wallets/{id}");
    let wallet: WalletView = match client.get(&path).await {
        Ok(wallet) => wallet,
        Err(ClientError::Problem(problem)) if problem.code == ProblemCode::NotReady => {
            return Ok(Wallet { group: id.to_owned(), name, known: None });
        }
        Err(error) => return Err(error),
    };
    let address = match client.post(&format!("{path}/addresses"), &()).await {
        Ok(address) => Some(address),
        // The balance is worth showing without one.
        Err(ClientError::Problem(_)) => None,
        Err(error) => return Err(error),
    };
    let history = client.get(&format!("{path}/history?limit={MOST}")).await?;
    let known = Some(Known { wallet, address, history });
    Ok(Wallet { group: id.to_owned(), name, known })
}

impl Wallet {
    pub(super) fn page(&self, clock: &Clock) -> Markup {
        html! {
            h1 tabindex="-1" { "Wallet of " (foreign(&self.name)) }
            @match &self.known {
                Some(known) => (known.page(&self.group, clock)),
                None => {
                    div.card {
                        (empty("This node has no chain source, so its coins are not known. Set one in the section [wallet] of roastery.toml. Without one, a wallet that has the descriptor shows them:", Some("roastery wallet --group FILE")))
                    }
                }
            }
            (propose::psbt(&self.group))
        }
    }
}

impl Known {
    fn page(&self, group: &str, clock: &Clock) -> Markup {
        let Self { wallet, address, history } = self;
        html! {
            p.about {
                span.big.amount { (btc(wallet.confirmed)) " BTC" } " "
                span.quiet { "confirmed, on " (foreign(&wallet.network)) }
            }
            div.columns {
                section.card aria-labelledby="balance" {
                    h2 #balance { "Balance" }
                    dl {
                        dt { "Confirmed" } dd.amount { (btc(wallet.confirmed)) }
                        dt { "Change on its way" } dd.amount { (btc(wallet.change)) }
                        dt { "Coming from others" } dd.amount { (btc(wallet.incoming)) }
                        @if wallet.immature > 0 { dt { "From mining, too young" } dd.amount { (btc(wallet.immature)) } }
                        dt { "Coins" } dd { (wallet.coins.len()) }
                        dt { "Source" } dd {
                            (foreign(&wallet.source.kind))
                            @match (&wallet.source.problem, wallet.source.answered) {
                                (Some(problem), _) => { ": " (pill("bad", "stop")) " " (foreign(problem)) },
                                (None, Some(at)) => { ", read " (time(at, clock)) },
                                (None, None) => ", not read yet",
                            }
                        }
                        dt { "Height" } dd { (wallet.height.map_or("–".to_owned(), |height| height.to_string())) }
                    }
                    @if !wallet.whole { p { (pill("careful", "look")) " The source was not read to its end yet." } }
                }
                @if let Some(address) = address {
                    section.card aria-labelledby="receive" {
                        h2 #receive { "To be paid" }
                        div.address {
                            (qr(&address.address))
                            div {
                                p { (fours(&address.address)) }
                                p.quiet { "Unused, " (foreign(&address.path)) ". Compare it with another member's screen before it is used." }
                            }
                        }
                    }
                }
            }
            (propose::pay(group))
            (propose::bumps(group, history))
            section.card aria-labelledby="history" {
                h2 #history { "History" }
                @if history.is_empty() { (empty("Nothing was paid to or from this wallet yet.", None)) }
                @else { (table(history, clock)) }
            }
        }
    }
}

fn table(history: &[WalletEntry], clock: &Clock) -> Markup {
    html! {
        table.cards {
            caption.hidden { "The transactions, the latest first" }
            thead { tr { th scope="col" { "When" } th scope="col" { "What" } th.number scope="col" { "BTC" } } }
            tbody {
                @for entry in history {
                    @let (gained, size) = gain(entry);
                    tr {
                        th scope="row" {
                            @match entry.time { Some(at) => (time(at, clock)), None => "–" }
                            @if entry.height.is_none() { " " (pill("careful", "in no block")) }
                        }
                        td data-label="What" { span { (what(entry, gained)) } }
                        td.number data-label="BTC" { @if gained < 0 { "−" } @else { "+" } (size) }
                    }
                }
            }
        }
    }
}
