#!/usr/bin/env python3
"""Durable appends a second, on SQLite and PostgreSQL, with 1, 16 and 64 commands in flight.

Starts a PostgreSQL of its own with fsync on. Prints a line of JSON a job and writes them, with commit and load, to
RESULTS.json beside this file. `run.py [SECONDS] [PAIRS]`."""
import os, shutil, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from side_by_side import DURABILITY, RELEASE, Postgres, Results, build, last_json


def main():
    seconds, pairs = (sys.argv[1:] + ["2", "5"][len(sys.argv) - 1:])[:2]
    build("--package", "holdpoint-store", "--example", "ledger_bench")
    program = os.path.join(RELEASE, "examples", "ledger_bench")
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    results, server = Results(__file__), None
    try:
        server = Postgres(os.path.join(folder, "pg"))
        for engine in ["sqlite", "postgres"]:
            for in_flight in [1, 16, 64]:
                names = [f"{engine}_{in_flight}_{which}" for which in ["ours", "limit"]]
                if engine == "sqlite":
                    urls = [f"sqlite:{os.path.join(folder, name)}.db" for name in names]
                else:
                    urls = ["postgres://" + server.database(name) for name in names]
                line = last_json([program, *urls, str(in_flight), seconds, pairs])
                results.add(**line, durability=DURABILITY[engine])
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    results.write()


main()
