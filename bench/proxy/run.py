#!/usr/bin/env python3
"""Requests per second: direct, through our proxy, through HAProxy; the same backend and client for all.

Interleaved: every round measures all three, in rotating order, so that what else the machine does falls on all alike.
Needs `haproxy` and `wrk`. The backend is an HAProxy that answers by itself, which costs little beside what is measured.

    bench/proxy/run.py [--profile dev|release] [--rounds 6] [--seconds 4] [--connections 32]

Writes RESULTS.json beside this file.
"""

import argparse
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEFAULTS = "defaults\n  mode http\n  timeout connect 3s\n  timeout client 60s\n  timeout server 60s\n"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def reachable(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"nothing listens on {port}")


def start_haproxy(folder, name, text, port, children):
    file = folder / f"{name}.cfg"
    file.write_text(text)
    children.append(subprocess.Popen(["haproxy", "-db", "-f", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    reachable(port)
    return children[-1].pid


def build(profile):
    command = ["cargo", "test", "-p", "holdpoint-executors", "--test", "proxy", "--no-run", "--message-format=json"]
    if profile == "release":
        command.append("--release")
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    built = [json.loads(line) for line in lines]
    return next(item["executable"] for item in built if item.get("executable") and item["target"]["name"] == "proxy")


def start_proxy(folder, program, backend, children):
    token = "benchmark-0123456789abcdef"
    (folder / "token").write_text(token)
    child = subprocess.Popen(
        [program, "--ignored", "--exact", "serve::serve_for_the_benchmark", "--nocapture"],
        env={**os.environ, "PROXY_FOLDER": str(folder)}, stdout=subprocess.PIPE, text=True)
    children.append(child)
    # The test harness writes around our line, and its "test ... " may stand before it.
    bound = next(json.loads(found[0]) for found in (re.search(r"\{.*\}", line) for line in child.stdout) if found)
    # Two versions, as in a canary.
    wanted = {"generation": 1, "backends": [
        {"version": "1", "address": f"127.0.0.1:{backend}", "weight": 95},
        {"version": "2", "address": f"localhost:{backend}", "weight": 5}]}
    request = urllib.request.Request(
        f"http://{bound['admin']}/routes/shop", json.dumps(wanted).encode(), {"Authorization": f"Bearer {token}"}, method="PUT")
    urllib.request.urlopen(request).read()
    return int(bound["listen"]["shop"].rsplit(":", 1)[1]), child.pid


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(port, pid, options):
    before = cpu_seconds(pid) if pid else 0.0
    said = subprocess.run(
        ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "--latency", f"http://127.0.0.1:{port}/"],
        check=True, capture_output=True, text=True).stdout
    requests = int(re.search(r"(\d+) requests in", said)[1])
    result = {
        "requests_per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),
        "p50": re.search(r"^\s+50%\s+(\S+)", said, re.M)[1],
        "p99": re.search(r"^\s+99%\s+(\S+)", said, re.M)[1],
        "failed": sum(int(n) for n in re.findall(r"(?:connect|read|write|timeout|Non-2xx or 3xx responses:?) (\d+)", said)),
        "load_average_1m": os.getloadavg()[0],
    }
    if pid:
        result["cpu_us_per_request"] = round((cpu_seconds(pid) - before) / max(requests, 1) * 1e6, 1)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", choices=["dev", "release"], default="dev")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--program", help="a test binary `proxy` built before, instead of building it now")
    options = parser.parse_args()
    children = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        try:
            rounds = run(folder, options, children)
        finally:
            for child in children:
                child.terminate()
                child.wait()
    middle = {kind: statistics.median(each[kind]["requests_per_s"] for each in rounds) for kind in rounds[0]}
    git = lambda *command: subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    (HERE / "RESULTS.json").write_text(json.dumps({
        "what": "GET of 2 bytes, kept-alive connections, 95/5 split over two versions in our proxy, one server in HAProxy",
        "commit": git("rev-parse", "HEAD"),
        "changed_since_commit": bool(git("status", "--porcelain", "--", "crates/executors/src/proxy")),
        "profile": options.profile,
        "cpus": os.cpu_count(),
        "haproxy": subprocess.run(["haproxy", "-v"], capture_output=True, text=True).stdout.splitlines()[0],
        "connections": options.connections,
        "seconds_each": options.seconds,
        "caution": "client, proxy and backend share the CPUs, and other work may run beside them (see load averages)",
        "median_requests_per_s": middle,
        "median_proxy_over_haproxy": statistics.median(
            each["proxy"]["requests_per_s"] / each["haproxy"]["requests_per_s"] for each in rounds),
        "median_cpu_us_per_request": {
            kind: statistics.median(each[kind]["cpu_us_per_request"] for each in rounds) for kind in ("proxy", "haproxy")},
        "rounds": rounds,
    }, indent=1) + "\n")
    print(json.dumps(middle))


def run(folder, options, children):
    program = options.program or build(options.profile)
    backend, balancer = free_port(), free_port()
    start_haproxy(folder, "backend", DEFAULTS +
                  f"frontend answer\n  bind 127.0.0.1:{backend}\n  http-request return status 200 content-type text/plain string ok\n",
                  backend, children)
    haproxy_pid = start_haproxy(folder, "balancer", DEFAULTS +
                                f"frontend shop\n  bind 127.0.0.1:{balancer}\n  option forwardfor\n  default_backend be\n"
                                f"backend be\n  http-reuse always\n  server one 127.0.0.1:{backend}\n", balancer, children)
    front, proxy_pid = start_proxy(folder, program, backend, children)
    kinds = [("direct", backend, None), ("proxy", front, proxy_pid), ("haproxy", balancer, haproxy_pid)]
    rounds = []
    for number in range(options.rounds):
        shift = number % len(kinds)
        each = {name: measure(port, pid, options) for name, port, pid in kinds[shift:] + kinds[:shift]}
        rounds.append({name: each[name] for name, _, _ in kinds})
    return rounds


if __name__ == "__main__":
    main()
