#!/usr/bin/env python3
"""Jobs `start`, `memory`, `page`, `board` and `decisions`: the server as its users meet it, a release build on SQLite.

start: from the command to the first 200 of /readyz; an empty folder, one that exists, and one with a million facts (made by
the pipelines of bench/pipelines, sealed). memory: resident, 20 s after start, embedded worker running, no job. page: bytes on
the wire for the first visit. board: 500 services in 5 environments, each with an open release. decisions: approvals given
through the API at a fixed rate, each of another release; lateness of the client is part of the time.
`run.py [FACTS]`."""
import concurrent.futures, hashlib, os, re, shutil, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from side_by_side import DURABILITY, RELEASE, Client, Results, Server, build, last_json, middle, percentile

SERVICES, ENVIRONMENTS, STARTS = 500, 5, 5


def main():
    facts = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    build("--package", "holdpoint", "--bin", "holdpoint")
    build("--package", "holdpoint-engine", "--example", "pipelines")
    folder = tempfile.mkdtemp()
    results = Results(__file__)
    try:
        starts(results, folder)
        loaded(results, folder)
        full(results, folder, facts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    results.write()


def starts(results, folder):
    first, again = [], []
    for number in range(STARTS):
        data = os.path.join(folder, f"empty{number}")
        for seconds in [first, again]:
            server = Server(data)
            seconds.append(server.seconds_to_ready)
            server.stop()
    results.add(job="start", what="an empty folder", unit="s", ours=middle(first), worst=max(map(lambda s: round(s, 3), first)), runs=STARTS, goal=0.5)
    results.add(job="start", what="a folder that exists, no release", unit="s", ours=middle(again), runs=STARTS, goal=0.5)
    server = Server(data)
    time.sleep(20)
    results.add(job="memory", what="resident, no job, embedded worker", unit="MiB", ours=server.memory_mib(), goal=80)
    page(results, server)
    server.stop()


def page(results, server):
    client, zipped = Client(server.host), {"Accept-Encoding": "gzip, br"}
    status, html, _ = client.ask("GET", "/", headers=zipped)
    import gzip
    text = gzip.decompress(html) if html[:2] == b"\x1f\x8b" else html
    names = re.findall(rb'(?:src|href)="(/[^"]+\.(?:js|css))"', text)
    sizes = {}
    for name in names:
        _, body, headers = client.ask("GET", name.decode(), headers=zipped)
        sizes[name.decode()] = (len(body), headers.get("content-encoding") or headers.get("Content-Encoding"))
    scripts = sum(size for name, (size, _) in sizes.items() if name.endswith(".js"))
    if status != 200 or not scripts:
        sys.exit(f"the page has no script: {text[:500]!r}")
    results.add(job="page", what="JavaScript of the first visit, as sent", unit="KiB", ours=round(scripts / 1024, 1), goal=250,
                styles=round(sum(size for name, (size, _) in sizes.items() if name.endswith(".css")) / 1024, 1), encodings=sorted({str(c) for _, c in sizes.values()}))


def organisation():
    people = "person: root\nname: Root\nemails: [root@shop.example]\nroles: [admin, developer, release-manager]\n---\n" \
             "person: grace\nname: Grace\nemails: [grace@shop.example]\nroles: [release-manager]\n"
    places = [f"environment: e{number}\norder: {number}\n" for number in range(1, ENVIRONMENTS + 1)]
    stages = "".join(f"  - environment: e{number}\n    gates: {{approvals: [{{role: release-manager, count: 1}}], previous: false}}\n"
                     for number in range(1, ENVIRONMENTS + 1))
    services = [f"service: svc{number:03}\npipeline: five\ncomponents:\n  app:\n    run: [python3, \"${{artifact}}\"]\n    health: {{path: /healthz}}\n"
                for number in range(SERVICES)]
    return "---\n".join([people, *places, "pipeline: five\nstages:\n" + stages, *services])


def loaded(results, folder):
    server = Server(os.path.join(folder, "board"), "--no-worker")
    root = Client(server.host)
    root.set_up(server.first)
    applied = root.ok("POST", "/v1/apply", {"documents": [{"file": "all.yaml", "text": organisation()}]})
    if not applied["applied"]:
        sys.exit(f"not applied: {applied}")
    link = root.ok("POST", "/v1/people/grace/invite", {})["link"]
    grace = Client(server.host)
    grace.set_up(link)
    token = grace.ok("POST", "/v1/tokens", {"name": "bench"})["token"]
    artifact = b"an artifact"
    digest = "sha256:" + hashlib.sha256(artifact).hexdigest()
    root.ok("PUT", f"/v1/blobs/{digest}", artifact)
    releases = []
    for number in range(SERVICES):
        made = root.ok("POST", "/v1/releases", {"service": f"svc{number:03}", "version": "1.0.0", "components": {"app": digest}})
        releases.append(made["release"])
    board(results, grace)
    decisions(results, server, token, grace, releases)
    server.stop()


def board(results, client):
    path = f"/v1/board?limit={SERVICES}"
    while True:
        rows = client.ok("GET", path)["rows"]
        reported = sum(1 for row in rows for cell in row["cells"].values() if cell.get("next"))
        if reported >= SERVICES * ENVIRONMENTS:
            break
        time.sleep(1)
    took = []
    for _ in range(40):
        began = time.perf_counter()
        status, body, _ = client.ask("GET", path)
        took.append((time.perf_counter() - began) * 1000)
        if status != 200:
            sys.exit(f"the board answered {status}")
    results.add(job="board", what=f"{SERVICES} services x {ENVIRONMENTS} environments through the API, {len(body) // 1024} KiB", unit="ms",
                ours=middle(took), p99=percentile(took, 0.99), runs=len(took), goal=100)


def decisions(results, server, token, client, releases, rate=500, seconds=5):
    """Approvals of all releases in all environments: what was seen is asked first, then everything is sent at a fixed rate."""
    asks = []
    for release in releases:
        for number in range(1, ENVIRONMENTS + 1):
            report = client.ok("GET", f"/v1/releases/{release}/gates?environment=e{number}")["report"]
            asks.append((release, {"environment": f"e{number}", "manifest_digest": report["manifest_digest"],
                                   "evidence_root": report["evidence_root"], "comment": "seen"}))
    asks = asks[: rate * seconds]
    local, took, lock = threading.local(), [], threading.Lock()
    began = time.perf_counter() + 0.5

    def one(number):
        due = began + number / rate
        time.sleep(max(0, due - time.perf_counter()))
        if not hasattr(local, "client"):
            local.client = Client(server.host, token)
        release, body = asks[number]
        local.client.ok("POST", f"/v1/releases/{release}/approvals", body)
        with lock:
            took.append((time.perf_counter() - due) * 1000)

    with concurrent.futures.ThreadPoolExecutor(32) as threads:
        list(threads.map(one, range(len(asks))))
    spent = time.perf_counter() - began
    results.add(job="decisions", what="approvals through the API, due at a fixed rate, timed from when they were due", unit="ms", rate=rate,
                reached=round(len(asks) / spent, 1), ours=percentile(took, 0.99), p50=percentile(took, 0.5), runs=len(took), goal=50,
                durability=DURABILITY["sqlite"])


def full(results, folder, facts):
    data = os.path.join(folder, "full")
    os.makedirs(data)
    # A pipeline is thirteen facts: opening, five leases, five outcomes, the end and what frees it.
    count = facts // 12
    made = last_json([os.path.join(RELEASE, "examples", "pipelines"), f"sqlite:{data}/holdpoint.db", str(count), "32", data])
    took = []
    for _ in range(STARTS):
        server = Server(data)
        took.append(server.seconds_to_ready)
        memory = server.memory_mib()
        server.stop()
    results.add(job="start", what=f"{made['facts']} facts, sealed", unit="s", ours=middle(took), worst=round(max(took), 3), runs=STARTS, goal=2,
                resident_mib=memory)


main()
