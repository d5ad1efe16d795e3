#!/usr/bin/env bash
# Finds out what the build and the tests need from the machine, and installs it with apt when run as root.
# Otherwise it names exactly what is missing and how to get it. It needs nothing but a shell: no compiler, no cargo.
set -euo pipefail

# Cargo and Node are the reader's own choice of source; everything else is a Debian package.
minimum_node=20
missing=()   # Debian packages
problems=()  # what apt cannot mend

need() { # need PACKAGE PROGRAM...: the package is missing when none of the programs is found
    local package=$1 program
    shift
    for program in "$@"; do
        if command -v "$program" >/dev/null 2>&1 || [ -x "$program" ]; then return; fi
    done
    missing+=("$package")
}

# Debian keeps PostgreSQL's server programs and some daemons out of the ordinary search path.
PATH="$PATH:/usr/sbin:/sbin"
postgres_programs=(/usr/lib/postgresql/*/bin/postgres)

need build-essential cc
need git git
need postgresql "${postgres_programs[@]}"
need haproxy haproxy
need nginx-light nginx
need chromium chromium
need python3 python3

command -v cargo >/dev/null 2>&1 || problems+=("cargo (Rust 1.95 or later): install it with rustup")
if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
    problems+=("node and npm (Node $minimum_node or later)")
elif [ "$(node -p 'process.versions.node.split(".")[0]')" -lt "$minimum_node" ]; then
    problems+=("node is $(node --version), needed is $minimum_node or later")
fi
if [ ${#problems[@]} -gt 0 ]; then
    printf 'missing: %s\n' "${problems[@]}" >&2
    exit 1
fi
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    printf 'missing Debian packages: %s\n' "${missing[*]}" >&2
    printf 'install them as root:    apt-get install --no-install-recommends %s\n' "${missing[*]}" >&2
    exit 1
fi

# Headless Chromium draws boxes without a font.
if [[ " ${missing[*]} " == *" chromium "* ]]; then missing+=(fonts-dejavu-core); fi
printf 'installing Debian packages: %s\n' "${missing[*]}" >&2

# The tests start every component themselves; the packages must not start services of their own meanwhile.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { apt-get update -q && apt-get install -q -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    printf 'apt-get failed; its whole output is in %s\n' "$log" >&2
    exit 1
fi
rm -f "$log"
