//! What happens while the demo runs: texts that are signed by themselves, and payments that wait
//! for the user.

use std::{convert::Infallible, time::Duration};

use anyhow::Context as _;
use roastery_bitcoin::wallet::Wallet;
use roastery_protocol::{
    Seat, SessionId, election,
    group::Group,
    request::{Proposal, SigningRequest, Subject},
};
use roastery_service::{
    api::{Client, ClientError},
    view::{Evidence, Propose, Request, State},
};

use super::{
    members::{GROUP, Members},
    payment::payment,
};
use crate::{
    output::remark,
    when::{Clock, now},
};

/// The pause between two texts, and after a payment has ended.
const PAUSE: Duration = Duration::from_secs(15);

/// How long the silent coordinator is silent.
const SILENCE: Duration = Duration::from_secs(4);

/// How long a request may take to a member, and a signature.
const PATIENCE: Duration = Duration::from_secs(30);

/// The life of a request, in seconds.
const LIFE: u64 = 600;

/// The path of the wallet's first address, as which texts are signed.
const FIRST: [u32; 2] = [0, 0];

pub(super) struct Story {
    members: Members,
    wallet: Wallet,
}

impl Story {
    pub(super) fn new(members: Members) -> anyhow::Result<Self> {
        let wallet = Wallet::new(members.group.clone())?;
        Ok(Self { members, wallet })
    }

    /// Plays until it is dropped, or something fails that should not.
    pub(super) async fn play(&self) -> anyhow::Result<Infallible> {
        tokio::try_join!(self.texts(), self.payments()).map(|(never, _)| never)
    }

    /// Every third text is proposed by the member that goes silent, the first of them as well.
    async fn texts(&self) -> anyhow::Result<Infallible> {
        for number in 1_u64.. {
            let text = format!("Text {number} of the demo");
            let silent = number % 3 == 1;
            let session = if silent {
                self.of_silent_coordinator(&text).await?.to_string()
            } else {
                let what = Propose { text: Some(text), path: "0/0".into(), ..Propose::default() };
                propose(&self.members.cleo.client, what).await?.session
            };
            if silent {
                tell("dora proposes a text, coordinates it, and goes silent");
            } else {
                tell("cleo proposes a text");
            }
            let ended = self.approved_for_anna(&session).await?;
            self.tell_end(&ended);
            if number == 1 {
                self.tell_proofs().await?;
            }
            tokio::time::sleep(PAUSE).await;
        }
        unreachable!("there is always another number")
    }

    /// A text for which a member coordinates that goes silent. The next one in the order is the
    /// node that is shown: its page has the packages, and what it proves.
    async fn of_silent_coordinator(&self, text: &str) -> anyhow::Result<SessionId> {
        let (group, dora) = (&self.members.group, &self.members.dora);
        let message = self.wallet.text_message(&FIRST, text)?;
        let request = loop {
            let mut id = [0; 32];
            getrandom::fill(&mut id)?;
            let expiry = dora.now() + LIFE;
            let request = SigningRequest::new(group.id(), id, expiry, vec![message.clone()])?;
            if self.is_followed_by_anna(group, &request) {
                break request;
            }
        };
        let session = request.session_id();
        let proposal = Proposal { request, subject: Subject::Text(text.to_owned()) };
        dora.propose_and_fall_silent(proposal, SILENCE).await?;
        Ok(session)
    }

    fn is_followed_by_anna(&self, group: &Group, request: &SigningRequest) -> bool {
        let order = election::Order::of(request.session_id(), group.seats()).into_seats();
        let mut names = order.iter().filter_map(|seat| {
            let peer = &group.member(*seat)?.peer;
            self.members.names.get(peer).map(String::as_str)
        });
        names.find(|name| *name != "dora").is_some_and(|name| name == "anna")
    }

    /// Approves a text at anna's node, as it is shown there, and waits for its end.
    async fn approved_for_anna(&self, session: &str) -> anyhow::Result<Request> {
        let client = &self.members.anna.client;
        let seen = shown(client, session).await?.seen.context("no hash of what is shown")?;
        let path = format!("/v1/requests/{session}/approve?seen={seen}");
        match client.post::<Request>(&path, &()).await {
            // The others were quicker.
            Ok(_) | Err(ClientError::Problem(_)) => {}
            Err(error) => return Err(error.into()),
        }
        ended(client, session, PATIENCE).await
    }

    fn tell_end(&self, request: &Request) {
        let signers = request.signers.iter().flatten().filter_map(|seat| {
            let seat = Seat::new(u32::from(*seat)).ok()?;
            self.members.names.get(&self.members.group.member(seat)?.peer).cloned()
        });
        let signers: Vec<String> = signers.collect();
        let by =
            if signers.is_empty() { String::new() } else { format!(" by {}", signers.join(", ")) };
        tell(&format!("{} is {}{by}", &request.session[..8], request.state));
    }

    async fn tell_proofs(&self) -> anyhow::Result<()> {
        let proofs: Vec<Evidence> = self.members.anna.client.get("/v1/evidence").await?;
        for proof in proofs {
            tell(&format!("a proof against {}: {}", proof.name, proof.fault));
        }
        Ok(())
    }

    /// One payment after the other, each until the user has decided or it has expired.
    async fn payments(&self) -> anyhow::Result<Infallible> {
        for number in 0.. {
            let psbt = payment(&self.wallet, number)?.to_string();
            let what = Propose { psbt: Some(psbt), expires_in: Some(LIFE), ..Propose::default() };
            let request = propose(&self.members.bert.client, what).await?;
            tell(&format!("bert proposes a payment, {}: it waits for you", &request.session[..8]));
            let anna = &self.members.anna.client;
            shown(anna, &request.session).await?;
            let ended = ended(anna, &request.session, Duration::from_secs(LIFE + 60)).await?;
            self.tell_end(&ended);
            tokio::time::sleep(PAUSE).await;
        }
        unreachable!("there is always another number")
    }
}

async fn propose(client: &Client, what: Propose) -> anyhow::Result<Request> {
    Ok(client.post(&format!("/v1/groups/{GROUP}/requests"), &what).await?)
}

/// A request as a node shows it, once it is there.
async fn shown(client: &Client, session: &str) -> anyhow::Result<Request> {
    let path = format!("/v1/requests/{session}");
    let come = async {
        loop {
            match client.get(&path).await {
                Ok(request) => return Ok(request),
                Err(ClientError::Problem(_)) => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    tokio::time::timeout(PATIENCE, come).await?
}

/// A request at a node once it has ended there, or the time is over.
async fn ended(client: &Client, session: &str, time: Duration) -> anyhow::Result<Request> {
    let until = tokio::time::Instant::now() + time;
    let path = format!("/v1/requests/{session}?wait=2");
    loop {
        let request: Request = client.get(&path).await?;
        let open = matches!(request.state, State::Proposed | State::Approved);
        if !open || tokio::time::Instant::now() >= until {
            return Ok(request);
        }
    }
}

/// A line with the time.
fn tell(line: &str) {
    remark(&format!("{}  {line}", Clock::system().at(now())));
}
