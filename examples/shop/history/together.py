#!/usr/bin/env python3
"""1.0 and 1.1 on one database, and a migration that is killed in the middle while customers buy.

    history/together.py REPOSITORY        what make.py wrote; its work tree is used

1.0 serves from the start. 1.1's migration is killed with SIGKILL while it fills rows, then run again twice.
After that both versions serve the same traffic. Prints one JSON object; exit code 1 when a request failed, a
promise was broken or the migration was not applied exactly once.
"""

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# `try` is a word of the language, so the file cannot be imported by its name.
SPEC = importlib.util.spec_from_file_location("try_shop", os.path.join(HERE, "..", "try.py"))
SHOP = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(SHOP)

SLOWLY = {"MIGRATE_BATCH": "20", "MIGRATE_REST_MS": "50"}


def build(repository, tag, folder):
    """The three programs of a version, copied to a folder of their own."""
    subprocess.run(["git", "-C", repository, "checkout", "--quiet", "--detach", tag], check=True)
    for package in ("orders", "storefront", "client"):
        subprocess.run([os.path.join(repository, "build.sh"), package], check=True)
    out = os.path.join(folder, tag)
    shutil.copytree(os.path.join(repository, "out"), out)
    return {name: os.path.join(out, name) for name in ("orders", "storefront", "shop-client")}


def ask(database, query):
    connection = sqlite3.connect(database, timeout=10)
    try:
        return connection.execute(query).fetchone()[0]
    finally:
        connection.close()


def kill_in_the_middle(orders, database):
    """How many rows were filled when the migration was killed."""
    process = subprocess.Popen([orders, "migrate"], env={**os.environ, "DATABASE": database, **SLOWLY}, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    filled = 0
    while filled < 60 and time.monotonic() < deadline:
        time.sleep(0.02)
        if ask(database, "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'schema_backfill'"):
            filled = ask(database, "SELECT COALESCE(MAX(filled), 0) FROM schema_backfill")
    process.kill()
    process.wait()
    return ask(database, "SELECT filled FROM schema_backfill")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = tempfile.mkdtemp(prefix="shop-together-")
    old, new = (build(os.path.abspath(sys.argv[1]), tag, folder) for tag in ("v1.0.0", "v1.1.0"))
    database = os.path.join(folder, "orders.db")
    services, loads, journals = [], [], []

    def serve(programs, name):
        services.append(SHOP.Service(programs["orders"], os.path.join(folder, f"{name}-orders.log"), DATABASE=database))
        services.append(SHOP.Service(programs["storefront"], os.path.join(folder, f"{name}-storefront.log"), ORDERS_URL=services[-1].url))
        return services[-1].url

    def load(urls, seconds):
        journals.append(os.path.join(folder, f"journal-{len(journals)}.jsonl"))
        command = [old["shop-client"], "load", *[part for url in urls for part in ("--url", url)], "--seconds", str(seconds), "--journal", journals[-1]]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    SHOP.answer([old["orders"], "migrate"], DATABASE=database)
    first = serve(old, "old")
    loads.append(json.loads(load([first], 15).communicate()[0]))
    rows = ask(database, "SELECT COUNT(*) FROM orders")
    during = load([first], 15)
    filled_at_kill = kill_in_the_middle(new["orders"], database)
    check_after_kill, _ = SHOP.answer([new["orders"], "migrate", "--check"], DATABASE=database)
    again = [SHOP.answer([new["orders"], "migrate"], DATABASE=database)[1] for _ in range(2)]
    check_after, _ = SHOP.answer([new["orders"], "migrate", "--check"], DATABASE=database)
    check_of_old, _ = SHOP.answer([old["orders"], "migrate", "--check"], DATABASE=database)
    loads.append(json.loads(during.communicate()[0]))
    second = serve(new, "new")
    loads.append(json.loads(load([first, second], 10).communicate()[0]))
    exits = [service.stop() for service in reversed(services)]
    journal_flags = [part for path in journals for part in ("--journal", path)]
    audit_code, audit = SHOP.answer([old["shop-client"], "check", *journal_flags, "--database", database])
    result = {
        "rows_before": rows,
        "filled_at_kill": filled_at_kill,
        "filled_in_all": ask(database, "SELECT filled FROM schema_backfill"),
        "last_id_of_backfill": ask(database, "SELECT last_id FROM schema_backfill"),
        "applied": ask(database, "SELECT COUNT(*) FROM schema_migration WHERE number = 2"),
        "again": again,
        "check": {"after_kill": check_after_kill, "after": check_after, "of_1.0": check_of_old},
        "failed": [part["failed"] for part in loads],
        "answered": [part["answered"] for part in loads],
        "audit": audit,
    }
    once = result["filled_in_all"] == result["last_id_of_backfill"] > filled_at_kill and result["applied"] == 1
    once = once and again == [{"applied": [2]}, {"applied": []}] and (check_after_kill, check_after, check_of_old) == (1, 0, 0)
    result["ok"] = once and not any(result["failed"]) and audit_code == 0 and not any(exits)
    print(json.dumps(result, indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if result["ok"] else 1)


if __name__ == "__main__":
    main()
