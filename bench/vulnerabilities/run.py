#!/usr/bin/env python3
"""Matching 1,000 components against 200,000 advisories: without an index, building one, with it; and a new advisory against
10,000 stored inventories. Beside it the same look-up by a peer, where one can be installed (see `peer`).

Prints and writes RESULTS.json beside this file. `run.py [RUNS]`."""
import json, os, shutil, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PEER = "@renovatebot/osv-offline-db"
# Loads an ecosystem's records and asks for each component's package: less than matching, because no version is compared.
PEER_SCRIPT = """
const { OsvOfflineDb } = require('@renovatebot/osv-offline-db');
(async () => {
  const started = process.hrtime.bigint();
  const db = await OsvOfflineDb.create(process.argv[2]);
  const bom = JSON.parse(require('fs').readFileSync(process.argv[3]));
  const of = { npm: 'npm', pypi: 'PyPI', maven: 'Maven', golang: 'Go', composer: 'Packagist', cargo: 'crates.io', gem: 'RubyGems', nuget: 'NuGet' };
  let found = 0;
  for (const part of bom.components) {
    const ecosystem = of[part.purl.slice(4).split('/')[0]];
    if (ecosystem) found += (await db.query(ecosystem, part.name)).length;
  }
  console.log(JSON.stringify({ ms: Number(process.hrtime.bigint() - started) / 1e6, found }));
})();
"""


def said(command, **more):
    out = subprocess.run(command, capture_output=True, text=True, **more)
    if out.returncode != 0:
        raise RuntimeError(out.stderr[-500:])
    return json.loads(out.stdout.splitlines()[-1])


def peer(folder):
    """The peer's command, or why there is none."""
    place = os.path.join(folder, "peer")
    os.makedirs(place)
    with open(os.path.join(place, "package.json"), "w") as file:
        file.write("{}")
    with open(os.path.join(place, "ask.js"), "w") as file:
        file.write(PEER_SCRIPT)
    got = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", PEER], cwd=place, capture_output=True, text=True)
    if got.returncode != 0:
        return None, f"{PEER} could not be installed"
    import zipfile
    data = os.path.join(folder, "nedb")
    os.makedirs(data)
    for ecosystem in os.listdir(os.path.join(folder, "osv")):
        lines = []
        with zipfile.ZipFile(os.path.join(folder, "osv", ecosystem, "all.zip")) as archive:
            lines = [archive.read(name).decode() for name in archive.namelist()]
        with open(os.path.join(data, f"{ecosystem.lower()}.nedb"), "w") as file:
            file.write("\n".join(lines) + "\n")
    return ["node", "--max-old-space-size=4096", os.path.join(place, "ask.js"), data, os.path.join(folder, "bom.json")], None


def main():
    runs = int((sys.argv[1:] + ["7"])[0])
    subprocess.run(["cargo", "build", "--release", "--quiet", "--package", "holdpoint-inspect", "--example", "advisories_bench"], cwd=TOP, check=True)
    program = os.path.join(TOP, "target", "release", "examples", "advisories_bench")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=TOP, capture_output=True, text=True, check=True).stdout.strip()
    folder = tempfile.mkdtemp()
    try:
        subprocess.run([sys.executable, os.path.join(HERE, "generate.py"), folder], check=True)
        osv, bom, index = (os.path.join(folder, name) for name in ["osv", "bom.json", "index"])
        packed = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(osv) for name in names)
        other, missing = peer(folder)
        jobs = {"cold": [program, "cold", osv, bom], "index": [program, "index", osv, index], "warm": [program, "warm", index, bom],
                "rejudge": [program, "rejudge", bom, os.path.join(folder, "new.json"), "10000"]}
        if other:
            jobs["peer_load_and_look_up"] = other
        times, last = {name: [] for name in jobs}, {}
        wall = []
        for _ in range(runs):
            for name, command in list(jobs.items()):
                started = time.monotonic()
                try:
                    last[name] = said(command)
                except RuntimeError as why:
                    missing = f"{PEER} failed: {why}"
                    del jobs[name]
                    continue
                times[name].append(last[name]["ms"])
                if name == "warm":
                    wall.append((time.monotonic() - started) * 1000)
        result = {"commit": commit, "load": round(os.getloadavg()[0], 1), "runs": runs, "advisories": last["cold"]["advisories"],
                  "components": last["warm"]["components"], "packed_bytes": packed, "index_bytes": last["index"]["bytes"],
                  "found": last["warm"]["found"], "concerned_of_10000": last["rejudge"]["concerned"],
                  "median_ms": {name: round(statistics.median(values), 2) for name, values in times.items() if values},
                  "min_ms": {name: round(min(values), 2) for name, values in times.items() if values},
                  "warm_whole_process_ms": round(statistics.median(wall), 2), "peer": PEER if other and not missing else missing}
        if last["cold"]["found"] != last["warm"]["found"]:
            sys.exit(f"cold found {last['cold']['found']}, warm {last['warm']['found']}")
        print(json.dumps(result))
        with open(os.path.join(HERE, "RESULTS.json"), "w") as file:
            json.dump(result, file, indent=1)
            file.write("\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
