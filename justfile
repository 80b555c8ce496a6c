# `just` lists these; `just NAME` runs one. Without just: the line below each name is the command.

default:
    @just --list

# Everything that must hold before a change is taken.
ci:
    bash .ci/run

# All tests.
test:
    cargo test --workspace

# Formatting and lints.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

# A group of five that signs, in one process.
demo:
    cargo run --release -- demo

# The manual's commands, as CI runs them.
manual:
    cargo build --release -p roastery
    .ci/walkthrough

# Five nodes as processes under faults at random.
chaos seconds="600":
    ROASTERY_CHAOS_SECONDS={{seconds}} cargo test -p roastery --test chaos -- --ignored --nocapture

# Each fault that use and attack have found, and what is seen now.
findings:
    scripts/findings

# Random groups, networks and coalitions in virtual time.
simulate runs="300":
    cargo run --release -p roastery-sim -- campaign --runs {{runs}}
    cargo run --release -p roastery-sim -- ceremonies --runs 100

# One fuzz target, with nightly Rust and cargo-fuzz.
fuzz target seconds="60":
    cd fuzz && cargo +nightly fuzz run {{target}} -- -max_total_time={{seconds}}
