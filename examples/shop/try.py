#!/usr/bin/env python3
"""Runs the shop without a release process: two orders services on one database, a storefront before each.

    ./try.py [--source DIR] [--seconds 5] [--rate 240] [--keep]

Builds all three programs of DIR (default: this folder), migrates a new database, sends traffic, stops the
services with SIGTERM, runs the smoke test before and the audit after, and prints one JSON object.
Exit code 1 when a request failed, the smoke test failed or a promise was broken.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

SHOP = os.path.dirname(os.path.abspath(__file__))


class Service:
    """A started program that has said where it listens."""

    def __init__(self, binary, log, **env):
        self.log = open(log, "w")
        self.process = subprocess.Popen([binary, "serve"], env={**os.environ, "PORT": "0", **env}, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"try.py: {binary} did not start, see {log}")
        self.url = "http://" + json.loads(line)["listening"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)


def answer(command, **env):
    """(exit code, JSON of the last line of standard output)."""
    done = subprocess.run(command, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = done.stdout.splitlines()
    try:
        return done.returncode, json.loads(lines[-1])
    except (IndexError, ValueError):
        return done.returncode, done.stdout


def try_shop(source, seconds, rate, folder):
    for name in ("orders", "storefront", "client"):
        subprocess.run([os.path.join(source, "build.sh"), name], check=True)
    orders, storefront, client = (os.path.join(source, "out", name) for name in ("orders", "storefront", "shop-client"))
    database, journal = os.path.join(folder, "orders.db"), os.path.join(folder, "journal.jsonl")
    _, migrated = answer([orders, "migrate"], DATABASE=database)
    services = []
    try:
        for number in (1, 2):
            services.append(Service(orders, os.path.join(folder, f"orders-{number}.log"), DATABASE=database))
            services.append(Service(storefront, os.path.join(folder, f"storefront-{number}.log"), ORDERS_URL=services[-1].url))
        fronts = [service.url for service in services[1::2]]
        smoke = [sys.executable, os.path.join(source, "tests", "smoke.py"), "--out", os.path.join(folder, "smoke.xml")]
        smoke_code, _ = answer(smoke, STOREFRONT_URL=fronts[0])
        urls = [part for url in fronts for part in ("--url", url)]
        _, load = answer([client, "load", *urls, "--rate", str(rate), "--seconds", str(seconds), "--journal", journal])
    finally:
        exits = [service.stop() for service in reversed(services)]
    audit_code, audit = answer([client, "check", "--journal", journal, "--database", database])
    with open(journal) as lines:
        entries = [json.loads(line) for line in lines]
    slow = sum(entry["latency_us"] >= 30_000 for entry in entries) / max(len(entries), 1)
    return {
        "migrated": migrated,
        "smoke_ok": smoke_code == 0,
        "load": load,
        "share_slower_than_30_ms": round(slow, 4),
        "audit": audit,
        "ended_well": all(code == 0 for code in exits),
        "ok": smoke_code == 0 and load["failed"] == 0 and audit_code == 0 and all(code == 0 for code in exits),
    }


def main():
    arguments = argparse.ArgumentParser(description="Runs the shop without a release process.")
    arguments.add_argument("--source", default=SHOP)
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--rate", type=float, default=240)
    arguments.add_argument("--keep", action="store_true", help="keep database, journal and logs, and name their folder")
    arguments = arguments.parse_args()
    folder = tempfile.mkdtemp(prefix="shop-")
    try:
        result = try_shop(os.path.abspath(arguments.source), arguments.seconds, arguments.rate, folder)
        if arguments.keep:
            result["folder"] = folder
        print(json.dumps(result, indent=2))
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if result["ok"] else 1)


if __name__ == "__main__":
    main()
