#!/bin/sh
# Builds every version of the history and holds it to what the demo says about it:
#   - its own tests pass, also those of the defective versions
#   - the planted finding is the only one of level error, and only in v1.0.0-planted
#   - nothing but /healthz reads the version
#   - each commit gets its own program, also in a shared target folder
#   history/check.sh [TAG…]      WORK names a folder to keep between runs, TOOLS that of scan.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$here/../target/history}
mkdir -p "$work"
work=$(cd "$work" && pwd)
export TOOLS="${TOOLS:-$work/tools}" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$work/build}"

rm -rf "$work/shop"
"$here/make.py" "$work/shop" >"$work/commits.json"
[ $# -gt 0 ] || set -- $(git -C "$work/shop" tag --list)
bad=0
complain() { echo "FAILED $tag: $1"; bad=1; }

for tag in "$@"; do
    git -C "$work/shop" checkout --quiet --detach "$tag"
    tests=$(cd "$work/shop" && tests/junit.py --out "$work/$tag.xml" 2>"$work/$tag.log") || complain "$tests, see $work/$tag.log"
    "$work/shop/scan.sh" "$work/shop" "$work/$tag.sarif" 2>>"$work/$tag.log" || complain "no scan, see $work/$tag.log"
    errors=$(python3 -c 'import json, sys
results = [result for run in json.load(open(sys.argv[1]))["runs"] for result in run["results"]]
places = {(r["ruleId"], r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]) for r in results if r["level"] == "error"}
print(" ".join(f"{rule}@{file}" for rule, file in sorted(places)))' "$work/$tag.sarif")
    expected=""
    [ "$tag" = v1.0.0-planted ] && expected="clippy::unwrap_used@orders/src/pay.rs"
    [ "$errors" = "$expected" ] || complain "findings \"$errors\", expected \"$expected\""
    readers=$(cd "$work/shop" && grep -rlE 'CARGO_PKG_VERSION|CARGO_PKG|option_env' --include='*.rs' */src | sort | tr '\n' ' ')
    [ "$readers" = "orders/src/web.rs storefront/src/pages.rs " ] || complain "the version is read in $readers"
    [ "$(cd "$work/shop" && grep -c CARGO_PKG_VERSION orders/src/web.rs storefront/src/pages.rs | cut -d: -f2 | tr '\n' ' ')" = "1 1 " ] \
        || complain "the version is read more than once"
    echo "$tag: $tests, errors found: ${errors:-none}"
done

# Checkouts of one version in one target folder: each has to get its own program.
tag=v1.2.0
digests=$(for variant in good errors-30 errors-3 latency; do
    rm -rf "$work/$variant"
    git clone --quiet --branch "v1.2.0-$variant" "$work/shop" "$work/$variant" 2>/dev/null
done
for variant in good errors-30 errors-3 latency good; do
    "$work/$variant/build.sh" orders
    sha256sum <"$work/$variant/out/orders"
done)
[ "$(echo "$digests" | sort -u | wc -l)" = 4 ] || complain "four variants, but not four programs: $digests"
[ "$(echo "$digests" | sed -n 1p)" = "$(echo "$digests" | sed -n 5p)" ] || complain "the same commit built twice differs"
exit $bad
