#!/bin/sh
# Runs a command while nobody else builds in the same target folder: ./in-turn.sh COMMAND…
#
# A target folder that is shared between checkouts (CARGO_TARGET_DIR) holds one result per package and version, and
# cargo may take it as fresh when it came from another checkout: two commits of one version would get the same
# program. So what cargo remembers of our own packages is forgotten first; that of the dependencies stays.
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
target=${CARGO_TARGET_DIR:-$here/target}
if [ "${IN_TURN:-}" != "$here" ]; then
    mkdir -p "$target"
    IN_TURN=$here exec flock --close "$target/in-turn.lock" "$here/in-turn.sh" "$@"
fi
if [ -n "${CARGO_TARGET_DIR:-}" ]; then
    for package in client orders storefront; do
        rm -rf "$target"/*/.fingerprint/"$package"-*
    done
fi
exec "$@"
