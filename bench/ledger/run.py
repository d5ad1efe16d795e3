#!/usr/bin/env python3
"""Durable appends a second, on SQLite and PostgreSQL, with 1, 16 and 64 commands in flight.

Starts a PostgreSQL of its own with fsync on. Prints a line of JSON a job and writes them, with commit and load, to
RESULTS.json beside this file. `run.py [SECONDS] [PAIRS]`."""
import glob, json, os, pwd, shutil, socket, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def postgres(folder):
    bins = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
    if not bins:
        sys.exit("PostgreSQL is missing: expected /usr/lib/postgresql/*/bin")
    user = {}
    if os.geteuid() == 0:
        entry = pwd.getpwnam("postgres")
        user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    data, port = os.path.join(folder, "data"), free_port()
    run = dict(cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user)
    subprocess.run([bins[-1] + "/initdb", "-D", data, "-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8"], check=True, **run)
    server = subprocess.Popen([bins[-1] + "/postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", "", "-c", "fsync=on",
                               "-c", "synchronous_commit=on"], **run)
    url = f"postgres://postgres@127.0.0.1:{port}/"
    for _ in range(100):
        if subprocess.run([bins[-1] + "/pg_isready", "-h", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL).returncode == 0:
            return server, url, bins[-1], port
        time.sleep(0.1)
    sys.exit("PostgreSQL does not start")


def main():
    seconds, pairs = (sys.argv[1:] + ["2", "5"][len(sys.argv) - 1:])[:2]
    subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "holdpoint-store", "--example", "ledger_bench"], cwd=TOP, check=True)
    program = os.path.join(TOP, "target", "release", "examples", "ledger_bench")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=TOP, capture_output=True, text=True, check=True).stdout.strip()
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    lines, server = [], None
    try:
        pg_folder = os.path.join(folder, "pg")
        os.mkdir(pg_folder)
        server, url, bins, port = postgres(pg_folder)
        for engine in ["sqlite", "postgres"]:
            for in_flight in [1, 16, 64]:
                names = [f"{engine}_{in_flight}_{which}" for which in ["ours", "limit"]]
                if engine == "sqlite":
                    urls = [f"sqlite:{os.path.join(folder, name)}.db" for name in names]
                else:
                    for name in names:
                        subprocess.run([bins + "/createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", name], check=True)
                    urls = [url + name for name in names]
                out = subprocess.run([program, *urls, str(in_flight), seconds, pairs], capture_output=True, text=True)
                if out.returncode != 0:
                    sys.exit(out.stderr)
                line = json.loads(out.stdout.splitlines()[-1])
                line["durability"] = "WAL, synchronous FULL" if engine == "sqlite" else "fsync on, synchronous_commit on"
                line["commit"], line["load"] = commit, round(os.getloadavg()[0], 1)
                lines.append(line)
                print(json.dumps(line), flush=True)
    finally:
        if server:
            server.terminate()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)
    with open(os.path.join(HERE, "RESULTS.json"), "w") as file:
        json.dump(lines, file, indent=1)
        file.write("\n")


main()
