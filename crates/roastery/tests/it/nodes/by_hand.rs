//! Requests that people approve one after the other. The time that it takes is printed:
//!
//! ```console
//! $ cargo test --release -p roastery --test it by_hand -- --nocapture
//! ```

use std::time::{Duration, Instant};

use bitcoin::hex::FromHex as _;
use roastery_frost::Seat;
use roastery_protocol::{SessionId, election::Order};
use roastery_service::{
    api::Client,
    view::{Propose, Request, State},
};
use tokio::time::sleep;

use super::support::Group;

const SIZE: u16 = 5;

/// The number of requests.
const REQUESTS: usize = 20;

/// Any pause of the protocol that one waited for would be longer.
const BOUND: Duration = Duration::from_secs(2);

#[test]
fn three_approvals_in_a_row_are_signed_at_once_though_the_first_coordinators_approve_last() {
    let group = Group::start("by-hand", SIZE, 3);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut times: Vec<Duration> =
        (0..REQUESTS).map(|number| runtime.block_on(approve_in_a_row(&group, number))).collect();
    times.sort_unstable();
    let [half, worst] = [times[REQUESTS / 2], times[REQUESTS - 1]];
    println!(
        "signed {half:.1?} after the third approval (median of {REQUESTS}), at most {worst:.1?}"
    );
    assert!(worst < BOUND, "{times:?}");
}

/// How long after the third approval the request is signed at the nodes of all three.
async fn approve_in_a_row(group: &Group, number: usize) -> Duration {
    let client = |node: u16| Client::new(group.node(usize::from(node)).join("api.sock"));
    let proposer = number as u16 % SIZE;
    let what = Propose { text: Some(format!("request {number}")), ..Propose::default() };
    let proposed: Request =
        client(proposer).post("/v1/groups/local/requests", &what).await.unwrap();
    let path = format!("/v1/requests/{}", proposed.session);

    // A proposer's own approval is the first, and it comes first in the order of coordinators.
    let id = SessionId::from_bytes(<[u8; 32]>::from_hex(&proposed.session).unwrap());
    let seats = (0..u32::from(SIZE)).map(|seat| Seat::new(seat).unwrap());
    let order = Order::of(id, seats).into_seats();
    let mut others = order.into_iter().map(Seat::to_u16).filter(|seat| *seat != proposer);
    let (last, second) = (others.next().unwrap(), others.next().unwrap());
    for node in [second, last] {
        while client(node).get::<Request>(&path).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let approve = format!("{path}/approve");
    client(second).post::<Request>(&approve, &()).await.unwrap();
    let start = Instant::now();
    client(last).post::<Request>(&approve, &()).await.unwrap();
    for node in [last, second, proposer] {
        let request: Request = client(node).get(&format!("{path}?wait=30")).await.unwrap();
        assert_eq!(request.state, State::Signed, "{request:?}");
    }
    start.elapsed()
}
