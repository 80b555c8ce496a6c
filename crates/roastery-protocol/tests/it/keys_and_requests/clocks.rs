//! Row 61: the end of a request's life.

use std::time::Duration;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn the_deadline_is_the_expiry_itself_and_not_a_fraction_of_a_second_later() {
    let mut fixture = Fixture::new(2, 2);
    fixture.now.wall += Duration::from_millis(700);
    let expiry = fixture.now.monotonic + HOUR - Duration::from_millis(700);
    assert_eq!(fixture.request(1).expires_at(), expiry);
}
