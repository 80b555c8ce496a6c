use roastery_node::bus::Mesh;
use roastery_testkit::nodes::*;
use tokio::time::{Instant, sleep};

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
            let start = Instant::now();
            let sessions = sign_at(&nodes, &request).await;
            all_signed(&sessions, &request).await;

            let turns = (0..).take_while(|k| silent.contains(&fixture.coordinator(&request, *k)));
            let intervals = match turns.count() {
                0 => 0,
                1 => 1,
                _ => 2,
            };
            let expected = intervals * fixture.settings.interval;
            assert!((expected..expected + SECOND / 10).contains(&start.elapsed()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_is_disconnected_before_the_session_begins_costs_no_time() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let gone = fixture.coordinator(&request, 0);
    let (mesh, nodes) = fixture.start_all(&fixture.all_but(&[gone]));
    let bus = mesh.join(peer(gone)).unwrap();
    settle().await;
    drop(bus);
    settle().await;
    let start = Instant::now();
    let sessions = sign_at(&nodes, &request).await;
    let outcomes = all_signed(&sessions, &request).await;
    assert_eq!(start.elapsed().as_millis(), 0);
    assert_eq!(outcomes[0].origin.as_ref().unwrap().coordinator, fixture.coordinator(&request, 1));
}

#[tokio::test(start_paused = true)]
async fn when_a_silent_coordinator_is_disconnected_its_time_is_over() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let gone = fixture.coordinator(&request, 0);
    let (mesh, nodes) = fixture.start_all(&fixture.all_but(&[gone]));
    let bus = mesh.join(peer(gone)).unwrap();
    let start = Instant::now();
    let sessions = sign_at(&nodes, &request).await;
    sleep(SECOND).await;
    drop(bus);
    all_signed(&sessions, &request).await;
    assert_eq!(start.elapsed().as_millis(), SECOND.as_millis());
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_was_disconnected_and_is_back_has_its_time_again() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let back = fixture.coordinator(&request, 0);
    let (mesh, nodes) = fixture.start_all(&fixture.all_but(&[back]));
    let bus = mesh.join(peer(back)).unwrap();
    settle().await;
    drop(bus);
    settle().await;
    let _bus = mesh.join(peer(back)).unwrap();
    settle().await;
    let session = nodes[0].sign(&request).await;
    assert_eq!(session.report().await.unwrap().live_attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_was_never_there_yet_is_given_its_interval() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let late = fixture.coordinator(&request, 0);
    let (mesh, mut nodes) = fixture.start_all(&fixture.all_but(&[late]));
    let start = Instant::now();
    let mut sessions = sign_at(&nodes, &request).await;
    sleep(SECOND).await;
    nodes.push(fixture.start(mesh.join(peer(late)).unwrap(), late));
    sessions.push(nodes.last().unwrap().sign(&request).await);
    let outcomes = all_signed(&sessions, &request).await;
    assert_eq!(outcomes[0].origin.as_ref().unwrap().coordinator, late);
    assert!(start.elapsed() < fixture.settings.interval);
}

#[tokio::test(start_paused = true)]
async fn members_that_come_and_go_all_the_time_do_not_keep_the_others_from_signing() {
    let fixture = Fixture::new(3, 5);
    let request = fixture.request(1);
    let restless = [fixture.coordinator(&request, 0), fixture.coordinator(&request, 2)];
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
    assert!(start.elapsed() < fixture.settings.interval);
    come_and_go.abort();
}
