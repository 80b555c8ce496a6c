//! What every bus promises, on the one inside a process and on a line of it.

use roastery_testkit::bus::{kinds::InProcess, lines::Lines};

mod mesh {
    roastery_testkit::bus_contract! { #[tokio::test] super::InProcess::default() }
}

mod line {
    roastery_testkit::bus_contract! { #[tokio::test] super::Lines::default() }
}
