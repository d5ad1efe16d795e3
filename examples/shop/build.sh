#!/bin/sh
# Builds one package: ./build.sh orders -> out/orders (client: out/shop-client). The pipeline's build step, and nothing else.
# CARGO_TARGET_DIR may point to a folder shared between builds; the result is always in out/.
set -eu
cd "$(dirname "$0")"
case "${2:-}" in
"") exec ./in-turn.sh ./build.sh "$1" now ;;
esac
binary=$1
[ "$1" = client ] && binary=shop-client
cargo build --quiet --locked --package "$1"
mkdir -p out
# A copy under a new name, then renamed: a program that runs from the old file keeps it.
cp "${CARGO_TARGET_DIR:-target}/debug/$binary" "out/.$binary.next"
mv -f "out/.$binary.next" "out/$binary"
