use std::time::Duration;

use roastery_node::bus::Mesh;
use roastery_testkit::nodes::*;
use tokio::time::{Instant, sleep};

/// The interval between two coordinators over a bus that measures no round trip.
const INTERVAL: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn whichever_n_minus_t_members_are_silent_the_others_sign_in_the_intervals_of_the_silent_coordinators()
 {
    let fixture = Fixture::new(3, 5);
    let mut id = 0;
    for first in 0..5 {
        for second in 0..first {
            id += 1;
            let request = fixture.request(id);
            let silent = [seat(first), seat(second)];
            let (mesh, nodes) = fixture.start_all(&fixture.all_but(&silent));
            // They have joined and send nothing.
            let _silent = fixture.join(&mesh, &silent);
            settle().await;
            let start = Instant::now();
            let sessions = sign_at(&nodes, &request).await;
            all_signed(&sessions, &request).await;

            let order = fixture.order(&request);
            let turns = order.iter().take_while(|seat| silent.contains(seat)).count();
            let expected = turns as u32 * INTERVAL;
            let took = start.elapsed();
            assert!((expected..expected + SECOND / 10).contains(&took), "{turns}: {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_comes_late_signs_with_the_others() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let late = fixture.coordinator(&request, 0);
    let (mesh, mut nodes) = fixture.start_all(&fixture.all_but(&[late]));
    let start = Instant::now();
    let mut sessions = sign_at(&nodes, &request).await;
    sleep(SECOND / 4).await;
    nodes.push(fixture.start(mesh.join(peer(late)).unwrap(), late));
    sessions.push(nodes.last().unwrap().sign(&request).await);
    let outcomes = all_signed(&sessions, &request).await;
    assert_eq!(outcomes[4].origin.as_ref().unwrap().coordinator, late);
    assert!(start.elapsed() < INTERVAL);
}

#[tokio::test(start_paused = true)]
async fn members_that_come_and_go_all_the_time_do_not_keep_the_others_from_signing() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let restless = [fixture.coordinator(&request, 1), fixture.coordinator(&request, 2)];
    let (mesh, nodes) = fixture.start_all(&fixture.all_but(&restless));
    let come_and_go = {
        let mesh: Mesh = mesh.clone();
        tokio::spawn(async move {
            for at in 0.. {
                let _bus = mesh.join(peer(restless[at % 2])).unwrap();
                settle().await;
            }
        })
    };
    settle().await;
    let start = Instant::now();
    let sessions = sign_at(&nodes, &request).await;
    all_signed(&sessions, &request).await;
    assert!(start.elapsed() < INTERVAL);
    come_and_go.abort();
}
