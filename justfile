# `just` lists these; `just NAME` runs one. Without just: the lines below a name are the commands.

# What the tests build, and scripts try: it checks more than a release build does.
program := absolute_path(env("CARGO_TARGET_DIR", "target") / "debug/roastery")

default:
    @just --list

# Everything that must hold before a change is taken.
ci: lint dependencies test embedding features docs book package readme findings (chaos "60") manual api browser alerts namespaces nat founding screens simulate refusals

# Formatting, lints, and what a compiler does not look at.
lint:
    scripts/timed cargo fmt --all --check
    scripts/timed cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
    scripts/timed scripts/adversaries
    scripts/timed scripts/comments
    scripts/timed scripts/circles
    scripts/timed scripts/links
    scripts/timed crates/roastery-frost/tests/vectors/change/generate.py --check
    scripts/timed scripts/mutations

# Licences, banned crates and sources of all dependencies, dependencies that nothing uses, and
# changes of the API since the last release, where the tools for it are installed.
dependencies:
    if command -v cargo-deny >/dev/null; then scripts/timed cargo deny check licenses bans sources; else echo "skipped: no cargo-deny (cargo install --locked cargo-deny)"; fi
    if command -v cargo-machete >/dev/null; then scripts/timed cargo machete --with-metadata; else echo "skipped: no cargo-machete (cargo install --locked cargo-machete)"; fi
    if [ -z "$(git tag --list 'v*')" ]; then echo "skipped: no release yet"; elif command -v cargo-semver-checks >/dev/null; then scripts/timed cargo semver-checks --workspace --exclude roastery-testkit --baseline-rev "$(git describe --tags --abbrev=0 --match 'v*')"; else echo "skipped: no cargo-semver-checks (cargo install --locked cargo-semver-checks)"; fi

# All tests: the README's test command.
test:
    scripts/timed cargo test --workspace

# The program of the tests.
[private]
program:
    @cargo test --workspace --no-run --quiet

# A program with a bus, a journal and an engine of its own; the tests have built it.
embedding:
    scripts/timed "${CARGO_TARGET_DIR:-target}/debug/examples/embedding"

# The protocol without the features that tests turn on, and the command without its view.
features:
    scripts/timed cargo check -p roastery-protocol --locked
    scripts/timed cargo check -p roastery --no-default-features --locked

# The documentation of all crates.
docs:
    RUSTDOCFLAGS="-D warnings" scripts/timed cargo doc --workspace --all-features --no-deps --locked

# The documents as a book in target/book, where mdbook is installed.
book:
    scripts/timed scripts/links
    if command -v mdbook >/dev/null; then scripts/timed mdbook build; else echo "skipped: no mdbook (cargo install --locked mdbook)"; fi

# What each crate would be published as.
package:
    scripts/timed cargo package --workspace --no-verify --allow-dirty --quiet

# The tests with a real Bitcoin Core, which BITCOIND names (scripts/bitcoin-core builds one), and
# with a real Electrum server, which ELECTRUMX names (pip install "e-x[leveldb]"); not part of ci.
bitcoin-core:
    if [ -n "${BITCOIND:-}" ]; then scripts/timed cargo test -p roastery --test it nodes::bitcoin_core; else echo "skipped: BITCOIND names no bitcoind (scripts/bitcoin-core FOLDER builds one)"; fi

# 4,000 changes of PSBTs of all kinds: what each takes of time and memory. Needs Linux. Not part of
# ci, which plays some hundreds.
psbt-mutations:
    scripts/timed cargo test -p roastery-bitcoin --test it four_thousand -- --ignored --nocapture

# Signatures of texts in other programs, and theirs here; needs Python 3.11, Node 20 with npm, PyPI
# and npm's registry, and a minute. Not part of ci.
bip322:
    cargo build --release
    scripts/timed scripts/bip322

# Payments by five libraries, which make the PSBTs and take them back; needs Python 3.11, Node 20
# with npm, PyPI and npm's registry, and some ten minutes. Not part of ci.
wallet-libraries:
    cargo build --release
    scripts/timed scripts/wallet-libraries

# The Debian package: made, looked at by lintian, installed, used, upgraded, removed and purged in
# a fresh Debian. Needs root, cargo-deb, cargo-cyclonedx, lintian, debootstrap and a Debian mirror;
# not part of ci.
debian:
    cargo build --profile dist --package roastery
    scripts/timed scripts/debian

# What is compiled into the program, with versions and licences, as CycloneDX.
sbom:
    scripts/sbom "${CARGO_TARGET_DIR:-target}/roastery.cdx.json"

# A group of five that signs, in one process.
demo:
    cargo run -- demo

# The README's commands.
readme:
    scripts/readme

# Each fault that use and attack have found, and what is seen now.
findings:
    scripts/timed scripts/findings

# Five nodes as processes under faults at random.
chaos seconds="600":
    ROASTERY_CHAOS_SECONDS={{seconds}} scripts/timed cargo test --workspace --test it chaos -- --ignored --nocapture

# A thousand events for a server that is down, and for one that never answers: the figures of a
# test that all tests include.
notifications:
    scripts/timed cargo test --workspace --test it -- --nocapture of_a_thousand_events

# Epochs of nodes as processes: killed at random, and at each step at which one stores something.
epochs:
    scripts/timed cargo test --workspace --test it -- --ignored --nocapture five_epochs killed_at_any_stored

# The manual's commands.
manual: program
    scripts/timed scripts/walkthrough {{program}}

# The API, asked by its own description.
api: program
    scripts/timed scripts/schemathesis {{program}}

# The console in a real Chromium, where it is installed; pictures in target/browser.
browser: program
    ROASTERY={{program}} scripts/timed scripts/browser

# The pictures in docs/console.md, made anew by the suite above.
pictures: program
    -ROASTERY={{program}} scripts/timed scripts/browser
    cp "${CARGO_TARGET_DIR:-target}"/browser/console-*.webp docs/pictures/

# The alert rules and the dashboard, with a real Prometheus where it is installed.
alerts: program
    scripts/timed scripts/prometheus {{program}}

# Five nodes with addresses of their own: cut off, and over a bad network.
namespaces: program
    scripts/timed scripts/namespaces {{program}}

# Members behind routers, addresses that change, and IPv6 alone.
nat: program
    scripts/timed scripts/nat {{program}}

# Three people found groups at terminals: what they type, kills in each state of a pairing, and a
# machine that is lost.
founding: program
    cargo build --workspace --example altered_kits --locked
    scripts/timed scripts/founding {{program}}

# Each of three nodes killed in each state of a pairing, and without a network for so many seconds
# while words are compared; some minutes beside those. Not part of ci, which kills some.
founding-kills seconds="300": program
    scripts/timed scripts/founding --each-state {{seconds}} {{program}}

# A hundred rejections while the approval of a heavy payment is under way: half an hour. Not part of
# ci, which plays two.
rejections: program
    scripts/timed cargo test --workspace --test it -- --ignored --nocapture a_hundred_rejections

# The screens of docs/screens.md, at terminals of tmux where it is installed.
screens: program
    scripts/timed scripts/screens {{program}}

# Random groups, networks and coalitions in virtual time.
simulate runs="500":
    scripts/timed cargo run --release -p roastery-sim -- campaign --runs {{runs}}
    scripts/timed cargo run --release -p roastery-sim -- keygen --runs 100
    scripts/timed cargo run --release -p roastery-sim -- change --runs 100
    scripts/timed cargo run --release -p roastery-sim -- pairing --runs 200
    for cheat in roster chat stolen-line altered-card grinding breaking-off; do scripts/timed cargo run --release -p roastery-sim -- pairing --runs 200 --cheat $cheat; done

# Bad input to the demo.
refusals: program
    scripts/timed scripts/refusals {{program}}

# One fuzz target, with nightly Rust and cargo-fuzz.
fuzz target seconds="60":
    cd fuzz && cargo +nightly fuzz run {{target}} -- -max_total_time={{seconds}}
