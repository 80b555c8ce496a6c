#!/bin/sh
# Shows that the campaign can fail: puts each mutation of mutations/*.patch into a copy of the tree
# and runs the campaign until it is found; those whose name begins with c are looked for among key
# generations, those with e among chains of changes; those with s are rules of docs/signing.md, and
# have the number of its section. One with a line "Test: PACKAGE TARGET NAME"
# before its difference is found by that test instead, which must fail ("Test: roastery-frost
# --test it change::choice::one_dealer_counts_once"). Prints the seed number at which that was, and
# what was violated; or the test that has failed.
#
#   crates/roastery-sim/mutations.sh [RUNS [NAME]]
#
# RUNS is the most scenarios for each (3000), NAME a part of the name of those that are to be tried
# (all). Exits with 1 if one is not found. Builds in $MUTATIONS_DIR, if that is set, so that a
# second time is faster.
set -eu
runs=${1:-3000}
name=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=${MUTATIONS_DIR:-$(mktemp -d)}
# A mutation changes some lines: most of what was compiled before it can be used again.
export CARGO_TARGET_DIR="$work/target" CARGO_PROFILE_RELEASE_LTO=off CARGO_INCREMENTAL=1
mkdir -p "$work"
status=0
# All files that a mutation changes.
changed=$(sed -n 's|^+++ b/\([^[:space:]]*\).*|\1|p' "$here"/mutations/*.patch | sort -u)
for patch in "$here"/mutations/*"$name"*.patch; do
    title=$(basename "$patch" .patch)
    rm -rf "$work/tree"
    mkdir "$work/tree"
    (cd "$root" && tar cf - --exclude=./target --exclude=./.git .) | tar xf - -C "$work/tree"
    (cd "$work/tree" && patch -s -p1 < "$patch")
    # Times in the copy are those of the original: without new ones the build would take what an
    # earlier mutation has changed, and is as it was again, for unchanged.
    # shellcheck disable=SC2086 # These are names of files.
    (cd "$work/tree" && touch $changed)
    # Package and target, then the name.
    test=$(sed -n '/^diff /q; s/^Test: //p' "$patch")
    target=${test% *}
    test=${test##* }
    case $test in
        "") build="build --release -p roastery-sim" ;;
        *) build="test --no-run -p $target" ;;
    esac
    # shellcheck disable=SC2086 # These are words.
    if ! (cd "$work/tree" && cargo $build --quiet 2> "$work/build.txt"); then
        echo "$title: DOES NOT BUILD: $(grep -m 1 '^error' "$work/build.txt")"
        status=1
        continue
    fi
    if [ -n "$test" ]; then
        # shellcheck disable=SC2086 # These are words.
        (cd "$work/tree" && cargo test --quiet -p $target -- --exact "$test") \
            > "$work/out.txt" 2> "$work/err.txt" || true
        if grep -q '^test result: FAILED. 0 passed; 1 failed;' "$work/out.txt"; then
            echo "$title: $test fails"
        else
            echo "$title: NOT FOUND by $test"
            status=1
        fi
        continue
    fi
    case $title in
        c*) command=keygen ;;
        e*) command=change ;;
        *) command=campaign ;;
    esac
    if "$work/target/release/roastery-sim" "$command" --first-seed 1 --runs "$runs" > "$work/out.txt" 2> "$work/err.txt"; then
        echo "$title: NOT FOUND in $runs scenarios"
        status=1
    else
        echo "$title: $(head -1 "$work/out.txt") $(sed -n 2p "$work/out.txt")"
    fi
done
exit $status
