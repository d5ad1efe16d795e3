#!/usr/bin/env python3
"""Writes bench/RESULTS.md: every committed figure in one table, from the RESULTS.json of each job. `bench/table.py`."""
import glob, json, os

HERE = os.path.dirname(os.path.abspath(__file__))
TOLD = ["job", "what", "unit", "ours", "peer", "peer_name", "ratio", "limit", "share_of_limit", "goal", "commit", "load"]


def lines(path):
    with open(path) as file:
        kept = json.load(file)
    return kept if isinstance(kept, list) else [kept]


def cell(value):
    if isinstance(value, (dict, list)):
        return "see file"
    return str(value)[:12] if isinstance(value, float) else str(value).replace("|", "/")


def main():
    rows = ["# Figures", "", "Measured on a machine with two cores; `bench/NAME/RESULTS.json` has everything. Written by `bench/table.py`.", ""]
    for path in sorted(glob.glob(os.path.join(HERE, "*", "RESULTS.json"))):
        name = os.path.basename(os.path.dirname(path))
        rows.append(f"## {name}")
        rows.append("")
        for line in lines(path):
            known = [(key, line[key]) for key in TOLD if line.get(key) is not None]
            known += [(key, value) for key, value in line.items() if key not in TOLD and isinstance(value, (int, float, str))]
            rows.append("- " + ", ".join(f"{key} {cell(value)[:80]}" for key, value in known))
        rows.append("")
    with open(os.path.join(HERE, "RESULTS.md"), "w") as file:
        file.write("\n".join(rows))


main()
