//! What every bus promises, on the one inside a process and on a channel of it.

use roastery_testkit::bus::{channels::Channels, kinds::InProcess};

mod mesh {
    roastery_testkit::bus_contract! { #[tokio::test] super::InProcess::default() }
}

mod channel {
    roastery_testkit::bus_contract! { #[tokio::test] super::Channels::default() }
}
