#!/bin/sh
# Static analysis of a checkout: ./scan.sh DIR OUT.sarif
# clippy judges (it comes with the Rust toolchain), clippy-sarif writes its findings as SARIF 2.1.0.
# TOOLS names the folder where clippy-sarif is kept; it is built there once, from crates.io.
# Exit code 0: the scan was made, findings are in the file. Anything else: there is no result.
set -eu
dir=$1
mkdir -p "$(dirname "$2")"
out=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
tools=${TOOLS:-target/tools}
version=0.8.0

if ! "$tools/bin/clippy-sarif" --version 2>/dev/null | grep -q " $version$"; then
    CARGO_TARGET_DIR=$tools/build cargo install --quiet --locked --debug --root "$tools" --version "$version" clippy-sarif >&2
    rm -rf "$tools/build"
fi
tools=$(cd "$tools" && pwd)

cd "$dir"
messages=$(mktemp)
trap 'rm -f "$messages"' EXIT
# Denied lints make clippy fail, which is not a failed scan: the messages decide.
./in-turn.sh cargo clippy --quiet --locked --workspace --keep-going --message-format=json >"$messages" || true
grep -q '"reason":"build-finished"' "$messages" || { echo "scan.sh: clippy did not finish" >&2; exit 3; }
"$tools/bin/clippy-sarif" --input "$messages" --output "$out"
