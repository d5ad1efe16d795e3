#!/usr/bin/env python3
"""Jobs `pipelines-sqlite` and `pipelines-postgres`: pipelines of five durable no-op stages a second, beside DBOS.

Every round runs ours, the peer, and the limit (the same rows in batches without an engine) one after the other. A pipeline
of ours is eleven durable commands in seven commits: opening and the first lease, and five outcomes, each with the lease of the
stage after it. The limit writes the rows of the eleven, which are the same. Ours runs in process, as the peer does.
`run.py [PAIRS] [COUNT]`."""
import os, shutil, sys, tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from side_by_side import DURABILITY, RELEASE, Postgres, Results, build, last_json, middle, peer

HERE = os.path.dirname(os.path.abspath(__file__))
# Opening, five leases, five outcomes; and in how many commits.
COMMANDS, COMMITS = 11, 7
# So many pipelines that each arm takes some seconds.
COUNT = {("sqlite", "ours"): 2000, ("sqlite", "peer"): 60, ("postgres", "ours"): 1500, ("postgres", "peer"): 400}


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    # In one: each package alone would have its dependencies built with other features.
    build("--package", "holdpoint-engine", "--package", "holdpoint-store", "--example", "pipelines", "--example", "ledger_bench")
    python = peer("dbos", "dbos", "psycopg[binary]")
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    results, server = Results(__file__), None
    try:
        server = Postgres(os.path.join(folder, "pg"))
        for engine in ["sqlite", "postgres"]:
            measure(results, folder, server, python, engine, pairs)
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    results.write()


def measure(results, folder, server, python, engine, pairs):
    def database(name):
        return os.path.join(folder, name) + ".db" if engine == "sqlite" else server.database(name)

    ours_scheme, peer_scheme = ("sqlite:", "sqlite:///") if engine == "sqlite" else ("postgres://", "postgresql+psycopg://")
    seen = {name: [] for name in ["ours", "peer", "limit", "ratio", "share", "first", "peer_first", "one_first", "one_commit"]}
    peer_name = ""
    for pair in range(pairs):
        at = f"{engine}_{pair}"
        ours = last_json([os.path.join(RELEASE, "examples", "pipelines"), ours_scheme + database("ours_" + at), str(COUNT[engine, "ours"]), "16"])
        other = last_json([python, os.path.join(HERE, "dbos_peer.py"), peer_scheme + database("peer_" + at), str(COUNT[engine, "peer"]), "16"])
        limit = last_json([os.path.join(RELEASE, "examples", "ledger_bench"), ours_scheme + database("lone_" + at), ours_scheme + database("limit_" + at), "16", "2", "1"])
        one = last_json([os.path.join(RELEASE, "examples", "pipelines"), ours_scheme + database("one_" + at), "150", "1"])
        lone = last_json([os.path.join(RELEASE, "examples", "ledger_bench"), ours_scheme + database("lone1_" + at), ours_scheme + database("limit1_" + at), "1", "1", "1"])
        peer_name = other["peer_name"]
        seen["ours"].append(ours["pipelines_per_s"])
        seen["peer"].append(other["pipelines_per_s"])
        seen["limit"].append(limit["limit"] / COMMANDS)
        seen["ratio"].append(ours["pipelines_per_s"] / other["pipelines_per_s"])
        seen["share"].append(ours["pipelines_per_s"] * COMMANDS / limit["limit"])
        seen["first"].append(ours["first_stage_p50_ms"])
        seen["peer_first"].append(other["first_stage_p50_ms"])
        seen["one_first"].append(one["first_stage_p50_ms"])
        seen["one_commit"].append(1000 / lone["limit"])
    results.add(
        job=f"pipelines-{engine}", unit="pipelines/s", in_flight=16, stages=5, ours=middle(seen["ours"]), peer=middle(seen["peer"]),
        peer_name=peer_name, ratio=middle(seen["ratio"]), limit=middle(seen["limit"]),
        limit_name=f"the rows of {COMMANDS} commands in batches of 16, no engine", share_of_limit=middle(seen["share"]),
        durable_commands_per_pipeline=COMMANDS, commits_per_pipeline=COMMITS, first_stage_p50_ms=middle(seen["first"]), peer_first_stage_p50_ms=middle(seen["peer_first"]),
        one_in_flight_first_stage_p50_ms=middle(seen["one_first"]), plain_commit_ms=middle(seen["one_commit"]), pairs=pairs,
        durability=DURABILITY[engine],
    )


main()
