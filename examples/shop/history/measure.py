#!/usr/bin/env python3
"""What each version does to customers: share of failed requests, and latency with and without many pieces.

    history/measure.py REPOSITORY [--seconds 20] [TAG…]

REPOSITORY is what make.py wrote; its work tree is used. Every request goes to the version measured, so in a
canary the shares apply to the canary's part of the traffic.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TAGS = ["v1.0.0", "v1.1.0", "v1.2.0-good", "v1.2.0-errors-30", "v1.2.0-errors-3", "v1.2.0-latency"]


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] / 1000 if values else float("nan")


def measure(repository, tag, seconds):
    subprocess.run(["git", "-C", repository, "checkout", "--quiet", "--detach", tag], check=True)
    command = [sys.executable, os.path.join(HERE, "..", "try.py"), "--source", repository, "--seconds", str(seconds), "--keep"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    with open(os.path.join(result["folder"], "journal.jsonl")) as lines:
        entries = [json.loads(line) for line in lines]
    shutil.rmtree(result["folder"])
    few = [entry["latency_us"] for entry in entries if entry["kind"] == "product" and entry["qty"] < 6]
    many = [entry["latency_us"] for entry in entries if entry["kind"] == "product" and entry["qty"] >= 6]
    share = sum(entry.get("qty", 0) >= 6 for entry in entries) / len(entries)
    load, audit = result["load"], result["audit"]
    print(
        f"{tag:18} {load['answered']:6} requests  failed {100 * load['failed_share']:6.2f} %  "
        f"6+ pieces {100 * share:5.1f} %  price of 1-5: p50 {quantile(few, 0.5):6.1f} p90 {quantile(few, 0.9):6.1f} ms  "
        f"of 6+: p50 {quantile(many, 0.5):6.1f} p90 {quantile(many, 0.9):6.1f} ms  "
        f"acknowledged {audit['acknowledged']} stored {audit['stored']} {'kept' if audit['ok'] else 'BROKEN'}  "
        f"smoke {'ok' if result['smoke_ok'] else 'failed'}",
        flush=True,
    )


def main():
    arguments = argparse.ArgumentParser(description="What each version does to customers.")
    arguments.add_argument("repository")
    arguments.add_argument("tags", nargs="*", default=TAGS)
    arguments.add_argument("--seconds", type=float, default=20)
    arguments = arguments.parse_args()
    for tag in arguments.tags or TAGS:
        measure(os.path.abspath(arguments.repository), tag, arguments.seconds)


if __name__ == "__main__":
    main()
