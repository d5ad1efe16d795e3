#!/usr/bin/env python3
"""Migrations of 1,000, 10,000 and 40,000 statements: `migration check` beside `squawk --reporter json`.

Both as whole processes, in turn, on the same files; squawk comes from PyPI (squawk-cli) into a folder of its own. Checks that
the time grows with the statements. `run.py [RUNS]`; writes RESULTS.json beside this file."""
import json, os, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
# A migration folder's daily bread; one in four is dangerous. {n} makes names differ.
MIX = [
    "CREATE TABLE t{n} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, at timestamptz DEFAULT now());",
    "ALTER TABLE t{n} ADD COLUMN total numeric(12, 2) NOT NULL DEFAULT 0, ADD COLUMN note text;",
    "CREATE INDEX t{n}_name ON t{n} (name);",
    "ALTER TABLE old{n} ADD CONSTRAINT c{n} CHECK (total >= 0) NOT VALID;",
    "UPDATE old{n} SET total = 0 WHERE total IS NULL AND id BETWEEN 1 AND 1000;",
    "ALTER TABLE old{n} ALTER COLUMN total SET NOT NULL;",
    "ALTER TABLE old{n} ADD CONSTRAINT f{n} FOREIGN KEY (customer) REFERENCES customers (id);",
    "CREATE OR REPLACE VIEW v{n} AS SELECT t.id, t.name, count(*) AS n FROM t{n} t JOIN old{n} o ON o.id = t.id GROUP BY 1, 2;",
    "INSERT INTO settings (name, value) VALUES ('k{n}', 'it''s {n}'), ('l{n}', NULL);",
    "COMMENT ON TABLE t{n} IS 'one of many';",
    "GRANT SELECT ON t{n} TO reader;",
    "DROP TABLE IF EXISTS gone{n};",
]


def squawk(folder):
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", folder, "squawk-cli"],
                   check=True, stderr=subprocess.DEVNULL)
    program = os.path.join(folder, "bin", "squawk")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    return program, version


def timed(command):
    started = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    took = time.monotonic() - started
    return took, done


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "holdpoint-inspect", "--example", "migration_check"], cwd=TOP, check=True)
    ours = os.path.join(TOP, "target", "release", "examples", "migration_check")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=TOP, capture_output=True, text=True, check=True).stdout.strip()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        peer, version = squawk(os.path.join(folder, "squawk"))
        for size in (1_000, 10_000, 40_000):
            path = os.path.join(folder, f"{size}.sql")
            with open(path, "w") as file:
                for n in range(size):
                    file.write(MIX[n % len(MIX)].replace("{n}", str(n // len(MIX))) + "\n")
            seconds = {"ours": [], "peer": []}
            for _ in range(runs):
                took, done = timed([ours, "16", path])
                said = json.loads(done.stdout)
                seconds["ours"].append(took)
                took, done = timed([peer, "--reporter", "json", "--pg-version", "16.0", path])
                theirs = json.loads(done.stdout)
                seconds["peer"].append(took)
            line = {"job": f"migration-{size}", "unit": "s", "statements": size, "bytes": os.path.getsize(path),
                    "ours": round(statistics.median(seconds["ours"]), 3), "peer": round(statistics.median(seconds["peer"]), 3),
                    "peer_name": f"squawk {version} --reporter json", "ours_findings": len(said["findings"]), "peer_findings": len(theirs),
                    "runs": runs, "profile": "release", "commit": commit, "load": round(os.getloadavg()[0], 1)}
            line["ratio"] = round(line["ours"] / line["peer"], 2)
            line["us_per_statement"] = round(line["ours"] / size * 1e6, 1)
            lines.append(line)
            print(json.dumps(line), flush=True)
    with open(os.path.join(HERE, "RESULTS.json"), "w") as file:
        json.dump(lines, file, indent=1)
        file.write("\n")
    if lines[-1]["ours"] > 1.0:
        sys.exit("40,000 statements took more than a second")


main()
